"""Estimates and intervals, checked against known answers and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.statistics import (
    Effect,
    change_of,
    effects_of,
    hodges_lehmann,
    joint_effects,
    location,
    quantiles,
    ratio_of,
    reach_of,
    repeat_effect,
    unpaired_effect,
    worker_locations,
)
from tests import simulated_baselines
from tests.simulated_noise import CASES, Case, missed


def test_hodges_lehmann_is_the_median_of_pairwise_means() -> None:
    assert hodges_lehmann([1.0, 2.0, 9.0]) == pytest.approx(np.median([1, 1.5, 5, 2, 5.5, 9]))


def test_hodges_lehmann_is_not_moved_by_one_wild_value() -> None:
    calm = [0.01, 0.02, 0.0, 0.015, 0.005]
    assert hodges_lehmann([*calm, 1e6]) == pytest.approx(0.012, abs=0.006)


def test_what_workers_give_averages_to_the_center_of_all_values() -> None:
    rng = np.random.default_rng(1)
    for workers in ([rng.standard_t(2, n) for n in (3, 8, 8, 20)], [rng.normal(size=5)], [[1.0, 1.0, 1.0, 9.0]] * 3):
        found = reach_of(np.concatenate(workers)[:, None], [len(values) for values in workers])
        parts = [float(found.parts(np.asarray(values)[:, None]).mean()) for values in workers]
        assert float(np.mean(parts)) == pytest.approx(float(found.center[0]), abs=1e-9)


def test_where_all_count_in_full_the_location_is_the_mean() -> None:
    values = [[0.9, 1.0, 1.1], [1.9, 2.0, 2.1], [2.9, 3.0, 3.1]]
    assert worker_locations({"x": dict(enumerate({"": row} for row in values))}, {"": 1.0})["x"] == pytest.approx(
        {0: 1.0, 1: 2.0, 2: 3.0}
    )


def test_a_restless_worker_is_no_louder_than_the_others_and_a_different_one_is_heard() -> None:
    rng = np.random.default_rng(5)
    calm = [rng.normal(0, 1, 15).tolist() for _ in range(9)]
    restless, different = (12 * rng.normal(0, 1, 15)).tolist(), rng.normal(4, 1, 15).tolist()
    alone = abs(hodges_lehmann(restless))
    for odd, least, most in ((restless, 0.0, 0.5 * alone), (different, 3.5, 4.5)):
        found = worker_locations({"x": dict(enumerate({"": row} for row in [*calm, odd]))}, {"": 1.0})["x"]
        assert least <= abs(found[9]) <= most, odd


def test_one_wild_value_in_any_worker_moves_nothing_much() -> None:
    rng = np.random.default_rng(6)
    values = [rng.normal(0, 1, 4).tolist() for _ in range(10)]
    before = joint_effects({"x": dict(enumerate({"": row} for row in values))}, {"": 1.0})["x"]
    values[3][2] = 1e6
    after = joint_effects({"x": dict(enumerate({"": row} for row in values))}, {"": 1.0})["x"]
    assert after.location == pytest.approx(before.location, abs=0.3)
    assert after.standard_error is not None
    assert before.standard_error is not None
    assert after.standard_error < 2 * before.standard_error


def test_a_reach_of_nothing_is_refused() -> None:
    for lengths in ([], [1, 0]):
        with pytest.raises(ValueError, match="no values"):
            reach_of(np.ones((len(lengths), 1)), lengths)


def test_arms_are_located_each_by_itself_whatever_they_share() -> None:
    rng = np.random.default_rng(8)
    counts = {0: 3, 1: 3, 2: 5, 3: 4}
    arms = {
        name: {
            w: {s: rng.standard_t(2, n).tolist() for s in ("short", "long")} for w, n in counts.items() if w != lacks
        }
        for name, lacks in (("a", None), ("b", None), ("c", 2))
    }
    weights = {"short": 3.0, "long": 1.0}
    together = worker_locations(arms, weights)
    assert list(together["c"]) == [0, 1, 3]
    for name, differences in arms.items():
        assert together[name] == pytest.approx(worker_locations({name: differences}, weights)[name])


def test_hodges_lehmann_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        hodges_lehmann([])


def test_strata_are_weighed_by_their_share_and_not_by_their_count() -> None:
    strata = {"known": [0.0] * 3, "new": [1.0] * 30}
    assert location(strata, {"known": 0.75, "new": 0.25}) == pytest.approx(0.25)


def test_a_worker_that_misses_a_stratum_has_no_estimate() -> None:
    assert location({"known": [1.0]}, {"known": 1.0, "new": 1.0}) is None


def workers_of(values: list[float]) -> dict[int, dict[str, list[float]]]:
    return {worker: {"text": [value]} for worker, value in enumerate(values)}


def test_one_worker_gives_an_estimate_and_no_interval() -> None:
    effect = joint_effects({"a": workers_of([0.5])}, {"text": 1.0})["a"]
    assert (effect.location, effect.low, effect.high, effect.workers) == (0.5, None, None, 1)


def test_an_arm_that_was_never_measured_is_absent() -> None:
    assert set(joint_effects({"a": workers_of([0.1, 0.2]), "b": {}}, {"text": 1.0})) == {"a"}


def test_an_arm_that_died_takes_no_pooling_from_the_others() -> None:
    rng = np.random.default_rng(4)
    whole = {f"arm-{arm}": workers_of(list(rng.normal(0, 0.01, 6))) for arm in range(5)}
    dead = workers_of([0.01, 0.0])
    without, beside = (joint_effects(arms, {"text": 1.0}) for arms in (whole, {**whole, "dead": dead}))
    assert {arm: beside[arm] for arm in whole} == without
    assert beside["dead"] == joint_effects({"dead": dead}, {"text": 1.0})["dead"]


def test_a_worker_that_was_killed_early_does_not_stand_among_the_others() -> None:
    rng = np.random.default_rng(5)
    whole = {f"arm-{arm}": {worker: {"text": list(rng.normal(0, 0.01, 40))} for worker in range(4)} for arm in range(3)}
    broken = {arm: {**workers, 4: {"text": [0.05, 0.07]}} for arm, workers in whole.items()}
    assert joint_effects(broken, {"text": 1.0}) == joint_effects(whole, {"text": 1.0})


def test_an_arm_with_a_spread_of_its_own_is_judged_by_it() -> None:
    rng = np.random.default_rng(1)
    calm = {f"calm-{arm}": workers_of(list(rng.normal(0, 0.001, 6))) for arm in range(5)}
    wild = workers_of(list(rng.normal(0, 0.1, 6)))
    effects = joint_effects({**calm, "wild": wild}, {"text": 1.0})
    widths = {arm: effect.high - effect.low for arm, effect in effects.items() if effect.high and effect.low}
    assert widths["wild"] > 2 * np.std([d["text"][0] for d in wild.values()]) / np.sqrt(6)


def simulated(
    rng: np.random.Generator, workers: int, arms: int, noise: float
) -> dict[str, dict[int, dict[str, list[float]]]]:
    """Differences of arms without effect from a shared reference, heavy-tailed, one stratum, five blocks a worker."""
    reference = rng.standard_t(4, (workers, 5)) * noise + rng.normal(0, noise, (workers, 1))
    measured = rng.standard_t(4, (arms, workers, 5)) * noise + rng.normal(0, noise, (arms, workers, 1))
    return {
        f"arm-{arm}": {worker: {"text": list(measured[arm, worker] - reference[worker])} for worker in range(workers)}
        for arm in range(arms)
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_intervals_miss_the_truth_as_rarely_as_they_say(case: Case) -> None:
    """Also where the reference or one arm is noisier than the rest: no arm borrows the calm of another."""
    assert max(missed(case, 600)) < case.allowed


def test_intervals_of_several_strata_together_miss_as_rarely_as_one() -> None:
    """At level 1 - 0.05 / strata each, as the effects by kind of request are given."""
    workers, strata, runs = 6, 6, 2000
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(runs):
        found = [
            joint_effects(simulated(rng, workers, 3, 0.01), {"text": 1.0}, level=1 - 0.05 / strata)["arm-0"]
            for _ in range(strata)
        ]
        alarms += any(not (effect.low or 0.0) <= 0 <= (effect.high or 0.0) for effect in found)
    assert alarms / runs < 0.05 + 0.02


def test_pooling_over_arms_narrows_the_interval_of_few_workers() -> None:
    rng = np.random.default_rng(3)
    widths: dict[int, list[float]] = {1: [], 8: []}
    for _ in range(200):
        many = simulated(rng, 3, 8, 0.01)
        for count, found in widths.items():
            effect = joint_effects(dict(list(many.items())[:count]), {"text": 1.0})["arm-0"]
            assert effect.low is not None
            assert effect.high is not None
            found.append(effect.high - effect.low)
    assert np.mean(widths[8]) < 0.92 * np.mean(widths[1])


def sorts(above: int, below: int) -> Effect:
    """Of workers of two sorts, one either side of nothing, which is the truth."""
    return effects_of(np.array([[1.0]] * above + [[-1.0]] * below), blocks=1)[0]


@pytest.mark.parametrize(("above", "below"), [(7, 1), (9, 2), (11, 3)])
def test_workers_that_happen_to_be_of_one_sort_are_not_taken_for_certain(above: int, below: int) -> None:
    found = sorts(above, below)
    own = np.std([1.0] * above + [-1.0] * below, ddof=1) / math.sqrt(found.workers)
    assert found.location > stats.t.ppf(0.975, found.workers - 1) * own, "Student's interval misses the truth"
    assert found.low == pytest.approx(0.0, abs=1e-9)
    assert found.high == pytest.approx(2 * found.location)


def test_the_interval_of_subset_means_is_the_exact_one_of_symmetric_noise() -> None:
    """Hartigan, 1969: of 2^8 - 1 means of subsets so many lie outside as a share of 5 % is, half of them at each end."""
    values = np.random.default_rng(4).standard_t(2, 8)
    means = sorted(float(np.mean([v for v, on in zip(values, row, strict=True) if on]))
                   for row in np.ndindex(*(2,) * 8) if any(row))  # fmt: skip
    low, high = means[5], means[-6]
    (found,) = effects_of(values[:, None], blocks=1)
    t = stats.t.ppf(0.975, 7) * values.std(ddof=1) / math.sqrt(8)
    assert found.high is not None
    assert found.high - found.location == pytest.approx(max(t, found.location - low, high - found.location))
    assert found.standard_error == pytest.approx((found.high - found.location) / stats.t.ppf(0.975, 7))


@pytest.mark.parametrize("workers", [6, 15])
def test_with_fewer_or_more_workers_the_interval_is_students(workers: int) -> None:
    values = np.random.default_rng(4).normal(size=workers)
    (found,) = effects_of(values[:, None], blocks=1)
    assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(workers))


def test_repeats_that_agree_give_a_point() -> None:
    effect = repeat_effect([-0.5, -0.5, -0.5])
    assert effect is not None
    assert (effect.low, effect.high) == (-0.5, -0.5)


def test_repeats_that_agree_show_no_less_spread_than_the_steps_of_their_counter() -> None:
    effect = repeat_effect([0.0, 0.0, 0.0], rounding=1 / np.sqrt(6))
    assert effect is not None
    assert effect.low is not None
    assert effect.high is not None
    assert effect.high == -effect.low == pytest.approx(1.0, abs=0.02)
    assert repeat_effect([0.0], rounding=1.0) == repeat_effect([0.0])


def test_quantiles_of_nothing_are_empty() -> None:
    assert quantiles([]) == {}
    assert quantiles([1.0, 2.0, 3.0])["p50"] == 2.0


def test_an_unpaired_effect_is_welchs_t_over_workers() -> None:
    stored, now = [1.0, 2.0, 3.0, 4.0], [3.0, 3.5, 4.5]
    found = unpaired_effect([stored], now)
    expected = stats.ttest_ind(now, stored, equal_var=False)
    low, high = expected.confidence_interval(0.95)
    assert found is not None
    assert [found.low, found.high] == pytest.approx([low, high])
    assert found.freedom == pytest.approx(expected.df)


def test_stored_runs_that_lie_apart_widen_the_interval_to_what_they_show() -> None:
    alike = [[0.0, 0.01, -0.01]] * 3
    apart = [[centre + value for value in alike[0]] for centre in (-0.1, 0.0, 0.1)]
    narrow, wide = unpaired_effect(alike, alike[0]), unpaired_effect(apart, alike[0])
    assert narrow is not None
    assert wide is not None
    assert wide.high == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 * math.sqrt(1 + 1 / 3))
    assert (narrow.high or 1) < (wide.high or 0) / 5


def test_an_unpaired_effect_of_exact_figures_is_a_point_and_needs_two_workers() -> None:
    exact = unpaired_effect([[2.0, 2.0]], [3.0, 3.0])
    assert exact is not None
    assert (exact.low, exact.location, exact.high) == (1.0, 1.0, 1.0)
    single = unpaired_effect([[2.0, 2.0]], [3.0])
    assert single is not None
    assert single.low is None
    assert unpaired_effect([[]], [3.0]) is None
    stepped = unpaired_effect([[2.0, 2.0]], [3.0, 3.0], rounding=0.1)
    assert stepped is not None
    assert (stepped.low or 1.0) < 1.0 < (stepped.high or 1.0)


def test_against_stored_runs_a_machine_that_moves_is_seldom_taken_for_slower_code() -> None:
    for case in simulated_baselines.CASES:
        found = simulated_baselines.outcomes(case, 0.0, 200)
        if not case.alone and case.shift <= 0.02:
            assert found["regressed"] <= 6, case


def test_a_ratio_that_no_float_holds_is_the_largest_or_the_smallest() -> None:
    assert (ratio_of(0.0), change_of(0.0)) == (1.0, 0.0)
    assert change_of(1e-9) == pytest.approx(1e-9, rel=1e-9)
    assert ratio_of(1e4) == ratio_of(math.inf) == change_of(math.inf) == pytest.approx(1.01e304, rel=0.01)
    assert ratio_of(-1e4) > 0
    assert change_of(-1e4) == -1.0
