"""The rules of verdicts and controls, which runs, gates and pairs in a test share."""

from __future__ import annotations

import math

import pytest

from harness import rules

MARGIN = 0.01


@pytest.mark.parametrize(
    ("low", "high", "words", "verdict"),
    [
        (-0.009, 0.009, rules.TIME, "no material difference"),
        (0.011, 0.03, rules.TIME, "slower"),
        (-0.03, -0.011, rules.TIME, "faster"),
        (0.009, 0.011, rules.TIME, "inconclusive"),
        (-0.03, 0.03, rules.TIME, "inconclusive"),
        (0.011, 0.03, rules.MEMORY, "more"),
        (0.011, 0.03, rules.RATE, "faster"),
    ],
)
def test_a_verdict_needs_the_whole_interval(low: float, high: float, words: rules.Words, verdict: str) -> None:
    found, reason = rules.verdict(low, high, MARGIN, words)
    assert found == verdict
    assert bool(reason) is (verdict == "inconclusive")


@pytest.mark.parametrize(
    ("low", "high", "passed", "told"),
    [
        (-0.004, 0.004, True, "within half the margin"),
        (0.001, 0.004, True, "within half the margin"),
        (0.001, 0.006, False, "told apart"),
        (-0.006, 0.001, False, "too noisy"),
    ],
)
def test_a_placebo_passes_within_half_the_margin(low: float, high: float, told: str, *, passed: bool) -> None:
    found, reason = rules.placebo(low, high, MARGIN / 2)
    assert found is passed
    assert told in reason


def test_the_placebo_of_a_gate_passes_unless_it_is_told_apart() -> None:
    assert rules.placebo_not_told_apart(-0.02, 0.02, "processes")[0]
    assert not rules.placebo_not_told_apart(0.001, 0.02, "processes")[0]


@pytest.mark.parametrize(("low_s", "passed"), [(0.0005, True), (0.0015, False), (-0.0001, False)])
def test_a_dose_passes_if_its_interval_holds_its_length_and_not_zero(low_s: float, *, passed: bool) -> None:
    assert rules.dose(low_s, 0.002, 0.001)[0] is passed


def test_controls_share_their_error() -> None:
    assert rules.control_level(2) == pytest.approx(1 - rules.FAMILY_ERROR / 2)
    assert rules.edges(MARGIN) == pytest.approx((math.log(0.99), math.log(1.01)))
