"""Keep Resample kernels (seed document, section 2: `frontend_zero_shot` and `frontend_vc`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.optimizations.cache import Cache, Held, tensor_bytes
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


class Kept:
    """One `Resample` object for each pair of rates and device, built when the pair is first met."""

    def __init__(self) -> None:
        self.kernels: dict[tuple[int, int, Any], Any] = {}

    def __call__(self, audio: torch.Tensor, orig_hz: int, new_hz: int) -> Any:
        key = (orig_hz, new_hz, audio.device)
        if key not in self.kernels:
            import torchaudio

            self.kernels[key] = torchaudio.transforms.Resample(orig_freq=orig_hz, new_freq=new_hz).to(audio.device)
        return self.kernels[key](audio)


def kernels_held(resamplers: Kept) -> Held:
    """The objects kept, and the bytes of their kernels."""
    kept = resamplers.kernels.values()
    return len(kept), sum(tensor_bytes(resampler.buffers()) for resampler in kept)


@optimization(
    title="Cache Resample objects",
    sites=("frontend.resample",),
    before=build_each_time,
    witness=KERNELS_BUILT,
    excludes=("prebuilt_resample",),
    seed_section="2",
    cache=Cache(
        entry="a Resample object with its kernel",
        key="the two sampling rates and the device",
        misses="first use",
        bounded="there are as many pairs of rates as recordings come in",
        size=kernels_held,
    ),
)
def resample_cache(context: BindContext) -> Resampler:
    """Keep one `Resample` object per pair of rates, built when the pair is first met.

    A `Resample` computes its windowed-sinc kernel when it is constructed; the zero-shot and the voice-conversion paths
    construct one for each prompt. The claim: no construction after the first, which helps where calls are frequent.
    """
    return Kept()
