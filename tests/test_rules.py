"""The rules of verdicts and controls, which runs, gates and pairs in a test share."""

from __future__ import annotations

import math

import pytest

from harness import rules
from tests.simulated_placebos import simulate

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
        (-0.006, 0.001, True, "0.098 % beyond half the margin"),
        (-0.006, 0.026, True, "2.1 % beyond half the margin"),
    ],
)
def test_a_placebo_passes_unless_it_is_told_apart_and_not_small(
    low: float, high: float, told: str, *, passed: bool
) -> None:
    found = rules.placebo(low, high, MARGIN)
    assert found.passed is passed
    assert told in found.reason


@pytest.mark.parametrize(("low", "high"), [(-0.003, 0.004), (-0.006, 0.001), (-0.002, 0.0125)])
def test_a_passed_placebo_leaves_open_what_lies_beyond_half_the_margin(low: float, high: float) -> None:
    below, above = rules.edges(MARGIN / 2)
    assert rules.placebo(low, high, MARGIN).allowance == pytest.approx(max(0.0, below - low, high - above))


@pytest.mark.parametrize(
    ("low", "high", "alone"),
    [(0.012, 0.03, "slower"), (-0.03, -0.012, "faster"), (-0.008, 0.008, "no material difference")],
)
def test_what_a_placebo_leaves_open_takes_a_verdict_that_the_interval_alone_would_give(
    low: float, high: float, alone: str
) -> None:
    assert rules.verdict(low, high, MARGIN, rules.TIME)[0] == alone
    assert rules.verdict(low, high, MARGIN, rules.TIME, allowance=0.001)[0] == alone
    found, reason = rules.verdict(low, high, MARGIN, rules.TIME, allowance=0.004)
    assert (found, "0.4 % open" in reason) == ("inconclusive", True)


@pytest.mark.parametrize("ends", [(0.012, 0.03), (-0.03, -0.012), (-0.008, 0.008)])
@pytest.mark.parametrize("twin", [(0.015, 0.02), (-0.05, -0.02), (-0.002, 0.002), (-0.03, 0.03), (0.002, 0.02)])
def test_a_verdict_is_that_against_the_reference_and_against_its_twin(
    ends: tuple[float, float], twin: tuple[float, float]
) -> None:
    alone, other = (rules.verdict(*of, MARGIN, rules.TIME)[0] for of in (ends, twin))
    found, reason = rules.verdict(*ends, MARGIN, rules.TIME, twin=twin)
    assert found == (alone if alone == other else "inconclusive")
    assert ("against the reference's twin it is" in reason) is (alone != other)


def test_the_placebo_of_a_gate_passes_unless_it_is_told_apart() -> None:
    assert rules.placebo_not_told_apart(-0.02, 0.02, "processes").passed
    assert not rules.placebo_not_told_apart(0.001, 0.02, "processes").passed


def test_an_interval_that_says_nothing_is_told_in_times() -> None:
    assert rules.placebo_not_told_apart(-30, 50, "processes").reason.endswith(": -100.00 % to 5.2e+21 times as much")
    assert rules.placebo_not_told_apart(-0.02, 0.02, "arms").reason.endswith(": -1.98 to +2.02 %")


@pytest.mark.parametrize(("low_s", "passed"), [(0.0005, True), (0.0015, False), (-0.0001, False)])
def test_a_dose_passes_if_its_interval_holds_its_length_and_not_zero(low_s: float, *, passed: bool) -> None:
    assert rules.dose(low_s, 0.002, 0.001)[0] is passed


def test_controls_share_their_error() -> None:
    assert rules.control_level(2) == pytest.approx(1 - rules.FAMILY_ERROR / 2)
    assert rules.edges(MARGIN) == pytest.approx((math.log(0.99), math.log(1.01)))


@pytest.mark.parametrize("noise", [0.001, 0.002, 0.004])
@pytest.mark.parametrize("bias", [0.0, 0.005, 0.01, 0.015, 0.03])
def test_what_is_not_the_code_is_called_slower_no_more_often_than_verdicts_allow(bias: float, noise: float) -> None:
    found = simulate(0.0, bias, noise, runs=1000)
    assert found.slower + found.faster <= rules.ERROR


@pytest.mark.parametrize("bias", [0.0, 0.005, 0.01])
def test_a_change_on_the_margin_is_called_slower_no_more_often_than_verdicts_allow_whatever_is_not_the_code(
    bias: float,
) -> None:
    assert simulate(math.log1p(0.01), bias, 0.001, runs=2000).slower <= rules.ERROR


@pytest.mark.parametrize(("effect", "noise"), [(0.02, 0.002), (0.05, 0.004)])
def test_a_difference_is_found_though_the_placebo_leaves_much_open(effect: float, noise: float) -> None:
    """And where that lengthens the interval against the reference, it is found less often."""
    ours, before = (
        simulate(math.log1p(effect), 0.0, noise, runs=1000, lengthened=rule).slower for rule in (False, True)
    )
    assert ours > 0.9
    assert before <= ours
