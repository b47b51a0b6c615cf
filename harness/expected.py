"""Two scales: from a toggle's place, timed alone, to the change of a request that it lets one expect (decision 16)."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median

from harness.evidence import Evidence, difference
from harness.metrics import SITE
from harness.optimizations import named
from harness.results import TOGETHER, Expectation
from harness.statistics import Effect
from harness.toggling import toggle_of


def expectations(evidence: Evidence, level: float = 0.95) -> Iterator[Expectation]:
    """For each toggle whose place was timed alone, the change of a request to expect; intervals at `level`.

    That of latency allows for looks, as its contrast's does.
    """
    for optimization, reference, arm in evidence.run.plan.pairs:
        place = (
            None if optimization == TOGETHER else evidence.effect(SITE, reference, arm, level=level, form=difference)
        )
        if place is not None:
            yield _expectation(evidence, (optimization, reference, arm), place, level)


def _expectation(evidence: Evidence, pair: tuple[str, str, str], place: Effect, level: float) -> Expectation:
    optimization, reference, arm = pair
    calls, reason = _calls(evidence, pair)
    latency, _ = evidence.typical("latency", reference, arm)
    part = evidence.part_of_error(optimization)
    measured = evidence.effect("latency", reference, arm, level=1 - (1 - level) * part, form=difference)
    expected_s = _times(place.location, calls)
    return Expectation(
        device=evidence.device, optimization=optimization, reference_arm=reference, arm=arm,
        call_s=place.location, call_low_s=place.low, call_high_s=place.high, calls=calls,
        expected_s=expected_s, expected_low_s=_times(place.low, calls), expected_high_s=_times(place.high, calls),
        share=expected_s / latency if expected_s is not None and latency else None,
        measured_s=None if measured is None else measured.location,
        measured_low_s=None if measured is None else measured.low,
        measured_high_s=None if measured is None else measured.high,
        reason=reason,
    )  # fmt: skip


def _times(value: float | None, calls: float | None) -> float | None:
    return None if value is None or calls is None else value * calls


def _calls(evidence: Evidence, pair: tuple[str, str, str]) -> tuple[float | None, str]:
    """How many calls of a toggle's place in a request the toggle changes, or why that is not known.

    By how much less its witness counts in a request, over by how much less in one call of the place.
    """
    optimization, *sides = pair
    in_call = [_events_of_call(evidence, pair, side) for side in (0, 1)]
    in_request = [_events_of_request(evidence, optimization, arm) for arm in sides]
    if in_request[0] is None or in_request[1] is None:
        return None, "its witness was not counted"
    if in_call[0] == in_call[1]:
        return None, "its witness does not move at its place"
    calls = (in_request[1] - in_request[0]) / (in_call[1] - in_call[0])
    return (calls, "") if calls >= 0 else (None, "its witness moves the other way at its place")


def _events_of_call(evidence: Evidence, pair: tuple[str, str, str], side: int) -> float:
    _, reference, arm = pair
    return median(trials[side].values.get("events") or 0.0 for trials in evidence.pairs(SITE, reference, arm, ""))


def _events_of_request(evidence: Evidence, setting: str, arm: str) -> float | None:
    """What a toggle's witness counts in a request of an arm, on average; what happens once only does so in none to come."""
    found = evidence.witness(setting, arm)
    if found is None or not found.per_request:
        return None
    state = evidence.arms[arm].states[toggle_of(setting)]
    witness = named(toggle_of(setting)).witness
    once = state is not False and witness.expected_after({} if isinstance(state, bool) else state) == "once"
    return 0.0 if once else fmean(found.per_request)
