"""Call stacks with weights, and "collapsed" text: one line a stack, outermost frame first, then its weight."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Literal

MARKER = "profiled_request"
"""The function of `harness.worker.profiling` inside which requests run: what lies outside it is no request's."""
Unit = Literal["s", "bytes"]

_PYTHON_FILES = (".py", ".pyx", ".ipynb")
_TOGGLES = "harness/optimizations"
_WRAPPERS = frozenset({
    ("torch/nn/modules/module.py", "_wrapped_call_impl"), ("torch/nn/modules/module.py", "_call_impl"),
    ("torch/utils/_contextlib.py", "decorate_context"),
})  # fmt: skip
"""Functions that PyTorch puts around every module's; what they take is counted as that of their callers."""
_KEPT_PARTS = 3
_DEEPEST = 250
"""Frames beyond this depth are left out: such stacks are of functions that call themselves."""
_ADDRESS = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Frame:
    """A function: its name, its file from the package on, and the line where it begins (0 where that is not known)."""

    name: str
    file: str = ""
    line: int = 0

    @property
    def is_native(self) -> bool:
        """Whether this is no Python function: it lies in a library, or nobody knows where."""
        return not self.file.endswith(_PYTHON_FILES) and not self.file.startswith("<")

    @property
    def place(self) -> str:
        """Where it is, "file:line"; the file alone where the line is not known."""
        return f"{self.file}:{self.line}" if self.line else self.file


Stack = tuple[Frame, ...]
"""Frames, the outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one process gave. `each` makes of a weight what it is in the profile's unit, a request.

    `counted` says that weights are numbers of samples, which chance moves; bytes are exact.
    """

    weights: Mapping[Stack, float]
    each: float
    counted: bool = True

    @property
    def total(self) -> float:
        """In the profile's unit, a request."""
        return sum(self.weights.values()) * self.each


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One arm under one profiler, in one or several processes. `unit` is of a request, or at its peak."""

    arm: str
    unit: Unit
    rounds: tuple[Round, ...]
    requests: int = 0

    @property
    def total(self) -> float:
        """The mean of its processes."""
        return sum(turn.total for turn in self.rounds) / len(self.rounds)


def short(path: str) -> str:
    """A file's path from where Python imports it, so that it names nobody's folders; of a library its name alone."""
    plain = path.replace("\\", "/")
    if not plain.endswith(_PYTHON_FILES):
        return plain.rpartition("/")[2]
    for root in _roots():
        if plain.startswith(root):
            return plain.removeprefix(root)
    return "/".join(PurePath(plain).parts[-_KEPT_PARTS:])


@cache
def _roots() -> tuple[str, ...]:
    """The folders that Python imports from, the longest name first; workers import from the same."""
    folders = {str(Path(folder).absolute()).replace("\\", "/") for folder in sys.path}
    return tuple(sorted((f"{folder.rstrip('/')}/" for folder in folders), key=len, reverse=True))


def frame(name: str, file: str, line: int) -> Frame:
    """A frame as a profiler tells it. Functions without a name are one for each library: their addresses change with each process."""
    named = "(no name)" if _ADDRESS.fullmatch(name) else name
    return Frame(named, short(file), line)


def aligned(known: Frame) -> Frame:
    """The function that a toggle puts in place, by the toggle's name: what it calls is then compared before and after.

    A toggle's code before and after are two functions, or one, of its file.
    """
    folder, _, file = known.file.rpartition("/")
    if folder != _TOGGLES or ".<locals>." not in known.name:
        return known
    return Frame(f"[{file.removesuffix('.py')}]", known.file)


def within_requests(stacks: Iterable[tuple[Stack, float]]) -> dict[Stack, float]:
    """The weights of what lies inside requests, counted from there on; equal stacks are added up."""
    found: dict[Stack, float] = defaultdict(float)
    for stack, weight in stacks:
        for depth, known in enumerate(stack):
            if known.name.rpartition(".")[2] == MARKER:
                found[_drawn(stack[depth + 1 :])] += weight
                break
    return dict(found)


def _drawn(stack: Stack) -> Stack:
    """What of a request's stack is compared: without wrappers, and not beyond `_DEEPEST` frames."""
    kept = (known for known in stack if (known.file, known.name.rpartition(".")[2]) not in _WRAPPERS)
    return tuple(map(aligned, kept))[:_DEEPEST]


def collapsed(rounds: Sequence[Round]) -> str:
    """The text that flame graph tools read: "outer (file:line);inner (file:line) weight", one line a stack, sorted."""
    sums: dict[str, float] = defaultdict(float)
    for turn in rounds:
        for stack, weight in turn.weights.items():
            sums[";".join(map(_told, stack)) or "request"] += weight
    return "".join(f"{stack} {weight:.0f}\n" for stack, weight in sorted(sums.items()))


def _told(known: Frame) -> str:
    text = f"{known.name} ({known.place})" if known.place else known.name
    return " ".join(text.replace(";", ":").split())


def functions(stack: Stack) -> Iterator[Frame]:
    """Each function of a stack once, however often it calls itself."""
    yield from dict.fromkeys(stack)
