"""What happens in a worker: batches by a clock that is told the time, and outputs that are compared or not."""

from __future__ import annotations

import math
import operator
from typing import Any

import pytest

from harness.batches import AFTER, ARMS, BEFORE, SAMPLE_S, Batches, compared, plain_equal
from harness.designs import HOST_DOSE, PLACEBO
from harness.worker.machine import FakeMachine


def test_a_turn_times_each_arm_of_each_block_and_records_its_delay() -> None:
    machine = FakeMachine()
    bench = Batches(
        lambda: machine.advance_s(0.1), lambda: machine.advance_s(0.2), check=None, place=1, machine=machine
    )
    turn = bench.turn([ARMS, (BEFORE, PLACEBO, HOST_DOSE)], 3, 0.01)
    full, controls = turn.blocks
    assert full == pytest.approx({BEFORE: 0.3, AFTER: 0.6, PLACEBO: 0.3, HOST_DOSE: 0.31})
    assert AFTER not in controls
    assert turn.doses_s == (0.01, 0.01)
    assert turn.wall_s == pytest.approx(0.3 + 1.51 + 0.91)


class Taking:
    """A call that takes so many seconds of a machine's clock, and counts how often it is made."""

    def __init__(self, machine: FakeMachine, seconds: float) -> None:
        self.machine = machine
        self.seconds = seconds
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self.machine.advance_s(self.seconds)


def warmed_up(before_s: float, after_s: float) -> tuple[tuple[float, float], int]:
    machine = FakeMachine()
    before, after = Taking(machine, before_s), Taking(machine, after_s)
    return Batches(before, after, check=None, place=1, machine=machine).warm_up(), before.count


def test_warming_up_makes_batches_long_enough_to_time() -> None:
    pace, count = warmed_up(0.001, 0.002)
    assert pace == pytest.approx((0.001, 0.002))
    assert count * 0.001 > 2 * SAMPLE_S


def test_warming_up_with_a_long_call_ends_after_the_first_that_counts() -> None:
    pace, count = warmed_up(2.0, 1.0)
    assert pace == pytest.approx((2.0, 1.0))
    assert count == 2


def test_what_a_first_call_makes_once_is_not_its_pace() -> None:
    machine = FakeMachine()

    class Lazy(Taking):
        def __call__(self) -> None:
            self.machine.advance_s(0.0 if self.count else 5.0)
            super().__call__()

    before, after = Lazy(machine, 0.02), Lazy(machine, 0.03)
    assert Batches(before, after, check=None, place=1, machine=machine).warm_up() == pytest.approx((0.02, 0.03))


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (1, 1, True),
        ({"a": [1.5, None]}, {"a": [1.5, None]}, True),
        (math.nan, math.nan, True),
        ([math.nan], [float("nan")], True),
        ("a", b"a", False),
        (object(), object(), None),
        ([object()], [object()], None),
    ],
)
def test_plain_data_is_compared_and_other_data_is_not(before: Any, after: Any, *, same: bool | None) -> None:
    assert compared(before, after, plain_equal).same is same


def test_a_check_of_ones_own_compares_anything_and_none_nothing() -> None:
    same = object()
    assert compared(same, same, operator.is_).same is True
    assert compared(object(), same, operator.is_).same is False
    assert compared(1, 2, None).same is None
