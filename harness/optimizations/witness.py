"""Witnesses: counts that prove that a toggle was engaged.

A witness counts the operation that the toggle is there to avoid, at the operation itself (`calls`: a wrapper around the
named function, put in place for untimed requests only and taken away again) or at an event that the model reports
(`counter`). The toggle's file declares what the counts must be before and after; `judge` compares.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Literal, Protocol

from harness import spans

Expected = Literal["every request", "once", "none", "fewer"]
"""Counts of a witness. "every request": at least one in each. "once": while binding or in the request that first needs it, in
no other, and fewer over all than without the toggle. "none": none in any request, not even the first. "fewer": fewer over
all requests than without the toggle. Where both sides have the toggle on, the last two say nothing of how many."""


class Tally(Protocol):
    """A count that grows while its region is open."""

    @property
    def count(self) -> int: ...


Probe = Callable[[], AbstractContextManager[Tally]]
"""Opens a counting region: inside, the tally's `count` grows with each witnessed operation."""


@dataclass(slots=True)
class _Calls:
    count: int = 0


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
    if isinstance(original, staticmethod | classmethod):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What proves that a toggle was engaged.

    `unit` names what is counted, in the plural. `probe` makes the probe from the toggle's parameters. `before` and
    `after` are what the counts must be; `after` may depend on the parameters.
    """

    unit: str
    probe: Callable[..., Probe]
    before: Expected
    after: Expected | Callable[..., Expected]

    def expected_after(self, parameters: Mapping[str, Any]) -> Expected:
        """What the counts must be with the toggle on, for these parameters."""
        return self.after(**parameters) if callable(self.after) else self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of one witness on one side: while binding, and in each of the requests that followed."""

    at_bind: int = 0
    per_request: Sequence[int] = field(default_factory=tuple)

    @property
    def total(self) -> int:
        return sum(self.per_request)


def judge(
    before: Counts,
    after: Counts,
    expected_before: Expected,
    expected_after: Expected,
    *,
    off: Literal["before", "after"] | None = "before",
) -> str:
    """Why the toggle does not count as engaged, in words; the empty string when it does.

    What is expected is said for the state that each side is in. `off` is the side that has the toggle off; None where
    both have it on, in different states.
    """
    if before == after or (off is None and tuple(before.per_request) == tuple(after.per_request)):
        return f"the witness did not move: {_say(before)} before, {_say(after)} after"
    without = {"before": before, "after": after, None: None}[off]
    for side, counts, expected in (("before", before, expected_before), ("after", after, expected_after)):
        if not _holds(expected, counts, None if side == off else without):
            return f'the witness counted {_say(counts)} {side}; declared is "{expected}"'
    return ""


def _holds(expected: Expected, counts: Counts, without: Counts | None) -> bool:
    """Whether counts are as expected; `without` are those with the toggle off, None where there is nothing to compare."""
    match expected:
        case "every request":
            return bool(counts.per_request) and all(count >= 1 for count in counts.per_request)
        case "none":
            return counts.total == 0
        case "once":
            return sum(count > 0 for count in counts.per_request) <= 1 and _fewer(counts, without)
        case "fewer":
            return _fewer(counts, without)


def _fewer(counts: Counts, without: Counts | None) -> bool:
    return without is None or counts.total < without.total


def _say(counts: Counts) -> str:
    per_request = ", ".join(str(count) for count in counts.per_request)
    return f"{counts.at_bind} while binding and {per_request or 'nothing'} in the requests"
