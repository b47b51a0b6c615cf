"""Copies of functions do what the function does, with code of their own."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from harness.twins import twin

DICE = [random.Random(place) for place in range(2)]  # noqa: S311  not secrets


def copied(function: Callable[..., Any]) -> Callable[..., Any]:
    return twin(function, [], DICE[0])


def test_a_copy_shares_what_the_function_knows_and_not_its_code() -> None:
    seen: list[int] = []

    def function(first: int = 1, *, second: int = 2) -> int:
        seen.append(first)
        return first + second + sum(value for value in (1, 2))

    copy = copied(function)
    assert copy() == function() == 6
    assert copy(5, second=0) == 8
    assert seen == [1, 1, 5]
    assert copy.__code__ is not function.__code__
    inner = [{id(item) for item in made.__code__.co_consts if hasattr(item, "co_code")} for made in (function, copy)]
    assert not inner[0] & inner[1]


class Object:
    def __call__(self) -> int:
        return 1


def test_methods_and_partials_are_copied_within() -> None:
    class Counter:
        count = 0

        def add(self, by: int) -> int:
            self.count += by
            return self.count

    counter = Counter()
    copy = copied(partial(counter.add, 2))
    assert (copy(), counter.add(2), copy()) == (2, 4, 6)


@pytest.mark.parametrize("function", [len, DICE[0].random, Object()])
def test_what_is_not_written_as_a_function_stays_itself(function: Callable[..., Any]) -> None:
    assert copied(function) is function


def test_padding_is_kept_and_differs_by_place() -> None:
    pads: list[list[bytes]] = [[], []]
    for dice, keep in zip(DICE, pads, strict=True):
        twin(copied, keep, dice)
    assert [*map(len, pads[0])] != [*map(len, pads[1])]
