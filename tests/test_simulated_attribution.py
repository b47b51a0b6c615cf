"""What joint designs say holds as often as it claims, in few simulated runs (many are in docs/attribution.md)."""

from __future__ import annotations

import pytest

from tests.simulated_attribution import BY_THREES, COSTS, Layout, layouts, simulate

RUNS = 500
MOST = 0.08
"""Of 500 runs of which 5 % miss, more than 8 % do so once in a thousand times."""
LAYOUTS = {layout.name: layout for layout in layouts()}


@pytest.mark.parametrize("name", ["nothing", "sub-additive", "super-additive", "sign-changing", "seconds of their own"])
def test_shares_main_effects_and_interactions_of_a_factorial_lie_in_their_intervals(name: str) -> None:
    found = simulate(LAYOUTS["factorial"], name, RUNS)
    assert max(found.shares, found.mains, found.pairs) / RUNS <= MOST
    assert found.not_adding_up == 0


@pytest.mark.parametrize("name", [name for name in COSTS if name not in BY_THREES])
def test_those_of_a_fraction_do_where_no_three_toggles_interact(name: str) -> None:
    found = simulate(LAYOUTS["fractional"], name, RUNS)
    assert max(found.shares, found.mains, found.pairs) / RUNS <= MOST


@pytest.mark.parametrize("name", ["the same seconds", "three together"])
def test_a_fraction_is_wrong_where_they_do_and_sampled_orders_are_not(name: str) -> None:
    assert simulate(LAYOUTS["fractional"], name, 50).shares > 25
    assert simulate(LAYOUTS["permutations"], name, RUNS).shares / RUNS <= MOST


@pytest.mark.parametrize("layout", [LAYOUTS["factorial"], LAYOUTS["fractional"]], ids=lambda layout: layout.name)
@pytest.mark.parametrize("name", ["nothing", "on the margin"])
def test_few_claims_are_false_where_nothing_is_planted_or_all_lies_on_the_margin(layout: Layout, name: str) -> None:
    found = simulate(layout, name, RUNS)
    assert found.claims > 0
    assert found.false_rate / RUNS <= MOST
