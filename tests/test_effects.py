"""Weights of main effects, interactions and shares, on tables whose answers are known."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray
from pyDOE3 import fracfact, fracfact_aliasing

from harness import effects, fraction
from harness.fraction import On


def factorial(count: int) -> On:
    return np.array(list(product((False, True), repeat=count)), dtype=np.bool_)


def values(on: On, alone: list[float], together: dict[tuple[int, int], float]) -> NDArray[np.float64]:
    """Log-ratios of arms [arms]: what each toggle changes alone, and what pairs add."""
    found = np.asarray(on @ np.array(alone), dtype=np.float64)
    for (first, second), change in together.items():
        found = found + change * (on[:, first] & on[:, second])
    return found


ALONE = [-0.3, 0.05, 0.0, -0.1]
TOGETHER = {(0, 1): 0.2, (2, 3): -0.04}


def test_the_interaction_of_a_pair_is_what_it_adds_and_its_half_is_in_either_main_effect() -> None:
    on = factorial(4)
    measured = values(on, ALONE, TOGETHER)
    found = dict(zip(fraction.pairs(4), effects.interactions(on) @ measured, strict=True))
    assert found == pytest.approx({pair: TOGETHER.get(pair, 0.0) for pair in found}, abs=1e-12)
    assert effects.main_effects(on) @ measured == pytest.approx([-0.2, 0.15, -0.02, -0.12])


def test_exact_shares_are_the_mean_over_all_orders_and_add_up() -> None:
    on = factorial(4)
    rng = np.random.default_rng(1)
    measured = rng.normal(size=16)
    measured[0] = 0.0
    place = {tuple(row): value for row, value in zip(on.tolist(), measured, strict=True)}
    expected = np.zeros(4)
    for order in permutations(range(4)):
        state = [False] * 4
        for toggle in order:
            before = place[tuple(state)]
            state[toggle] = True
            expected[toggle] += (place[tuple(state)] - before) / 24
    shares = effects.shapley(on) @ measured
    assert shares == pytest.approx(expected)
    assert shares.sum() == pytest.approx(place[True, True, True, True])


@pytest.mark.parametrize("count", [4, 5, 6, 7, 8, 11, 15])
def test_a_fraction_has_resolution_four_and_holds_nothing_and_everything(count: int) -> None:
    on = fraction.fraction(count)
    signs = np.where(on, 1, -1)
    assert not on[0].any()
    assert on[-1].all()
    assert len({tuple(row) for row in on.tolist()}) == len(on)
    assert (signs.T @ signs == len(on) * np.eye(count)).all()
    for a, b, c in combinations(range(count), 3):
        assert (signs[:, a] * signs[:, b] * signs[:, c]).sum() == 0


@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_aliases_are_those_that_pydoe_names(count: int) -> None:
    said, _ = fracfact_aliasing(fracfact(fraction.generators(count)))
    named = set()
    for line in said:
        words = [word for word in line.split(" = ") if len(word) == 2]
        if words:
            named.add(frozenset(tuple("abcdefghijklmno".index(letter) for letter in word) for word in words))
    assert {frozenset(group) for group in fraction.aliased(fraction.fraction(count))} == named


def test_shares_of_a_fraction_are_those_of_the_factorial_where_no_three_toggles_interact() -> None:
    alone, together = [*ALONE, 0.02, -0.07], {**TOGETHER, (1, 4): 0.03, (0, 5): -0.02}
    part, whole = fraction.fraction(6), factorial(6)
    found = effects.shares_without_triples(part) @ values(part, alone, together)
    assert found == pytest.approx(effects.shapley(whole) @ values(whole, alone, together))
    assert effects.lack(part) @ values(part, alone, together) == pytest.approx([0.0], abs=1e-12)


def test_shares_of_a_fraction_add_up_even_where_three_toggles_interact() -> None:
    part = fraction.fraction(6)
    measured = values(part, [0.0] * 6, {}) + 0.3 * (part[:, 0] & part[:, 2] & part[:, 3])
    found = effects.shares_without_triples(part) @ measured
    assert found.sum() == pytest.approx(measured[-1])
    assert abs(float((effects.lack(part) @ measured)[0])) > 0.01


def test_of_orders_every_place_is_counted_and_shares_add_up_in_each() -> None:
    on = factorial(3)
    measured = np.arange(8.0) ** 2
    by_order = effects.of_orders(on, [(0, 1, 2), (2, 1, 0)])
    assert (by_order @ measured).sum(axis=1) == pytest.approx([49.0, 49.0])
    assert effects.of_orders(on, list(permutations(range(3)))).mean(axis=0) == pytest.approx(effects.shapley(on))


def test_sampled_orders_widen_the_interval_where_toggles_interact() -> None:
    on = factorial(3)
    rng = np.random.default_rng(2)
    orders = [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (1, 0, 2), (2, 0, 1)]
    by_order = effects.of_orders(on, orders)
    noise = rng.normal(0, 0.001, (8, 8))
    widths = []
    for triple in (0.0, 0.5):
        table = noise + triple * (on[:, 0] & on[:, 1] & on[:, 2]) + 0.4 * triple * (on[:, 0] & on[:, 1])
        found = effects.estimate_of_orders(table, by_order, blocks=8)
        widths.append([(e.high or 0.0) - (e.low or 0.0) for e in found])
    assert all(wide >= narrow for narrow, wide in zip(*widths, strict=True))
    assert max(widths[1]) > 10 * max(widths[0])


def test_the_order_of_adoption_takes_what_then_gains_most() -> None:
    on = factorial(3)
    gains = -values(on, [-0.3, -0.25, -0.1], {(0, 1): 0.22})
    assert effects.adoption(on, gains) == [0, 2, 1]
    steps = effects.ladder(on, [0, 2, 1]) @ -gains
    assert steps == pytest.approx([-0.3, -0.1, -0.03])


def test_the_smallest_set_keeps_most_of_the_gain() -> None:
    on = factorial(3)
    gains = -values(on, [-0.3, -0.01, -0.1], {})
    assert on[effects.smallest(on, gains) or 0].tolist() == [True, False, True]
    assert effects.smallest(on, -gains) is None


def test_what_a_set_keeps_has_an_interval_that_holds_it() -> None:
    on = factorial(2)
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(500):
        table = values(on, [-0.3, -0.1], {}) + rng.normal(0, 0.01, (8, 4))
        found = effects.kept(table, on, 2, blocks=8)
        missed += not (found.low or 0.0) <= 0.75 <= (found.high or 0.0)
    assert 0.03 <= missed / 500 <= 0.075
