"""From the noise of identical code to what a run can tell apart."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from harness.noise import RUNS, Confirmation, Noise, Shape, _as_counted, _stretches, between_workers, foresee
from harness.results import Foresight
from harness.statistics import share_interval, worker_locations
from tests.simulated_looks import NOISES

WORKERS, BLOCKS = 10, 96
SHAPE = Shape(margin=0.01, workers=WORKERS, blocks_per_s=1.0, placebo_level=0.995)


GATE = Shape(
    margin=0.01,
    workers=24,
    blocks_per_s=1.0,
    placebo_level=0.99,
    power=0.99,
    confirmation=Confirmation(groups=4, share=0.2),
)


def noise(
    kind: str = "normal",
    *,
    workers: int = WORKERS,
    blocks: int = BLOCKS,
    strata: tuple[str, ...] = ("",),
    seed: int = 5,
) -> Noise:
    """Two twins, each with its own noise of `simulated_looks` to the reference."""
    rng = np.random.default_rng(seed)
    twins = [
        [NOISES[kind](rng, workers, blocks) / math.sqrt(2) for _ in strata] for _ in range(3)
    ]  # reference, placebo, twin: a difference of two has the noise of `kind`
    found = []
    for worker in range(workers):
        own = {}
        for place, stratum in enumerate(strata):
            reference, placebo, twin = (arm[place][worker] for arm in twins)
            own[stratum] = tuple(zip((placebo - reference).tolist(), (twin - reference).tolist(), strict=True))
        found.append(own)
    return Noise(weights={stratum: 1 / len(strata) for stratum in strata}, workers=tuple(found))


def only(noise: Noise, shape: Shape = SHAPE, budget_s: float = BLOCKS) -> Foresight:
    (found,) = foresee(noise, shape, [budget_s])
    return found


@pytest.mark.parametrize("kind", NOISES)
def test_identical_code_is_told_apart_no_more_often_than_the_verdicts_allow(kind: str) -> None:
    found = only(noise(kind))
    assert (found.faster + found.slower) / RUNS <= 0.05
    assert found.covered / RUNS >= 0.92
    assert found.runs == RUNS


def test_the_smallest_slow_down_is_that_of_the_noise_that_was_planted() -> None:
    """By theory: the margin, and (t of the last look + 1.645) standard errors."""
    error = math.sqrt(0.0025**2 / WORKERS + 0.01**2 * math.pi / 3 / (WORKERS * BLOCKS))
    expected = (2.46 + 1.645) * error
    for seed in range(3):
        found = only(noise(seed=seed)).detectable_by_interval
        assert found is not None
        assert expected / 1.6 < found - SHAPE.margin < expected * 1.6


def test_a_gate_finds_what_its_groups_and_those_that_show_it_again_allow() -> None:
    """By theory: the limit, and beyond it what the interval takes or what further groups do, whichever is more."""
    found = only(noise(workers=24, blocks=20), GATE, budget_s=20)

    def error(groups: int, blocks: float) -> float:
        return math.sqrt(0.0025**2 / groups + 0.01**2 * math.pi / 3 / (groups * blocks))

    interval, again = (2.39 + 2.33) * error(24, 16), 2.33 * error(4, 24)
    assert found.is_gate
    assert found.detectable is not None
    assert max(interval, again) / 1.6 < found.detectable - GATE.margin < max(interval, again) * 1.6
    assert found.slower / RUNS <= 0.01
    assert found.placebo_passed / RUNS >= 0.95


def test_a_gate_that_may_miss_more_finds_less_and_one_without_confirmation_too() -> None:
    calm = noise(workers=24, blocks=20)
    strict, half = (only(calm, replace(GATE, power=power), budget_s=20).detectable for power in (0.99, 0.5))
    further = replace(GATE, confirmation=Confirmation(groups=400, share=0.2))
    certain = only(calm, further, budget_s=20).detectable
    assert strict is not None
    assert half is not None
    assert certain is not None
    assert half < strict
    assert certain < strict


def test_a_gate_of_slow_requests_has_fewer_groups_and_claims_so_much_less() -> None:
    """A group makes at least a block of each kind, whatever its part of the budget is."""
    kinds = ("a", "b", "c", "d")
    calm = noise(workers=24, blocks=20, strata=kinds)
    fast, slow = (only(calm, replace(GATE, blocks_per_s=rate), budget_s=60) for rate in (10 / 24, 1 / 6 / 24))
    assert (fast.workers, fast.blocks) == (24, 20)
    assert (slow.workers, slow.blocks) == (2, 4)
    assert fast.detectable is not None
    assert slow.detectable is None or slow.detectable > 3 * fast.detectable


def test_a_larger_budget_is_for_more_groups_so_far_as_they_do_not_start_for_longer_than_they_measure() -> None:
    """With groups the spread between processes goes away, which in as many longer ones stays."""
    kinds = noise(workers=24, blocks=20)
    shape = replace(GATE, blocks_per_s=10 / 24)
    fast, slow = (
        replace(shape, confirmation=Confirmation(groups=4, share=0.2, start_s=start_s)) for start_s in (4.0, 100.0)
    )
    (small, large), (_, few) = (foresee(kinds, each, [60, 600]) for each in (fast, slow))
    assert (small.workers, small.blocks) == (24, 20)
    assert (large.workers, large.blocks) == (120, 40)
    assert (few.workers, few.blocks) == (24, 200)
    assert small.detectable is not None
    assert large.detectable is not None
    assert few.detectable is not None
    assert large.detectable < few.detectable < small.detectable
    assert (large.slower + few.slower) / RUNS <= 0.01


def test_the_groups_of_a_gate_come_in_turn() -> None:
    """An early look has few of them, so that what is large is found early, and what is small is not."""
    few = only(noise(workers=24, blocks=20), GATE, budget_s=20)
    wild = only(noise(workers=24, blocks=20), replace(GATE, margin=0.5), budget_s=20)
    assert wild.spent < few.spent


def test_more_budget_finds_less_until_the_workers_themselves_differ() -> None:
    found = foresee(noise(), SHAPE, [24, 96, 96 * 4, 96 * 16])
    sizes = [size for item in found if (size := item.detectable_by_interval) is not None]
    assert len(sizes) == len(found)
    assert all(longer < 1.001 * shorter for shorter, longer in pairwise(sizes))
    floor = 0.01 + 2 * between_workers(noise()).estimate / math.sqrt(WORKERS)
    assert sizes[-1] > floor


def test_differences_between_workers_are_told_from_those_between_blocks() -> None:
    differ = between_workers(noise())
    assert 0.0025 / 2 < differ.estimate < 0.0025 * 2
    assert differ.estimate < differ.at_most
    of_means = (
        0.006 / (1 - 0.8) / math.sqrt(BLOCKS)
    )  # what the means of such blocks vary by, were nothing of it explained
    assert between_workers(noise("autocorrelated")).estimate < of_means


def test_that_the_twin_has_to_bear_a_verdict_out_costs_a_little() -> None:
    found = only(noise(blocks=12), budget_s=6)
    assert found.placebo_passed / RUNS > 0.95
    assert found.detectable is not None
    assert found.detectable_by_interval is not None
    assert found.detectable_by_interval < found.detectable < 1.15 * found.detectable_by_interval


def test_an_answer_does_not_depend_on_what_else_was_asked() -> None:
    alone = only(noise(strata=("short", "long")))
    assert foresee(noise(strata=("short", "long")), SHAPE, [24, BLOCKS, 300])[1] == alone
    several, shape = noise(workers=24, blocks=20, strata=("short", "long")), replace(GATE, blocks_per_s=10 / 24)
    assert foresee(several, shape, [15, 60, 240])[1] == only(several, shape, budget_s=60)


def test_a_group_of_a_gate_stops_with_the_block_in_which_its_time_is_up_whatever_kind_it_is() -> None:
    """A part of 2 s holds seven blocks of 0.3 s, of two kinds four and three: as many as of one kind."""
    one, two = (
        only(noise(workers=24, blocks=20, strata=strata), replace(GATE, blocks_per_s=1 / 0.3 / 24), budget_s=60)
        for strata in (("",), ("short", "long"))
    )
    assert (one.workers, one.blocks) == (two.workers, two.blocks) == (23, 7)


def test_fewer_workers_are_judged_by_the_rule_of_few() -> None:
    few = only(noise(workers=3), replace(SHAPE, workers=3))
    assert few.workers == 3
    assert (few.faster + few.slower) / RUNS <= 0.05


def test_neighbours_stay_neighbours_when_blocks_are_drawn() -> None:
    values = np.arange(49.0)[:, None] * np.ones(3)
    drawn = _stretches(values, 49, np.random.default_rng(0))[:, :, 0]
    steps = np.diff(drawn, axis=1) % 49
    assert (steps == 1).mean() > 0.8


def test_blocks_count_as_they_do_in_a_run() -> None:
    drawn = [np.random.default_rng(seed).standard_t(2, size=(9, 3)) for seed in range(6)]
    counted = _as_counted([[values] for values in drawn])
    arms = {"placebo": {worker: {"": values[:, 0].tolist()} for worker, values in enumerate(drawn)}}
    found = worker_locations(arms, {"": 1.0})["placebo"]
    assert [worker[0].mean(axis=0)[0] for worker in counted] == pytest.approx(list(found.values()))


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    assert share_interval(0, 75) == pytest.approx((0.0, 0.0487), abs=1e-4)
    assert share_interval(9, 10) == pytest.approx((0.596, 0.982), abs=1e-3)
    assert share_interval(0, 0) == (0.0, 1.0)
