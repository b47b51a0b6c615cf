"""Batches of calls of a place, on a clock that passes only when it is told to."""

from __future__ import annotations

from random import Random

from harness.worker import places
from harness.worker.machine import FakeMachine


def test_a_batch_has_so_many_calls_that_it_lasts_long_enough() -> None:
    machine = FakeMachine()
    calls = places.calls_in_batch(machine, lambda: machine.advance_s(1e-5))
    assert calls == 64, "the first power of two whose calls last half a millisecond"
    assert places.calls_in_batch(machine, lambda: machine.advance_s(1.0)) == 1


def test_a_call_that_takes_no_time_ends_the_search_all_the_same() -> None:
    assert places.calls_in_batch(FakeMachine(), places.nothing) == places.MOST_CALLS


def test_both_sides_are_in_every_round_in_an_order_that_changes() -> None:
    machine = FakeMachine()
    sides = {"before": lambda: machine.advance_s(2e-3), "after": lambda: machine.advance_s(1e-3)}
    made = list(places.rounds(machine, sides, Random(0)))  # noqa: S311  an order
    orders = {tuple(batch.side for batch in batches) for batches in made}
    assert orders == {("before", "after"), ("after", "before")}
    assert {(batch.side, batch.call_s, batch.calls) for batches in made for batch in batches} == {
        ("before", 2e-3, 1), ("after", 1e-3, 1),
    }  # fmt: skip


def test_a_place_that_takes_long_is_timed_less_often_and_a_quick_one_no_more_than_is_of_use() -> None:
    machine = FakeMachine()

    def count(seconds: float) -> int:
        sides = {"before": lambda: machine.advance_s(seconds)}
        return len(list(places.rounds(machine, sides, Random(0))))  # noqa: S311  an order

    assert count(1.0) == places.ROUNDS[0]
    assert count(1e-3) == places.ROUNDS[1]
    assert places.ROUNDS[0] < count(places.PLACE_S / 10) < places.ROUNDS[1]
