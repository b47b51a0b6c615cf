"""Looks at a run in progress, and many verdicts at once."""

from __future__ import annotations

import math

import pytest

from harness import sequential
from harness.statistics import Effect, joint_effects
from tests.simulated_looks import NOISES, simulate

RUNS = 150
"""Few enough for every test run; `python -m tests.simulated_looks` has 2,000 of each kind."""
ALLOWED = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def effect(location: float, error: float, freedom: float = 7) -> Effect:
    return Effect(
        location=location, low=-1, high=1, level=0.95, blocks=1, workers=8, standard_error=error, freedom=freedom
    )


def test_the_looks_share_the_error_among_them_and_the_last_has_most() -> None:
    parts = [sequential.part(look) for look in range(len(sequential.LOOKS))]
    assert sum(parts) == pytest.approx(1)
    assert parts == sorted(parts)
    assert parts[-1] > 0.7


def test_looks_that_are_over_do_not_come_again() -> None:
    assert sequential.shares_left(0, 16) == [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16)]
    assert sequential.shares_left(4, 16) == [(3, 8), (4, 16)]
    assert sequential.shares_left(16, 16) == []


@pytest.mark.parametrize(("location", "claims"), [(0.0, True), (0.05, True), (-0.05, True), (0.0099, False)])
def test_the_smallest_error_is_that_of_the_interval_that_just_decides(location: float, *, claims: bool) -> None:
    values = {worker: {"": [location + 0.001 * (-1) ** worker]} for worker in range(8)}
    margin = math.log(1.01)
    least = sequential.smallest_error(joint_effects({"x": values}, {"": 1.0})["x"], -margin, margin)
    for share, decides in ((0.99, False), (1.01, True)):
        found = joint_effects({"x": values}, {"": 1.0}, level=1 - min(1.0, least * share))["x"]
        assert found.low is not None
        assert found.high is not None
        beyond = found.low > margin or found.high < -margin or (-margin <= found.low and found.high <= margin)
        assert beyond is (decides and least < 1)
    assert (least < 0.05) is claims


def test_an_exact_effect_is_certain_unless_it_lies_on_the_margin() -> None:
    assert sequential.smallest_error(effect(0.02, 0.0), -0.01, 0.01) == 0
    assert sequential.smallest_error(effect(0.01, 0.0), -0.01, 0.01) == 1
    assert sequential.smallest_error(effect(0.0, 0.0), 0.0, 0.0) == 0
    assert sequential.smallest_error(effect(0.001, 0.0), 0.0, 0.0) == 0


def test_without_an_interval_nothing_is_certain() -> None:
    single = Effect(location=0.5, low=None, high=None, level=0.95, blocks=1, workers=1)
    assert sequential.smallest_error(single, -0.01, 0.01) == 1


def test_verdicts_stand_by_the_step_up_rule() -> None:
    errors = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]  # Benjamini and Hochberg, 1995
    assert sequential.allowed_error(errors, 0.05) == pytest.approx(0.01)
    assert sequential.allowed_error([0.03, 0.04, 0.05], 0.05) == pytest.approx(0.05)
    assert sequential.allowed_error([0.2, 0.3], 0.05) == 0
    assert sequential.allowed_error([], 0.05) == 0


@pytest.mark.parametrize("noise", NOISES)
def test_no_interval_that_was_ever_shown_misses_more_often_than_it_says(noise: str) -> None:
    assert simulate(NOISES[noise], 0.0, RUNS).missed <= ALLOWED


@pytest.mark.parametrize("noise", NOISES)
def test_a_true_ratio_at_the_margin_is_called_slower_or_equal_by_chance_alone(noise: str) -> None:
    found = simulate(NOISES[noise], math.log(1.01), RUNS)
    assert found.slower + found.equal <= ALLOWED


def test_a_clear_effect_is_decided_early_and_identical_code_never_told_apart() -> None:
    clear, same = (simulate(NOISES["normal"], math.log1p(ratio), 60) for ratio in (0.05, 0.0))
    assert (clear.slower, same.slower, same.faster) == (1, 0, 0)
    assert clear.spent < same.spent < 1
