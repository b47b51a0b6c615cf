"""Probes: they count what a toggle's witness is about, in untimed requests only.

An operation is counted at itself (`calls`: a wrapper around the named function, put in place for a while and taken away
again) or at an event that the model reports (`counter`). What the counts must be is for the toggle's file to say, and for
the runner to judge (`optimizations.witness`).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any, Protocol

from . import spans


class Tally(Protocol):
    """A count that grows while its region is open."""

    @property
    def count(self) -> int: ...


Probe = Callable[[], AbstractContextManager[Tally]]
"""Opens a counting region: inside, the tally's `count` grows with each witnessed operation."""


class _Calls:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


def calls(*symbols: str, caller: str | None = None, depth: int = 1, where: Callable[..., bool] | None = None) -> Probe:
    """A probe that counts calls of functions named "module:attribute.path".

    `caller` restricts it to calls from that module, `depth` frames above the function; `where` to calls whose arguments it
    answers with true. Probes of one function nest.
    Each symbol is what it was when the region ends.
    """

    @contextmanager
    def probe() -> Iterator[_Calls]:
        tally = _Calls()
        restore: list[tuple[Any, str, Any]] = []
        try:
            for symbol in symbols:
                owner, name, original = _resolve(symbol)
                restore.append((owner, name, original))
                setattr(owner, name, _counting(original, tally, caller, depth, where))
            yield tally
        finally:
            for owner, name, original in reversed(restore):
                setattr(owner, name, original)

    return probe


def _resolve(symbol: str) -> tuple[Any, str, Any]:
    module_name, _, path = symbol.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name, owner.__dict__[name]


def _counting(original: Any, tally: _Calls, caller: str | None, depth: int, where: Callable[..., bool] | None) -> Any:
    if isinstance(original, (staticmethod, classmethod)):
        return type(original)(_counting(original.__func__, tally, caller, depth, where))

    @wraps(original)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if (caller is None or _module_above(depth) == caller) and (where is None or where(*args, **kwargs)):
            tally.count += 1
        return original(*args, **kwargs)

    return counted


def _module_above(depth: int) -> str | None:
    """The module of the frame `depth` above the counted function, wrappers of this module not counted as frames."""
    frame = inspect.currentframe()
    while frame is not None and depth >= 0:
        if frame.f_globals.get("__name__") != __name__:
            depth -= 1
            if depth == 0:
                return frame.f_globals.get("__name__")
        frame = frame.f_back
    return None


def counter(name: str) -> Probe:
    """A probe that counts the event `name` that the model reports through `spans.count`."""

    @contextmanager
    def probe() -> Iterator[_EventView]:
        with spans.counting() as counts:
            yield _EventView(counts, name)

    return probe


class _EventView:
    """The count of one event, seen as a tally."""

    def __init__(self, counts: Mapping[str, int], name: str) -> None:
        self._counts = counts
        self._name = name

    @property
    def count(self) -> int:
        return self._counts[self._name]
