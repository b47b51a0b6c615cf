"""`Resample` objects, kept."""

from __future__ import annotations

from typing import Any

from ..counting import Probe
from ..patches import Patch
from . import resampling
from .toggle import Toggle


class ResampleCache(Toggle):
    """After, `Resample(...)` in the target's modules is looked up; a front end that keeps its own forgets them, before."""

    def lacks(self) -> str:
        return "" if resampling.builds(self.code) else "no function of front end or facade constructs a Resample"

    def present(self) -> str:
        kept = resampling.kept(self.code)
        return f"{type(self.code.front_end).__name__} keeps them in self.{kept[0]}" if kept else ""

    def before(self, arm: Any) -> list[Patch]:
        return resampling.forgetting(self.code, arm.front_end)

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        return [] if self.present() else resampling.keeping(self.code, {}, more=True)

    def probe(self, **_: Any) -> Probe:
        return resampling.constructions()


TOGGLE = ResampleCache
