"""`torch.cuda.is_available()` as the engine's module sees it."""

from __future__ import annotations

from typing import Any

from ..counting import Probe
from ..patches import Patch
from . import cuda
from .toggle import Toggle


class CachedCudaCheck(Toggle):
    """After, the engine's module gets an answer that was kept; an engine that keeps one itself asks again, before."""

    def lacks(self) -> str:
        return "" if self._asking() or self._kept() else f"{type(self.code.engine).__name__} never asks for a GPU"

    def present(self) -> str:
        kept = self._kept() if set(self._asking()) <= {"__init__"} else []
        return "".join(f"{type(self.code.engine).__name__} keeps the answer as self.{name}" for name in kept[:1])

    def before(self, arm: Any) -> list[Patch]:
        if not self.present():
            return []
        return [cuda.put_back(type(self.code.engine), name, _ask) for name in self._kept()]

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        return [] if self.present() else cuda.answered(self.code.engine_modules)

    def probe(self, **_: Any) -> Probe:
        return cuda.questions(self.code.engine_modules, __name__)

    def _asking(self) -> Any:
        return self.code.asking(self.code.engine, cuda.ASKING)

    def _kept(self) -> list[str]:
        """Attributes of the engine that hold an answer: truths that are named after CUDA."""
        return [
            name for name, value in vars(self.code.engine).items() if isinstance(value, bool) and "cuda" in name.lower()
        ]


def _ask(_: Any) -> bool:
    import torch

    return bool(torch.cuda.is_available())


TOGGLE = CachedCudaCheck
