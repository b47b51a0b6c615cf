"""Build the one Resample that is needed up front (the seed document advises against it: section "not recommended")."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.optimizations.registry import optimization
from harness.optimizations.resample_cache import KERNELS_BUILT, build_each_time
from harness.optimizations.sites import BindContext, Resampler

if TYPE_CHECKING:
    import torch


@optimization(
    title="Build Resample objects up front",
    sites=("frontend.resample",),
    before=build_each_time,
    witness=replace(KERNELS_BUILT, after="none"),
    excludes=("resample_cache",),
    seed_section="not recommended 1",
)
def prebuilt_resample(context: BindContext) -> Resampler:
    """Build the `Resample` for the prompt's and the model's rate while the pipeline is built.

    The first request then pays nothing, and starting pays instead. The document calls this over-optimization beside the
    cache on demand; other rates than the expected pair are built each time, as before.
    """
    import torchaudio

    expected = (context.prompt_rate_hz, context.model_rate_hz)
    prebuilt = torchaudio.transforms.Resample(orig_freq=expected[0], new_freq=expected[1])

    def resample(audio: torch.Tensor, orig_hz: int, new_hz: int) -> Any:
        if (orig_hz, new_hz) == expected:
            return prebuilt.to(audio.device)(audio)
        return torchaudio.transforms.Resample(orig_freq=orig_hz, new_freq=new_hz).to(audio.device)(audio)

    return resample
