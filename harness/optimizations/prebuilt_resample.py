"""Build the one Resample that is needed up front (the seed document advises against it: section "not recommended")."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.optimizations.cache import Cache, Held, tensor_bytes
from harness.optimizations.registry import optimization
from harness.optimizations.resample_cache import KERNELS_BUILT, build_each_time
from harness.optimizations.sites import BindContext, Resampler

if TYPE_CHECKING:
    import torch


class Prebuilt:
    """The `Resample` of the expected pair of rates; for others one is built each time."""

    def __init__(self, orig_hz: int, new_hz: int) -> None:
        import torchaudio

        self.expected = (orig_hz, new_hz)
        self.kernel = torchaudio.transforms.Resample(orig_freq=orig_hz, new_freq=new_hz)

    def __call__(self, audio: torch.Tensor, orig_hz: int, new_hz: int) -> Any:
        if (orig_hz, new_hz) == self.expected:
            return self.kernel.to(audio.device)(audio)
        import torchaudio

        return torchaudio.transforms.Resample(orig_freq=orig_hz, new_freq=new_hz).to(audio.device)(audio)


def kernel_held(prebuilt: Prebuilt) -> Held:
    """The one object, and the bytes of its kernel."""
    return 1, tensor_bytes(prebuilt.kernel.buffers())


@optimization(
    title="Build Resample objects up front",
    sites=("frontend.resample",),
    before=build_each_time,
    witness=replace(KERNELS_BUILT, after="none"),
    excludes=("resample_cache",),
    seed_section="not recommended 1",
    cache=Cache(
        entry="the Resample object of the pair of rates that is expected",
        key="the two sampling rates: prompt and model",
        misses="never",
        bounded="there is one; other pairs are built each time and not kept",
        size=kernel_held,
    ),
)
def prebuilt_resample(context: BindContext) -> Resampler:
    """Build the `Resample` for the prompt's and the model's rate while the pipeline is built.

    The first request then pays nothing, and starting pays instead. The document calls this over-optimization beside the
    cache on demand; other rates than the expected pair are built each time, as before.
    """
    return Prebuilt(context.prompt_rate_hz, context.model_rate_hz)
