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
    """Counts the calls that it sees, of those that it is about."""

    __slots__ = ("_caller", "_depth", "_where", "count")

    def __init__(self, caller: str | None, depth: int, where: Callable[..., bool] | None) -> None:
        self.count = 0
        self._caller, self._depth, self._where = caller, depth, where

    def see(self, *args: Any, **kwargs: Any) -> None:
        if self._caller is None or _module_above(self._depth) == self._caller:
            self.count += self._where is None or bool(self._where(*args, **kwargs))


_OPEN: dict[str, list[_Calls]] = {}
"""Symbol -> the tallies whose regions are open, for those that kept a counted function from a region that has ended."""


def calls(*symbols: str, caller: str | None = None, depth: int = 1, where: Callable[..., bool] | None = None) -> Probe:
    """A probe that counts calls of functions named "module:attribute.path".

    `caller` restricts it to calls from that module, `depth` frames above the function; `where` to calls whose arguments it
    answers with true. Probes of one function nest.
    Each symbol is what it was when the region ends. Who looked it up before that, and kept it, is counted in later regions too.
    """

    @contextmanager
    def probe() -> Iterator[_Calls]:
        tally = _Calls(caller, depth, where)
        restore: list[tuple[Any, str, Any]] = []
        try:
            for symbol in symbols:
                owner, name, original = _resolve(symbol)
                restore.append((owner, name, vars(owner).get(name, _INHERITED)))
                setattr(owner, name, _counting(original, tally, symbol))
                _OPEN.setdefault(symbol, []).append(tally)
            yield tally
        finally:
            for owner, name, own in reversed(restore):
                if own is _INHERITED:
                    delattr(owner, name)
                else:
                    setattr(owner, name, own)
            for symbol in symbols:
                _OPEN[symbol] = [other for other in _OPEN.get(symbol, ()) if other is not tally]

    return probe


_INHERITED = object()


def _resolve(symbol: str) -> tuple[Any, str, Any]:
    module_name, _, path = symbol.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    if name in vars(owner):
        return owner, name, vars(owner)[name]
    return owner, name, inspect.getattr_static(owner, name) if inspect.isclass(owner) else getattr(owner, name)


def _counting(original: Any, tally: _Calls, symbol: str) -> Any:
    if isinstance(original, (staticmethod, classmethod)):
        return type(original)(_counting(original.__func__, tally, symbol))

    @wraps(original)
    def counted(*args: Any, **kwargs: Any) -> Any:
        opened = _OPEN.get(symbol, ())
        for seeing in (tally,) if tally in opened else opened:
            seeing.see(*args, **kwargs)
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
