"""What the table says of decisions."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from harness.environment import environment
from tests.prove.decisions import Decision, Found, Outcome, Tool, Verdict
from tests.prove.table import cell, most_at_once, render, spread, true_log_ratio, wilson


def never(_units: int, _folder: Path) -> Outcome:
    raise AssertionError


TOOL = Tool(name="tool", title="A tool", how="it is run", methods=("mean", "min"), cpu_s=1.0, package="", decide=never)
OTHER = Tool(name="other", title="Another", how="it is not", methods=("any",), cpu_s=1.0, package="", decide=never)


def found(verdict: Verdict, method: str = "mean", log_ratio: float = 0.0) -> Found:
    return Found(method=method, verdict=verdict, log_ratio=log_ratio)


def decision(slow_down: int, *results: Found, turn: int = 0, error: str = "") -> Decision:
    return Decision(
        tool="tool", turn=turn, slow_down=slow_down, started="2026-11-01T00:00:00Z", wall_s=3.0, cpu_s=90.0,
        measured_s=2.0, found=results, error=error,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 75, 0.0, 0.0487), (0, 30, 0.0, 0.1135), (57, 60, 0.8630, 0.9829), (60, 60, 0.9398, 1.0), (0, 0, 0.0, 1.0)],
)
def test_the_interval_of_a_share_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=5e-5)


def test_one_wild_value_moves_the_plain_spread_and_not_the_robust_one() -> None:
    values = [-1.0, -0.5, 0.0, 0.5, 1.0, 1000.0]
    measured = spread(values)
    assert measured is not None
    robust, plain = measured
    assert robust == pytest.approx(1.4826 * 0.75)
    assert plain > 400
    assert spread([1.0]) is None


def test_a_cell_has_the_count_its_interval_and_what_stayed_undecided() -> None:
    assert cell([]) == ""
    assert cell([found("PASS")] * 30) == "0/30 (0 to 11 %)"
    assert cell([found("FAIL"), found("PASS"), found("undecided")]) == "1/3 (6 to 79 %), 1 undecided"


def test_the_true_ratio_is_that_of_the_units() -> None:
    assert true_log_ratio(decision(0)) == 0.0
    assert true_log_ratio(decision(5)) == pytest.approx(math.log(1.05))


def test_each_method_has_a_row_with_its_own_counts_and_the_spread_about_the_truth() -> None:
    made = [
        decision(0, found("FAIL", "mean", 0.02), found("PASS", "min", 0.0)),
        decision(2, found("PASS", "mean", 0.0), found("FAIL", "min", math.log(1.02)), turn=1),
    ]
    page = render([TOOL, OTHER], made, [])
    assert "| A tool: mean | 1/1 (21 to 100 %) |  | 0/1 (0 to 79 %) |  | 2.95 / 2.81 | 2.0 | 3.0 |" in page
    assert "| A tool: min | 0/1 (0 to 79 %) |  | 1/1 (21 to 100 %) |  | 0.00 / 0.00 | 2.0 | 3.0 |" in page
    assert "Decisions: 2, made in 3.0 CPU minutes" in page
    assert "Another" not in page


def test_a_decision_that_was_not_made_is_told_and_counted_nowhere() -> None:
    page = render([TOOL], [decision(0, error="exit code 3"), decision(0, found("PASS"), turn=1)], [])
    assert "A tool: 1 not made: exit code 3." in page
    assert "| A tool: mean | 0/1 (0 to 79 %) |" in page
    assert "## Not made" not in render([TOOL], [decision(0, found("PASS"))], [])


def test_decisions_made_side_by_side_are_told() -> None:
    first, beside, after = (
        dataclasses.replace(decision(0), started=f"2026-11-01T00:00:{second}Z", wall_s=wall_s)
        for second, wall_s in (("00", 10.0), ("05", 10.0), ("16", 3.0))
    )
    assert most_at_once([]) == 0
    assert most_at_once([first, after]) == 1
    assert most_at_once([first, beside, after]) == 2
    assert "one at a time" in render([TOOL], [first, after], [])
    assert "up to 2 at a time" in render([TOOL], [first, beside, after], [])


def test_a_card_is_part_of_the_machine() -> None:
    here = {**environment(threads=1, seed=0), "gpus": [{"name": "H200", "driver": "580.1"}]}
    assert "of memory; H200, driver 580.1" in render([TOOL], [], [{"environment": here, "versions": {}}])


def test_the_machine_the_versions_and_what_changed_on_the_way_are_told() -> None:
    here = environment(threads=1, seed=0)
    here["git"] = {"commit": "abc", "dirty": True}
    later: dict[str, Any] = {**here, "python": "9.9.9"}
    versions = {"asv": "0.6.6", "pyperf": None}
    page = render([TOOL], [], [{"environment": at, "versions": versions} for at in (here, here, later)])
    assert "asv 0.6.6" in page
    assert "pyperf" not in page
    assert "revision abc, with changes that are not committed" in page
    assert page.count("Not everything stayed as it was: Python was") == 1
