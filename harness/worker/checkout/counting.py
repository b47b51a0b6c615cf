"""Probes: they count calls of a function, or only those that come from some modules, in untimed requests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial, wraps
from typing import Any

from .patches import Patch, Patches


class Tally:
    """A count that grows while its region is open."""

    def __init__(self, see: Callable[..., int]) -> None:
        self.count = 0
        self.see = see


_OPEN: dict[tuple[int, str], list[Tally]] = {}
"""Owner and attribute -> the tallies whose regions are open, for code that kept a counted function from a region that has ended."""


Probe = Callable[[], AbstractContextManager[Tally]]


def one(*_: Any, **__: Any) -> int:
    """A call counts as one, whatever its arguments."""
    return 1


def calls(
    *places: tuple[Any, str], modules: Collection[str] | None = None, depth: int = 1, worth: Callable[..., int] = one
) -> Probe:
    """A probe of the functions `owner.attribute` of `places` (without any, it counts nothing); with `modules`, of calls from one of these alone.

    The calling module is looked for `depth` frames above the function. `worth` says of a call's arguments how much it counts.
    """

    def see(*args: Any, **kwargs: Any) -> int:
        return worth(*args, **kwargs) if modules is None or _caller(depth) in modules else 0

    @contextmanager
    def probe() -> Iterator[Tally]:
        tally = Tally(see)
        keys = [(id(owner), attribute) for owner, attribute in places]
        around = [
            Patch.around(owner, attribute, partial(_counting, tally, key))
            for (owner, attribute), key in zip(places, keys)
        ]
        with Patches(around):
            for key in keys:
                _OPEN.setdefault(key, []).append(tally)
            try:
                yield tally
            finally:
                for key in keys:
                    _OPEN[key] = [other for other in _OPEN[key] if other is not tally]

    return probe


def _counting(tally: Tally, key: tuple[int, str], original: Any) -> Any:
    @wraps(original)
    def counted(*args: Any, **kwargs: Any) -> Any:
        opened = _OPEN.get(key, ())
        for seeing in (tally,) if tally in opened else opened:
            seeing.count += seeing.see(*args, **kwargs)
        return original(*args, **kwargs)

    return counted


def _caller(depth: int) -> str:
    """The module of the frame `depth` above the counted function; wrappers of this module do not count as frames."""
    frame: Any = sys._getframe(1)  # noqa: SLF001  the documented way to a frame, and cheap
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if name != __name__:
            depth -= 1
            if depth == 0:
                return str(name)
        frame = frame.f_back
    return ""
