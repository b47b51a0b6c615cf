"""What a toggle of a target is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ..code import Code
from ..counting import Probe
from ..patches import Patch

NOT_PUT_BACK = "its code before is not put back"
"""The end of what `present` says where `before` does nothing, so that the two sides are the same code."""


class Toggle(ABC):
    """A toggle of one target.

    `before` and `after` make the patches of an arm in which it is off, or on with parameters; they are called once for each arm,
    before its engine is constructed. `prepare` is called with both in place, once the engine stands.
    """

    def __init__(self, code: Code, device: str) -> None:
        self.code = code
        self.device = device

    def lacks(self) -> str:
        """Why the code cannot take it, in words; "" where it can."""
        return ""

    def present(self) -> str:
        """Where the code has it already, in words; "" where it does not.

        Then `before` puts the code before back, or this ends in `NOT_PUT_BACK`.
        """
        return ""

    def before(self, arm: Any) -> list[Patch]:
        """What makes the code as it is without the toggle: nothing, unless it has it."""
        return []

    @abstractmethod
    def after(self, arm: Any, **parameters: Any) -> list[Patch]:
        """What makes the code as it is with the toggle."""

    def of_engine(self, arm: Any, state: Any) -> list[Patch]:
        """More patches: of the arm's engine, once it stands. `state` is False, or True or parameters."""
        return []

    def prepare(self, arm: Any, speakers: Sequence[Any], recordings: Any) -> None:  # noqa: B027  most toggles prepare nothing
        """What the toggle does while the pipeline is built; `speakers` are those known then."""

    @abstractmethod
    def probe(self, **parameters: Any) -> Probe:
        """The witness: what it counts is declared in the toggle's file of `harness/optimizations/`."""
