"""Witnesses: counts that prove that a toggle was engaged.

A witness counts the operation that the toggle is there to avoid, by a probe of `worker.probes`. The toggle's file declares
what the counts must be before and after; `judge` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.worker.probes import Probe, calls, counter

__all__ = ["Counts", "Expected", "Probe", "Witness", "calls", "counter", "judge"]


Expected = Literal["every request", "once", "none", "fewer"]
"""Counts of a witness. "every request": at least one in each. "once": while binding or in the request that first needs it, in
no other, and fewer over all than without the toggle. "none": none in any request, not even the first. "fewer": fewer over
all requests than without the toggle. Where both sides have the toggle on, the last two say nothing of how many."""


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

    def is_of_misses(self, parameters: Mapping[str, Any]) -> bool:
        """Whether, of a cache, the operation that it counts is declared to be in every request but those that hit."""
        return self.before == "every request" and self.expected_after(parameters) == "none"


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
