"""Probes: they count calls of a function, or only those that come from some modules, in untimed requests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

from .patches import Patch, Patches


class Tally:
    """A count that grows while its region is open."""

    def __init__(self) -> None:
        self.count = 0


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

    @contextmanager
    def probe() -> Iterator[Tally]:
        tally = Tally()

        def counting(original: Any) -> Any:
            @wraps(original)
            def counted(*args: Any, **kwargs: Any) -> Any:
                if modules is None or _caller(depth) in modules:
                    tally.count += worth(*args, **kwargs)
                return original(*args, **kwargs)

            return counted

        with Patches([Patch.around(owner, attribute, counting) for owner, attribute in places]):
            yield tally

    return probe


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
