"""Keep Resample kernels (seed document, section 2: `frontend_zero_shot` and `frontend_vc`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext, Resampler
from harness.optimizations.witness import Witness
from harness.worker.probes import calls

if TYPE_CHECKING:
    import torch

KERNELS_BUILT = Witness(
    unit="Resample kernels built",
    probe=lambda: calls("torchaudio.transforms:Resample.__init__"),
    before="every request",
    after="once",
)


def build_each_time(context: BindContext) -> Resampler:
    """Construct a `Resample`, and with it its filter kernel, for every recording."""
    import torchaudio

    def resample(audio: torch.Tensor, orig_hz: int, new_hz: int) -> Any:
        return torchaudio.transforms.Resample(orig_freq=orig_hz, new_freq=new_hz).to(audio.device)(audio)

    return resample


@optimization(
    title="Cache Resample objects",
    sites=("frontend.resample",),
    before=build_each_time,
    witness=KERNELS_BUILT,
    excludes=("prebuilt_resample",),
    seed_section="2",
)
def resample_cache(context: BindContext) -> Resampler:
    """Keep one `Resample` object per pair of rates, built when the pair is first met.

    A `Resample` computes its windowed-sinc kernel when it is constructed; the zero-shot and the voice-conversion paths
    construct one for each prompt. The claim: no construction after the first, which helps where calls are frequent.
    """
    import torchaudio

    kept: dict[tuple[int, int, Any], Any] = {}

    def resample(audio: torch.Tensor, orig_hz: int, new_hz: int) -> Any:
        key = (orig_hz, new_hz, audio.device)
        if key not in kept:
            kept[key] = torchaudio.transforms.Resample(orig_freq=orig_hz, new_freq=new_hz).to(audio.device)
        return kept[key](audio)

    return resample
