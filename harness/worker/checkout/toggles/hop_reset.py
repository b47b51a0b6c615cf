"""The length of the target's chunks, which grows while it streams and is kept on the engine."""

from __future__ import annotations

import dis
from collections import Counter
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from ..code import Code, methods
from ..counting import Probe, calls
from ..patches import Patch
from .toggle import NOT_PUT_BACK, Toggle

SPEAKS = "tts"


def resetting(engine: Any, lengths: Mapping[str, int]) -> Callable[[Any], Any]:
    """Makes of the engine's `tts` one that begins with these lengths, by their attributes."""

    def made(tts: Any) -> Any:
        def reset(*args: Any, **given: Any) -> Any:
            vars(engine).update(lengths)
            return tts(*args, **given)

        return reset

    return made


class HopReset(Toggle):
    """After, each call of the engine's `tts` begins with the length that its constructor chose."""

    def __init__(self, code: Code, device: str) -> None:
        super().__init__(code, device)
        self._grown = self._growing()
        self._present = self._set_back()

    def lacks(self) -> str:
        return "" if self._grown else f"{self._of()}.{SPEAKS} lets no chunk length grow that the engine keeps"

    def present(self) -> str:
        return self._present

    def _set_back(self) -> str:
        for name in self._grown:
            for method, function in methods(type(self.code.engine)).items():
                stored, _ = _attributes(function)
                if stored[name] > (method == SPEAKS) and method != "__init__":
                    return f"{self._of()} sets self.{name} back in {method}; {NOT_PUT_BACK}"
        return ""

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        return []

    def of_engine(self, arm: Any, state: Any) -> list[Patch]:
        if state is False or self.present():
            return []
        return [Patch.around(arm.engine, SPEAKS, resetting(arm.engine, self._chosen()))]

    def probe(self, **_: Any) -> Probe:
        chosen = self._chosen()

        def left_over(engine: Any, *_: Any, **__: Any) -> int:
            return sum(max(0, getattr(engine, name) - length) for name, length in chosen.items())

        return calls((type(self.code.engine), SPEAKS), worth=left_over)

    def _of(self) -> str:
        return type(self.code.engine).__name__

    def _chosen(self) -> dict[str, int]:
        """The lengths of the engine as it was loaded, which never speaks: arms have engines of their own."""
        return {name: getattr(self.code.engine, name) for name in self._grown}

    def _growing(self) -> list[str]:
        """Whole numbers of the engine that `tts` sets, and reads more often than that: no mere counters."""
        stored, read = _attributes(methods(type(self.code.engine))[SPEAKS])
        return [
            name
            for name, times in stored.items()
            if read[name] > times and type(vars(self.code.engine).get(name)) is int
        ]


def _attributes(function: FunctionType) -> tuple[Counter[str], Counter[str]]:
    """How often a function sets, and reads, attributes of these names."""
    found: dict[str, Counter[str]] = {"STORE_ATTR": Counter(), "LOAD_ATTR": Counter()}
    for step in dis.get_instructions(function):
        if step.opname in found:
            found[step.opname][step.argval] += 1
    return found["STORE_ATTR"], found["LOAD_ATTR"]


TOGGLE = HopReset
