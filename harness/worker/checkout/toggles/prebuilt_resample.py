"""One `Resample` object, built up front."""

from __future__ import annotations

from typing import Any

from ..counting import Probe
from ..patches import Patch
from ..recordings import PROMPT_RATE_HZ
from . import resampling
from .toggle import Toggle


class PrebuiltResample(Toggle):
    """After, the resampler from 16 kHz to the model's rate stands from the start; others are constructed as before."""

    def lacks(self) -> str:
        if not resampling.builds(self.code):
            return "no function of front end or facade constructs a Resample"
        if self.code.takes_paths:
            return "the recording's rate is known only when the front end has read it"
        kept = resampling.kept(self.code)
        return f"{type(self.code.front_end).__name__} keeps its own in self.{kept[0]}" if kept else ""

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        import torchaudio

        rates_hz = (PROMPT_RATE_HZ, self.code.sample_rate_hz)
        built = {(*rates_hz, (), ()): torchaudio.transforms.Resample(*rates_hz)}
        return resampling.keeping(self.code, built, more=False)

    def probe(self, **_: Any) -> Probe:
        return resampling.constructions()


TOGGLE = PrebuiltResample
