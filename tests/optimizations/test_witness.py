"""Witness probes and what is made of their counts."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import pytest

from harness.optimizations.witness import Counts, calls, counter, judge
from harness.worker import spans


def test_calls_are_counted_and_the_symbol_is_restored() -> None:
    original = gc.collect
    with calls("gc:collect")() as tally:
        gc.collect()
        gc.collect(0)
        assert tally.count == 2
    assert gc.collect is original


def test_the_symbol_is_restored_when_the_request_raises() -> None:
    original = gc.collect
    with pytest.raises(ZeroDivisionError), calls("gc:collect")():
        1 / 0  # noqa: B018
    assert gc.collect is original


def test_calls_from_elsewhere_are_not_counted() -> None:
    with calls("gc:collect", caller="some.other.module")() as other, calls("gc:collect", caller=__name__)() as here:
        gc.collect()
    assert (other.count, here.count) == (0, 1)


def test_a_look_up_in_re_is_seen_through_the_frame_of_re() -> None:
    compiled = re.compile("b")
    with calls("re:_compile", caller=__name__, depth=2)() as tally:
        re.search("a", "banana")
        compiled.search("banana")
    assert tally.count == 1


def test_events_are_counted_only_while_somebody_counts() -> None:
    spans.count("thing")
    with counter("thing")() as things, counter("other")() as others:
        spans.count("thing", 2)
    spans.count("thing")
    assert (things.count, others.count) == (2, 0)


BEFORE = Counts(at_bind=0, per_request=(3, 3, 3))


@pytest.mark.parametrize(
    ("after", "expected", "says"),
    [
        (Counts(at_bind=0, per_request=(3, 3, 3)), "none", "did not move"),
        (Counts(at_bind=1, per_request=(0, 0, 0)), "none", ""),
        (Counts(at_bind=0, per_request=(1, 0, 0)), "none", 'declared is "none"'),
        (Counts(at_bind=0, per_request=(1, 0, 0)), "once", ""),
        (Counts(at_bind=0, per_request=(1, 0, 1)), "once", 'declared is "once"'),
        (Counts(at_bind=0, per_request=(0, 1, 0)), "once", ""),
        (Counts(at_bind=0, per_request=(50, 0, 0)), "once", 'declared is "once"'),
        (Counts(at_bind=0, per_request=(1, 1, 1)), "fewer", ""),
        (Counts(at_bind=0, per_request=(4, 4, 4)), "fewer", 'declared is "fewer"'),
    ],
)
def test_counts_are_judged_against_the_declaration(after: Counts, expected: str, says: str) -> None:
    reason = judge(BEFORE, after, "every request", expected)  # type: ignore[arg-type]  # pytest gives plain strings
    assert (says in reason) if says else reason == ""


def test_a_before_that_does_not_do_the_work_is_no_proof() -> None:
    reason = judge(
        Counts(at_bind=0, per_request=(0, 2)), Counts(at_bind=0, per_request=(0, 0)), "every request", "none"
    )
    assert 'before; declared is "every request"' in reason


def test_a_toggle_that_is_taken_away_is_judged_by_the_state_of_each_side() -> None:
    on, off = Counts(at_bind=1, per_request=(0, 0, 0)), BEFORE
    assert judge(on, off, "none", "every request", off="after") == ""
    assert judge(on, off, "once", "every request", off="after") == ""
    assert 'before; declared is "none"' in judge(
        Counts(at_bind=0, per_request=(1, 0, 0)), off, "none", "every request", off="after"
    )


@pytest.mark.parametrize(
    ("after", "says"), [((1, 1, 1), ""), ((9, 9, 9), ""), ((3, 3, 3), "did not move"), ((1, 0, 0), "")]
)
def test_two_states_of_a_toggle_that_is_on_must_differ_and_no_more(after: tuple[int, ...], says: str) -> None:
    reason = judge(BEFORE, Counts(at_bind=1, per_request=after), "fewer", "fewer", off=None)
    assert (says in reason) if says else reason == ""


def test_who_kept_a_counted_function_from_an_earlier_region_is_counted_in_a_later_one() -> None:
    """Else a replacement that such code never calls would look engaged."""
    with calls("gc:collect")() as first:
        kept = gc.collect
        kept(0)
    with calls("gc:collect")() as second, calls("gc:collect", caller="elsewhere")() as other:
        kept(0)
    kept(0)
    assert (first.count, second.count, other.count) == (1, 1, 0)


class Parent:
    def speak(self) -> int:
        return 1

    @classmethod
    def whisper(cls) -> str:
        return cls.__name__


class Child(Parent):
    pass


CHILD = Child()


@pytest.mark.parametrize(
    ("symbol", "call", "answer"),
    [
        ("Child.speak", lambda: Child().speak(), 1),
        ("Child.whisper", lambda: Child.whisper(), "Child"),  # noqa: PLW0108  looked up when it is called
        ("CHILD.speak", lambda: CHILD.speak(), 1),  # noqa: PLW0108  as above
    ],
)
def test_what_is_inherited_can_be_counted_and_is_inherited_again(
    symbol: str, call: Callable[[], Any], answer: Any
) -> None:
    with calls(f"{__name__}:{symbol}")() as tally:
        assert call() == answer
    assert tally.count == 1
    owner, _, name = symbol.partition(".")
    assert name not in vars(globals()[owner])
    assert call() == answer
