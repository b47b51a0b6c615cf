"""How the answer of each tool is read. That the tools run is shown by running the proof."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters.planted import UNITS
from harness.errors import UsageError
from harness.forked import can_fork
from harness.paired_result import PairedResult
from harness.results import Run, Verdict
from harness.scenario import Scenario, load
from tests.prove import decisions, ours, pyperf, revisions
from tests.prove.__main__ import refuse_unknown
from tests.prove.processes import ToolFailedError
from tests.prove.tools import TOOLS
from tests.report.sample_runs import calibrated, not_calibrated

CHANGE = "Mean +- std dev: [before] 11.0 ms +- 0.1 ms -> [after] 11.1 ms +- 0.1 ms"


@pytest.mark.parametrize(
    ("told", "slower"),
    [
        (f"{CHANGE}: 1.01x slower\n", True),
        (f"{CHANGE}: 1.01x faster\n", False),
        (f"{CHANGE}: no change\n", False),
        ("Benchmark hidden because not significant (1): planted\n", False),
    ],
)
def test_pyperf_fails_where_it_finds_a_significant_change_and_slower(told: str, slower: bool) -> None:  # noqa: FBT001  pytest passes parameters by name
    assert pyperf.is_slower(told) is slower


def test_what_pyperf_never_said_before_is_no_verdict() -> None:
    with pytest.raises(ToolFailedError, match="Nothing to compare"):
        pyperf.is_slower("Nothing to compare")


def measured(verdict: Verdict, run: Run) -> Run:
    """A run whose only contrast is that of the planted toggle."""
    contrast = next(c for c in run.contrasts if (c.optimization, c.metric) == ("resample_cache", "latency"))
    ours_alone = replace(contrast, optimization=ours.TOGGLE, verdict=verdict)
    return replace(run, contrasts=(ours_alone,), timing={"measured_s": {"cpu": 20.0}})


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("slower", "FAIL"), ("faster", "PASS"), ("no material difference", "PASS"), ("inconclusive", "undecided")],
)
def test_the_verdict_of_the_harness_is_that_of_its_latency(verdict: Verdict, expected: decisions.Verdict) -> None:
    outcome = ours.outcome(measured(verdict, calibrated()))
    (found,) = outcome.found
    assert (found.verdict, outcome.measured_s) == (expected, 20.0)
    assert found.log_ratio == pytest.approx(-0.001, abs=1e-5)
    assert found.note.startswith("-0.49 to +0.32 %")


def test_a_run_without_calibration_says_which_control_failed() -> None:
    (found,) = ours.outcome(measured("inconclusive", not_calibrated())).found
    assert "the interval reaches 0.8 %, the limit is 0.5 %" in found.note


PAIRED = PairedResult(
    name="a test", verdict="slower", reason="", margin=0.01, measured=True, ratio=1.02, ratio_low=1.013, ratio_high=1.027,
    before_s=0.02, spent_s=60.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("slower", "FAIL"), ("faster", "PASS"), ("no material difference", "PASS"), ("inconclusive", "undecided")],
)
def test_the_verdict_on_two_functions_is_that_of_the_fixture(verdict: Verdict, expected: decisions.Verdict) -> None:
    outcome = ours.paired_outcome(replace(PAIRED, verdict=verdict))
    (found,) = outcome.found
    assert (found.verdict, outcome.measured_s) == (expected, 60.0)
    assert found.log_ratio == pytest.approx(0.0198, abs=1e-4)


def test_two_functions_whose_output_differs_are_no_decision() -> None:
    with pytest.raises(ToolFailedError, match="output changed"):
        ours.paired_outcome(replace(PAIRED, verdict="output changed", ratio=None))


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork")
def test_two_functions_with_a_request_of_the_shipped_model_are_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The whole way of a decision on a card, on the processor, for a second."""
    monkeypatch.setattr(ours, "DEVICE", "cpu")
    monkeypatch.setattr(ours, "request_s", lambda: 0.02)
    outcome = ours.decide_paired_on_card(1, UNITS + UNITS // 2, tmp_path)
    (found,) = outcome.found
    assert math.isfinite(found.log_ratio)
    assert "before" in found.note
    assert outcome.measured_s > 0


LINE = {"outcome": "pass", "ratio": 1.001, "ratio_low": 0.999, "ratio_high": 1.003, "reason": ""}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("regressed", "FAIL"), ("improved", "PASS"), ("pass", "PASS"), ("inconclusive", "undecided")],
)
def test_the_outcome_of_a_gate_is_that_of_its_only_limit(outcome: str, expected: decisions.Verdict) -> None:
    (found,) = ours.gate_outcome({"lines": [{**LINE, "outcome": outcome}]}, 60.0).found
    assert (found.verdict, found.note) == (expected, "-0.10 to +0.30 %")


def test_a_gate_that_could_not_measure_is_no_decision() -> None:
    with pytest.raises(ToolFailedError, match="a worker was killed"):
        ours.gate_outcome({"lines": [{**LINE, "outcome": "failed", "reason": "a worker was killed"}]}, 0.0)


def test_a_repository_has_a_commit_for_each_revision(tmp_path: Path) -> None:
    first, second = revisions.commit(tmp_path / "made", {"file": "old"}, {"file": "new"})
    assert first != second
    assert (tmp_path / "made" / "file").read_text(encoding="utf-8") == "new"
    assert len(set(revisions.commit(tmp_path / "empty", {}, {}))) == 2


@pytest.mark.parametrize("verdict", ["inert", "failed", "output changed", "not applicable"])
def test_a_run_that_says_nothing_about_time_is_no_decision(verdict: Verdict) -> None:
    with pytest.raises(ToolFailedError, match=verdict):
        ours.outcome(measured(verdict, calibrated()))


def test_every_tool_has_a_name_of_its_own_and_says_how_it_is_run() -> None:
    assert len({tool.title for tool in TOOLS.values()}) == len(TOOLS)
    for tool in TOOLS.values():
        assert tool.how
        assert tool.methods


def test_an_unknown_tool_or_slow_down_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="--only harness: known are pytest-benchmark-5s"):
        refuse_unknown(["harness"], [0])
    with pytest.raises(UsageError, match="--slow-down 3: allowed are 0, 1, 2, 5"):
        refuse_unknown(["harness-run"], [3])


@pytest.mark.parametrize(("units", "asked"), [(100, 1), (102, 61), (105, 151)])
def test_on_a_card_a_slow_down_is_a_share_of_the_request_before_it(
    units: int, asked: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of 30 ms, 2 % are 60 units of 10 us more than the one that is always there."""
    monkeypatch.setattr(ours, "request_s", lambda: 0.03)
    given: list[Scenario] = []

    def run(arguments: tuple[str, ...], folder: Path) -> None:
        given.append(load(str(folder / arguments[3])))
        raise ToolFailedError

    monkeypatch.setattr(ours, "run", run)
    with pytest.raises(ToolFailedError):
        ours.decide_on_card(20, units, tmp_path)
    (scenario,) = given
    assert scenario.optimizations["planted_work"].after == {"units": asked}
    assert (scenario.options()["unit"], scenario.measure.budget_s, scenario.devices) == (ours.UNIT_S, 20.0, ("cuda",))
