"""Questions whether there is a GPU: what two toggles share."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from ..counting import Probe, calls
from ..patches import Patch
from ..views import view

ASKING = "is_available"
PATH = "torch.cuda.is_available"


def asked() -> bool:
    """Ask, as the code before does."""
    import torch

    return bool(torch.cuda.is_available())


def answered(modules: Iterable[ModuleType]) -> list[Patch]:
    """Patches through which these modules get an answer that was kept."""
    answer = asked()

    def kept() -> bool:
        return answer

    return [patch for module in modules for patch in view(module, PATH, lambda _: kept)]


def put_back(owner: type, attribute: str, ask: Any) -> Patch:
    """A patch that makes an attribute, which the constructor sets once, a question that is asked each time it is read."""
    return Patch(owner, attribute, property(ask, lambda *_: None), new=True)


def questions(modules: Iterable[ModuleType], *asking: str) -> Probe:
    """Counts the questions from these modules, and from those named in `asking`."""
    import torch

    return calls((torch.cuda, ASKING), modules={*asking, *(module.__name__ for module in modules)})
