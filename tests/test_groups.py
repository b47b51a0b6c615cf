"""How a gate's budget is divided among groups of fresh processes."""

from __future__ import annotations

import pytest

from harness.groups import LEAST, SHORTEST_S, part_s


@pytest.mark.parametrize(
    ("for_all_s", "start_s", "part"),
    [(48.0, 5.0, 2.0), (480.0, 5.0, 5.0), (480.0, 60.0, 20.0), (480.0, 0.1, SHORTEST_S), (4.8, 5.0, 0.2)],
    ids=["no fewer than the least", "as long as its start", "slow to start", "fast to start", "a small budget"],
)
def test_a_group_measures_as_long_as_it_started_and_no_longer_than_the_least_number_allows(
    for_all_s: float, start_s: float, part: float
) -> None:
    assert part_s(for_all_s, LEAST, start_s) == pytest.approx(part)
