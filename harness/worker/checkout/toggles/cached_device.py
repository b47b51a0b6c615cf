"""Where front end and facade put their tensors."""

from __future__ import annotations

from typing import Any

from ..counting import Probe
from ..patches import Patch
from . import cuda
from .toggle import Toggle


class CachedDevice(Toggle):
    """Where the front end keeps its device, as all public versions do, its before derives it for each tensor that is moved."""

    def lacks(self) -> str:
        return "" if self._asking() or self._kept() else "neither front end nor facade decides on a device"

    def present(self) -> str:
        if self._asking() or not self._kept():
            return ""
        return f"{type(self.code.front_end).__name__} decides once, and keeps it as self.{self._kept()[0]}"

    def before(self, arm: Any) -> list[Patch]:
        if not self.present():
            return []
        return [cuda.put_back(type(self.code.front_end), name, _decide) for name in self._kept()]

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        return [] if self.present() else cuda.answered((*self.code.front_end_modules, *self.code.facade_modules))

    def probe(self, **_: Any) -> Probe:
        return cuda.questions((*self.code.front_end_modules, *self.code.facade_modules), __name__)

    def _asking(self) -> list[str]:
        """Methods that ask after construction."""
        parts = (self.code.front_end, self.code.facade)
        return [name for part in parts for name in self.code.asking(part, cuda.ASKING) if name != "__init__"]

    def _kept(self) -> list[str]:
        import torch

        return [name for name, value in vars(self.code.front_end).items() if isinstance(value, torch.device)]


def _decide(_: Any) -> Any:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


TOGGLE = CachedDevice
