"""The loop over two callables: verdicts of simulated workers, whose truth is known, and of a clock that is told the time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from harness import paired
from harness.batches import AFTER, BEFORE, LARGEST_SAMPLE_S, SAMPLE_S, Batches, Turn
from harness.designs import HOST_DOSE, PLACEBO
from harness.worker.machine import FakeMachine

MARGIN, CALL_S = 0.01, 1e-3
RUNS = 100


@dataclass(slots=True)
class Simulated:
    """A worker whose calls take `CALL_S`, with noise between blocks; `after` differs by `effect` and the worker's `luck`."""

    rng: np.random.Generator
    effect: float
    luck: float
    twin: float = 0.0
    lost_dose: bool = False
    blocks: int = 0

    def warm_up(self) -> tuple[float, float]:
        return CALL_S, CALL_S * math.exp(self.effect)

    def turn(self, orders: Sequence[Sequence[str]], calls: int, dose_s: float) -> Turn:
        self.blocks += len(orders)
        shift = {BEFORE: 0.0, HOST_DOSE: 0.0, PLACEBO: self.twin, AFTER: self.effect + self.luck}
        added = {HOST_DOSE: 0.0 if self.lost_dose else dose_s}
        blocks = tuple(
            {
                arm: calls * CALL_S * math.exp(shift[arm] + self.rng.normal(0, 0.005)) + added.get(arm, 0.0)
                for arm in order
            }
            for order in orders
        )
        wall_s = sum(sum(block.values()) for block in blocks)
        return Turn(blocks=blocks, doses_s=tuple(dose_s for _ in blocks), wall_s=wall_s)


def simulated(
    effect: float, seed: int, *, between: float = 0.0025, twin: float = 0.0, lost_dose: bool = False
) -> list[Simulated]:
    rng = np.random.default_rng(seed)
    return [Simulated(rng, effect, float(rng.normal(0, between)), twin, lost_dose=lost_dose) for _ in range(10)]


def verdicts(effect: float) -> list[str]:
    return [paired.measure(simulated(effect, seed), margin=MARGIN, budget_s=4.0).verdict for seed in range(RUNS)]


def test_identical_callables_are_not_called_slower_or_faster() -> None:
    found = verdicts(0.0)
    assert not {"slower", "faster"} & set(found)
    assert found.count("no material difference") > RUNS / 2


def test_a_change_as_large_as_the_margin_is_called_slower_no_more_often_than_stated() -> None:
    allowed = 0.025 * RUNS + 3 * math.sqrt(0.025 * RUNS)
    assert verdicts(math.log1p(MARGIN)).count("slower") <= allowed


def test_a_clear_change_is_found_and_ends_early() -> None:
    found = paired.measure(simulated(math.log(1.1), 3), margin=MARGIN, budget_s=10.0)
    assert found.verdict == "slower"
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    assert found.ratio_low < 1.1 < found.ratio_high
    assert found.calibrated
    assert found.spent_s < 10.0


@pytest.mark.parametrize(("twin", "lost", "told"), [(0.02, False, "told apart"), (0.0, True, "an added delay")])
def test_a_run_whose_control_fails_gives_no_verdict(twin: float, told: str, *, lost: bool) -> None:
    found = paired.measure(simulated(0.5, 3, twin=twin, lost_dose=lost), margin=MARGIN, budget_s=2.0)
    assert found.verdict == "inconclusive"
    assert not found.calibrated
    assert "not calibrated" in found.reason
    assert told in found.reason
    assert found.spent_s >= 2.0


def test_what_is_decided_is_measured_no_further_while_a_control_has_yet_to_pass() -> None:
    workers = simulated(0.5, 3, twin=0.02)
    found = paired.measure(workers, margin=MARGIN, budget_s=2.0)
    assert found.blocks < sum(worker.blocks for worker in workers)


def test_however_small_the_budget_every_worker_makes_a_block() -> None:
    found = paired.measure(simulated(0.5, 3), margin=MARGIN, budget_s=1e-6)
    assert (found.workers, found.blocks) == (10, 10)


def test_one_worker_gives_no_interval_and_no_verdict() -> None:
    found = paired.measure(simulated(0.5, 3)[:1], margin=MARGIN, budget_s=0.5)
    assert found.verdict == "inconclusive"
    assert found.ratio_low is None


def fake_workers(before_s: float, after_s: float) -> list[Batches]:
    """Six workers on one clock, whose calls take what is said to within a ten-thousandth."""
    machine, rng = FakeMachine(), np.random.default_rng(5)

    def taking(seconds: float) -> Callable[[], None]:
        return lambda: machine.advance_s(seconds * rng.normal(1, 1e-4))

    return [Batches(taking(before_s), taking(after_s), check=None, place=place, machine=machine) for place in range(6)]


@pytest.mark.parametrize(
    ("after_s", "verdict"), [(0.002, "slower"), (0.0005, "faster"), (0.001, "no material difference")]
)
def test_by_a_clock_that_is_told_the_time_the_ratio_is_found(after_s: float, verdict: str) -> None:
    found = paired.measure(fake_workers(0.001, after_s), margin=MARGIN, budget_s=1.0)
    assert found.verdict == verdict, found.reason
    assert found.ratio == pytest.approx(after_s / 0.001, rel=1e-3)
    assert (found.before_s, found.after_s) == pytest.approx((0.001, after_s), rel=1e-3)
    assert found.calibrated


@pytest.mark.parametrize(
    ("before_s", "after_s", "calls"),
    [(1e-3, 1e-3, 5), (1.0, 1.0, 1), (1e-6, 1e-6, 5000), (1e-2, 1e-6, 5), (0.0, 0.0, 5_000_000)],
)
def test_a_batch_is_long_enough_for_the_faster_and_not_too_long_for_the_slower(
    before_s: float, after_s: float, calls: int
) -> None:
    assert paired.batch(before_s, after_s) == pytest.approx(calls, abs=1)
    assert SAMPLE_S < LARGEST_SAMPLE_S
