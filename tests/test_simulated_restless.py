"""Restless workers make intervals no wider than calm ones let them be, and intervals still hold (decision 33)."""

from __future__ import annotations

import pytest

from tests.simulated_restless import KINDS, compared

RESTLESS = ("three of ten workers five times as noisy", "each worker its own noise (log-normal, 0.7)")


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_as_often_as_by_the_rule_before(kind: str) -> None:
    found = compared(KINDS[kind], workers=10, blocks=8, runs=400)
    for before, now in found.missed.values():
        assert now <= before + 0.025


@pytest.mark.parametrize("kind", KINDS)
def test_estimates_and_intervals_gain_where_workers_are_restless_and_lose_nowhere(kind: str) -> None:
    found = compared(KINDS[kind], workers=10, blocks=8, runs=400)
    assert max(found.error, found.width) < (0.9 if kind in RESTLESS else 1.05)
