"""Curves along an axis: planted costs are found again between the values measured, with intervals that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from harness.crossings import Changes, Curve, Judging
from harness.results import Crossing
from tests.simulated_crossings import CASES, EDGES, MARGIN, simulate

AT = np.array([1.0, 3.0, 10.0])
BEFORE_S = 0.2 + 0.1 * AT


def curve(change_s: list[float], *, workers: int = 6, noise: float = 1e-4, **judging: float | bool) -> Curve:
    """Of planted changes in seconds at 1, 3 and 10, in workers that differ by `noise`, as a share of a request."""
    drawn = np.random.default_rng(3).normal(0.0, noise, (workers, 1, len(AT)))
    seconds = np.array(change_s)[None, None, :] + (drawn - drawn.mean(axis=0)) * BEFORE_S
    return Curve(Changes(at=AT, before_s=BEFORE_S, seconds=seconds, blocks=30), Judging(margin=MARGIN, **judging))  # type: ignore[arg-type]


def crossings(of: Curve, edge: str) -> list[Crossing]:
    return [found for found in of.crossings if found.edge == edge]


def test_a_fixed_saving_and_a_cost_for_each_second_cross_where_they_cancel() -> None:
    found = curve([-0.010 + 0.0025 * at for at in AT])
    assert found.form == "fixed, per unit and per square"
    assert found.parts_s == pytest.approx((-0.010, 0.0025, 0.0), abs=1e-9)
    assert len(found.parts_between_s) == 3
    assert all(low < part < high for part, (low, high) in zip(found.parts_s, found.parts_between_s, strict=True))
    (crossing,) = crossings(found, "zero")
    assert crossing.told
    assert [one.rises for one in found.crossings] == [True] * 3
    assert crossing.at == pytest.approx(4.0, abs=0.01)
    assert crossing.low is not None
    assert crossing.high is not None
    assert 3.7 < crossing.low <= 4.0 <= crossing.high < 4.3
    (gain,) = crossings(found, "gain")
    assert gain.at == pytest.approx(0.008 / 0.0035, abs=0.01)
    (loss,) = crossings(found, "loss")
    assert loss.at == pytest.approx(0.012 / 0.0015, abs=0.01)
    verdicts = [stretch.verdict for stretch in found.stretches]
    assert [verdict for verdict in verdicts if verdict != "inconclusive"] == [
        "faster",
        "no material difference",
        "slower",
    ]
    assert (found.stretches[0].start, found.stretches[-1].end) == (1.0, 10.0)


def test_what_costs_when_short_and_saves_when_long_crosses_in_the_other_direction() -> None:
    found = curve([0.010 - 0.005 * at for at in AT])
    assert [(one.edge, one.told, one.rises) for one in found.crossings] == [
        ("zero", True, False), ("gain", True, False), ("loss", True, False),
    ]  # fmt: skip


def test_the_interval_of_a_part_holds_it_as_often_as_it_says() -> None:
    rng, planted, held = np.random.default_rng(7), (-0.010, 0.0025, 0.0), np.zeros(3)
    for _ in range(200):
        seconds = planted[0] + planted[1] * AT + rng.normal(0.0, 0.004, (6, 1, 3)) * BEFORE_S
        found = Curve(Changes(at=AT, before_s=BEFORE_S, seconds=seconds, blocks=30), Judging(margin=MARGIN))
        held += [low <= part <= high for part, (low, high) in zip(planted, found.parts_between_s, strict=True)]
    assert np.all(held >= 180), "where 95 % hold it, fewer than 90 % of 200 do so about once in 860 times"


def test_what_helps_at_every_length_crosses_nothing() -> None:
    found = curve([-0.05 * before for before in BEFORE_S])
    assert found.crossings == ()
    assert [stretch.verdict for stretch in found.stretches] == ["faster"]


def test_a_crossing_of_which_one_side_is_in_the_noise_is_open_there_and_not_told() -> None:
    found = curve([-0.0012 + 0.0004 * at for at in AT], noise=3e-3)
    (crossing,) = crossings(found, "zero")
    assert not crossing.told
    assert crossing.low is None
    assert crossing.at == pytest.approx(3.0, abs=0.05)


def test_of_what_has_no_form_no_more_is_said_than_between_which_values_it_crosses() -> None:
    at = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    noise = np.random.default_rng(3).normal(0.0, 1e-5, (6, 1, 5))
    steps = Changes(
        at=at, before_s=0.2 + 0.1 * at, seconds=np.array([0.02, 0.02, -0.02, -0.02, 0.05]) + noise, blocks=30
    )
    found = Curve(steps, Judging(margin=MARGIN))
    assert found.form == "between neighbours"
    assert found.parts_s == ()
    one, other = crossings(found, "zero")
    assert one.told
    assert other.told
    assert (one.low, one.high, other.low, other.high) == (2.0, 4.0, 8.0, 16.0)
    assert one.at == pytest.approx(3.0, abs=0.05)
    assert [(s.start, s.end, s.verdict) for s in found.stretches if s.verdict != "inconclusive"] == [
        (1.0, 2.0, "slower"), (4.0, 8.0, "faster"), (16.0, 16.0, "slower"),
    ]  # fmt: skip


def between_neighbours(means: list[float], seed: int) -> Curve:
    """Of six workers whose changes have just these means at 1, 2, 4, 8 and 16, those at 4 and 8 in much noise."""
    drawn = np.random.default_rng(seed).normal(0.0, 1.0, (6, 5))
    noise = (drawn - drawn.mean(axis=0)) / drawn.std(axis=0, ddof=1) * [0.002, 0.002, 0.030, 0.025, 0.002]
    at, seconds = np.array([1.0, 2.0, 4.0, 8.0, 16.0]), (np.array(means) + noise)[:, None, :]
    return Curve(Changes(at=at, before_s=np.ones(5), seconds=seconds, blocks=60), Judging(margin=MARGIN))


@pytest.mark.parametrize(("middle", "at"), [(0.004, None), (-0.020, pytest.approx(9.85, abs=0.01))])
def test_between_two_clear_values_on_opposite_sides_one_crossing_is_told_and_no_more(
    middle: float, at: float | None
) -> None:
    found = between_neighbours([-0.10, -0.10, middle, -0.03, 0.10], seed=1)
    assert found.form == "between neighbours"
    (one,) = crossings(found, "zero")
    assert (one.low, one.at, one.high, one.told, one.rises) == (2.0, at, 16.0, True, True)


def test_a_place_in_the_noise_between_two_values_on_one_side_is_no_told_crossing() -> None:
    found = between_neighbours([-0.10, -0.10, 0.004, -0.10, -0.10], seed=1)
    assert not any(one.told or one.rises is not None for one in crossings(found, "zero"))


def test_values_that_no_curve_can_miss_do_not_check_it() -> None:
    changes = curve([0.0, 0.0, 0.0]).changes
    two = Changes(at=AT[:2], before_s=BEFORE_S[:2], seconds=changes.seconds[:, :, :2], blocks=9)
    assert Curve(two, Judging(margin=MARGIN)).form == "fixed and per unit"
    assert not Curve(two, Judging(margin=MARGIN)).checked
    assert not curve([0.0, 0.0, 0.0]).checked


def test_one_worker_gives_a_curve_without_interval_crossing_or_verdict() -> None:
    found = curve([-0.01, 0.0, 0.02], workers=1)
    assert (found.crossings, found.stretches, found.parts_between_s) == ((), (), ())
    assert all((point.low, point.high) == (None, None) for point in (*found.points, *found.measured))


def test_where_the_controls_failed_nothing_is_told() -> None:
    found = curve([-0.010 + 0.0025 * at for at in AT], trusted=False)
    assert found.stretches == ()
    assert not any(crossing.told for crossing in found.crossings)


def test_what_the_placebo_leaves_open_takes_away_what_is_told() -> None:
    planted = [-0.010 + 0.0025 * at for at in AT]
    assert any(crossing.told for crossing in crossings(curve(planted), "zero"))
    assert not any(crossing.told for crossing in crossings(curve(planted, allowance=0.03), "zero"))


def test_between_whole_numbers_there_is_nothing() -> None:
    changes = curve([0.0, 0.0, 0.0]).changes
    at_once = Changes(at=AT, before_s=BEFORE_S, seconds=changes.seconds, blocks=9, whole=True)
    assert [point.at for point in Curve(at_once, Judging(margin=MARGIN)).points] == list(range(1, 11))


@pytest.mark.parametrize("name", [
    "sign-changing: -10 ms, +2.5 ms a second", "cache-like: +30 ms, -10 ms a second of the prompt",
    "super-additive: -10 ms, +0.4 ms a square second",
])  # fmt: skip
def test_intervals_hold_the_planted_crossing_as_often_as_they_say(name: str) -> None:
    found = simulate(CASES[name], workers=6, runs=200)
    held = [found.held[edge] for edge in EDGES if found.held[edge] is not None]
    assert held
    assert all(share is not None and share >= 0.9 for share in held), (
        "where 95 % hold it, fewer than 90 % of 200 do so about once in 860 times"
    )
    assert found.stretch <= 0.1


@pytest.mark.parametrize("name", ["nothing", "nothing, heavy tails", "the same share: -3 % at any length"])
def test_where_no_crossing_is_planted_none_is_told_more_often_than_they_say(name: str) -> None:
    found = simulate(CASES[name], workers=6, runs=200)
    assert all(share <= 0.1 for share in found.false.values())
    assert found.stretch <= 0.1
