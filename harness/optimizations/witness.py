"""Witnesses: counts that prove that a toggle was engaged.

A witness counts the operation that the toggle is there to avoid, at the operation itself (`calls`: a wrapper around the
named function, put in place for untimed requests only and taken away again) or at an event that the model reports
(`counter`). The toggle's file declares what the counts must be before and after; `judge` compares.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Literal, Protocol

from harness import spans

Expected = Literal["every request", "once", "none", "fewer"]
"""Counts of a witness. "every request": at least one in each. "once": while binding or when first needed, none later.
"none": none in any request, not even the first. "fewer": fewer over all requests than before."""


class Tally(Protocol):
    """A count that grows while its region is open."""

    @property
    def count(self) -> int: ...


Probe = Callable[[], AbstractContextManager[Tally]]
"""Opens a counting region: inside, the tally's `count` grows with each witnessed operation."""


@dataclass(slots=True)
class _Calls:
    count: int = 0


def calls(
    *symbols: str, caller: str | None = None, depth: int = 1, only: Callable[[Sequence[Any]], bool] | None = None
) -> Probe:
    """A probe that counts calls of functions named "module:attribute.path".

    `caller` restricts it to calls from that module, seen `depth` frames above the function; `only` to calls whose
    positional arguments it accepts. Each symbol is what it was when the region ends.
    """

    @contextmanager
    def probe() -> Iterator[_Calls]:
        tally = _Calls()
        restore: list[tuple[Any, str, Any]] = []
        try:
            for symbol in symbols:
                owner, name, original = _resolve(symbol)
                restore.append((owner, name, original))
                setattr(owner, name, _counting(original, tally, caller, depth, only))
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


def _counting(
    original: Any, tally: _Calls, caller: str | None, depth: int, only: Callable[[Sequence[Any]], bool] | None
) -> Any:
    @wraps(original)
    def counted(*args: Any, **kwargs: Any) -> Any:
        from_there = caller is None or sys._getframe(depth).f_globals.get("__name__") == caller
        if from_there and (only is None or only(args)):
            tally.count += 1
        return original(*args, **kwargs)

    return counted


def counter(name: str) -> Probe:
    """A probe that counts the event `name` that the model reports through `spans.count`."""

    @contextmanager
    def probe() -> Iterator[_EventView]:
        with spans.recording(spans.Recorder()) as recorder:
            yield _EventView(recorder, name)

    return probe


class _EventView:
    """A recorder's count of one event, seen as a tally."""

    def __init__(self, recorder: spans.Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    @property
    def count(self) -> int:
        return self._recorder.counts[self._name]


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

    at_bind: int
    per_request: Sequence[int] = field(default_factory=tuple)

    @property
    def total(self) -> int:
        return sum(self.per_request)


def judge(before: Counts, after: Counts, expected_before: Expected, expected_after: Expected) -> str:
    """Why the toggle does not count as engaged, in words; the empty string when it does."""
    if before == after:
        return f"the witness did not move: {_say(before)} before and after"
    for side, counts, expected in (("before", before, expected_before), ("after", after, expected_after)):
        if not _holds(expected, counts, before):
            return f"the witness counted {_say(counts)} {side}; declared is \"{expected}\""
    return ""


def _holds(expected: Expected, counts: Counts, before: Counts) -> bool:
    match expected:
        case "every request":
            return bool(counts.per_request) and all(count >= 1 for count in counts.per_request)
        case "none":
            return counts.total == 0
        case "once":
            return all(count == 0 for count in counts.per_request[1:])
        case "fewer":
            return counts.total < before.total


def _say(counts: Counts) -> str:
    per_request = ", ".join(str(count) for count in counts.per_request)
    return f"{counts.at_bind} while binding and {per_request or 'nothing'} in the requests"
