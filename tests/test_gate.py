"""What a gate decides: each outcome, which of them stands for the whole, and what it takes to fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.controls import margin_of
from harness.evidence import Evidence
from harness.gate import Decision, Line, decide, not_measured, suspects
from harness.results import Contrast, Finding, Run
from tests.report.sample_gates import DEVICE, FASTER, LIMITS, SAME, SLOWER, Interval, contrast, crashed, run

KEY = (DEVICE, "none", "latency")
SLOW = contrast("none", "latency", SLOWER, "slower")
UNDECIDED = contrast("all", "latency", (1.03, 0.99, 1.07), "inconclusive")


def decided(made: Run, **keys: Any) -> Decision:
    return decide(made, base="main", head="HEAD", **{"confirmed": {KEY: True}, **keys})


def line(decision: Decision, setting: str = "none", metric: str = "latency") -> Line:
    return next(line for line in decision.lines if (line.setting, line.metric) == (setting, metric))


def latency(effect: Interval, verdict: Any = "inconclusive", **keys: Any) -> Line:
    return line(decided(run(contrast("none", "latency", effect, verdict, **keys))))


@pytest.mark.parametrize(
    ("effect", "verdict", "outcome"),
    [
        (SAME, "no material difference", "pass"),
        ((1.01, 1.001, 1.019), "no material difference", "pass"),
        ((0.95, 0.89, 1.01), "inconclusive", "pass"),
        ((1.01, 0.99, 1.03), "inconclusive", "inconclusive"),
        ((1.03, 1.019, 1.04), "inconclusive", "inconclusive"),
        (SLOWER, "slower", "regressed"),
        (FASTER, "faster", "improved"),
        ((0.98, 0.97, 0.985), "inconclusive", "pass"),
    ],
    ids=["no difference", "up to the limit", "far into faster", "across the limit", "just across", "beyond", "below",
         "not quite below"],
)  # fmt: skip
def test_the_interval_is_judged_on_the_side_of_a_loss(effect: Interval, verdict: Any, outcome: str) -> None:
    assert latency(effect, verdict).outcome == outcome


def test_a_loss_of_a_metric_of_which_more_is_better_is_less_of_it() -> None:
    limits = {"none": {"audio_rate": 0.02}}
    for effect, outcome in (
        ((0.95, 0.94, 0.96), "regressed"),
        ((1.06, 1.05, 1.07), "improved"),
        ((1.1, 0.99, 1.2), "pass"),
    ):
        verdict: Any = {"regressed": "slower", "improved": "faster", "pass": "inconclusive"}[outcome]
        made = run(contrast("none", "audio_rate", effect, verdict, unit="ratio"), limits=limits)
        assert decided(made, confirmed={(DEVICE, "none", "audio_rate"): True}).outcome == outcome


def test_an_exact_metric_is_compared_to_the_byte() -> None:
    byte_more = 1 + 1 / 80e9
    for ratio, outcome in ((1.0, "pass"), (byte_more, "regressed"), (1 / byte_more, "improved")):
        made = run(contrast("none", "peak_allocated", (ratio,) * 3, "inconclusive"))
        assert line(decided(made), metric="peak_allocated").outcome == outcome


def test_an_exact_metric_may_grow_up_to_its_limit() -> None:
    made = run(contrast("none", "peak_allocated", (1.07,) * 3, "more"), limits={"none": {"peak_allocated": 0.07}})
    assert decided(made).outcome == "pass"


def test_repeats_of_an_exact_metric_that_disagree_are_judged_by_their_interval() -> None:
    made = run(contrast("none", "peak_allocated", (1.001, 0.999, 1.003), "inconclusive"))
    assert line(decided(made), metric="peak_allocated").outcome == "inconclusive"


def test_what_many_comparisons_show_by_chance_is_no_regression_and_no_gain() -> None:
    assert latency(SLOWER, reason="one of 40 comparisons may do so by chance").outcome == "inconclusive"
    assert latency(SLOWER, reason="one of 40 comparisons may do so by chance").reason.endswith("by chance")
    assert latency(FASTER).outcome == "pass"


@pytest.mark.parametrize(
    ("confirmed", "outcome", "reason"),
    [
        ({KEY: True}, "regressed", "fresh processes showed it again"),
        ({KEY: False}, "inconclusive", "beyond the limit, but fresh processes did not show it again"),
        ({}, "inconclusive", "beyond the limit, but not measured again in fresh processes"),
        ({("cpu", "none", "latency"): True}, "inconclusive", "beyond the limit, but not measured again in fresh processes"),
    ],
)  # fmt: skip
def test_a_regression_counts_when_fresh_processes_have_shown_it_again(
    confirmed: Any, outcome: str, reason: str
) -> None:
    decision = decided(run(SLOW), confirmed=confirmed)
    assert (decision.outcome, line(decision).reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("confirmed", "outcome"),
    [(None, "regressed"), ({(DEVICE, "none", "peak_allocated"): True}, "regressed"),
     ({(DEVICE, "none", "peak_allocated"): False}, "inconclusive")],
)  # fmt: skip
def test_memory_is_read_in_fresh_processes_and_counts_unless_it_was_not_shown_again(
    confirmed: Any, outcome: str
) -> None:
    made = run(contrast("none", "peak_allocated", (1.1, 1.1, 1.1), "more"))
    assert suspects(made) == ()
    assert decided(made, confirmed=confirmed).outcome == outcome


def test_what_was_not_compared_alike_is_noted() -> None:
    findings = [Finding(kind=kind, device="", message=kind) for kind in ("noise", "skipped", "scenario")]
    decision = decided(run(findings=tuple(findings)), notes=("weaker",))
    assert decision.notes == ("weaker", "skipped", "scenario")


def test_suspects_are_what_must_be_measured_again() -> None:
    assert suspects(run(SLOW, UNDECIDED)) == (KEY,)
    assert suspects(run()) == ()
    assert suspects(uncalibrated(SLOW)) == ()


def uncalibrated(*contrasts: Contrast, control: str = "placebo") -> Run:
    made = run(*contrasts)
    failed = (replace(c, passed=False, reason="too noisy") if c.name == control else c for c in made.controls)
    return replace(made, controls=tuple(failed))


@pytest.mark.parametrize(
    ("made", "outcome", "exit_code"),
    [
        (run(), "pass", 0),
        (run(contrast("all", "latency", FASTER, "faster")), "improved", 0),
        (run(contrast("none", "latency", FASTER, "faster"), UNDECIDED), "inconclusive", 3),
        (run(contrast("none", "latency", FASTER, "faster"), crashed()), "failed", 4),
        (run(contrast("none", "latency", (1.03, 0.99, 1.07), "inconclusive"), crashed()), "failed", 4),
        (run(SLOW, UNDECIDED), "regressed", 1),
        (run(SLOW, crashed()), "regressed", 1),
        (uncalibrated(SLOW), "inconclusive", 3),
        (uncalibrated(), "inconclusive", 3),
        (uncalibrated(SLOW, crashed()), "failed", 4),
        (uncalibrated(control="memory_dose"), "inconclusive", 3),
        (uncalibrated(SLOW, control="memory_dose"), "regressed", 1),
        (run(limits={}), "failed", 4),
    ],
    ids=["all pass", "improved", "improved and undecided", "improved and failed", "undecided and failed", "regressed and undecided",
         "regressed and failed", "uncalibrated and slower", "uncalibrated", "uncalibrated and failed", "memory uncalibrated",
         "slower by calibrated latency", "nothing measured"],
)  # fmt: skip
def test_the_gravest_outcome_stands_for_the_whole(made: Run, outcome: str, exit_code: int) -> None:
    decision = decided(made)
    assert (decision.outcome, decision.exit_code) == (outcome, exit_code)


def test_controls_that_failed_are_named() -> None:
    assert line(decided(uncalibrated(SLOW))).reason == "not calibrated: control placebo of latency failed, too noisy"
    assert line(decided(run(controls=()))).reason == "not calibrated: it has no controls"


@pytest.mark.parametrize("verdict", ["failed", "output changed", "inert", "not applicable"])
def test_what_may_not_be_compared_could_not_be_measured(verdict: Any) -> None:
    found = latency(SLOWER, verdict, reason="it is so")
    assert (found.outcome, found.reason) == ("failed", "it is so" if verdict == "failed" else f"{verdict}: it is so")
    assert (found.ratio, found.ratio_low, found.ratio_high) == (None, None, None)


def test_a_limit_of_which_nothing_was_measured_is_a_failure_unless_the_device_has_no_such_metric() -> None:
    limits = {"none": {"latency": 0.02, "ttfa": 0.02, "energy": 0.02}}
    decision = decided(run(limits=limits, unavailable={DEVICE: {"energy": "the card has no counter"}}))
    assert (line(decision, metric="ttfa").outcome, line(decision, metric="ttfa").reason) == (
        "failed",
        "it was not measured",
    )
    assert [(item.metric, item.reason) for item in decision.ungated] == [("energy", "the card has no counter")]
    assert {found.metric for found in decision.lines} == {"latency", "ttfa"}


def test_each_setting_has_its_own_limit() -> None:
    slower = [contrast(setting, "latency", (1.035, 1.03, 1.04), "slower") for setting in ("none", "all")]
    decision = decided(run(*slower, limits={"none": {"latency": 0.02}, "all": {"latency": 0.05}}))
    assert (line(decision, "none").outcome, line(decision, "all").outcome) == ("regressed", "pass")
    assert (line(decision, "none").limit, line(decision, "all").limit) == (0.02, 0.05)


def test_kinds_of_request_are_not_gated() -> None:
    decision = decided(run(contrast("none", "latency", SLOWER, "slower", stratum="zh")))
    assert decision.outcome == "pass"
    assert len(decision.lines) == 3


def test_contrasts_are_judged_by_the_limit_of_their_setting_and_controls_by_the_smallest() -> None:
    evidence = Evidence(run(), DEVICE)
    assert [margin_of(evidence, "latency", setting) for setting in ("none", "all", "")] == [0.02, 0.05, 0.02]
    assert margin_of(evidence, "stage.llm", "all") == 0.05
    assert margin_of(evidence, "peak_allocated", "none") == 0.0
    assert margin_of(evidence, "peak_allocated", "all") == LIMITS["all"]["latency"]
    no_gate = replace(run(), plan=replace(run().plan, limits={}))
    assert margin_of(Evidence(no_gate, DEVICE), "latency", "none") == 0.01


def stage(name: str, effect: Interval, before: float = 0.1, prefix: str = "device.", **keys: Any) -> Contrast:
    return contrast("none", f"{prefix}{name}", effect, "inconclusive", before=before, **keys)


UP, SLIGHTLY_UP, DOWN, MAYBE = (1.2, 1.1, 1.3), (1.1, 1.05, 1.15), (0.5, 0.4, 0.6), (1.9, 0.9, 2.9)


@pytest.mark.parametrize(
    ("stages", "moved"),
    [
        ([stage("llm", SLIGHTLY_UP, 0.3), stage("flow", UP, 0.1)], "llm"),
        ([stage("llm", MAYBE), stage("flow", SLIGHTLY_UP)], "flow"),
        ([stage("llm", DOWN), stage("flow", SLIGHTLY_UP)], "flow"),
        ([stage("flow", SLIGHTLY_UP), stage("flow.encoder", UP)], "flow"),
        ([stage("latency", UP), stage("flow", SLIGHTLY_UP)], "flow"),
        ([stage("llm", UP, prefix="stage."), stage("flow", SLIGHTLY_UP)], "flow"),
        ([stage("llm", UP, prefix="stage.")], "llm"),
        ([stage("llm", UP, optimization="all")], None),
        ([stage("llm", DOWN)], None),
        ([stage("llm", MAYBE)], None),
        ([], None),
    ],
    ids=["by seconds, not by share", "by intervals that exclude none", "in latency's direction", "not what lies in another",
         "not the whole", "by device times", "by host times where there are no others", "not of another setting",
         "all the other way", "none for sure", "no stages"],
)  # fmt: skip
def test_the_stage_that_moved_is_named(stages: list[Contrast], moved: str | None) -> None:
    found = line(decided(run(SLOW, *stages))).moved
    assert (found and found.stage) == moved


def test_the_share_of_a_stage_is_of_the_change_of_latency() -> None:
    found = line(decided(run(SLOW, stage("llm", UP, 0.061)))).moved
    assert found
    assert found.change_s == pytest.approx(0.0122)
    assert found.share == pytest.approx(0.5)  # 61 ms of 400 rose by a fifth; all of it by 6.1 %


def test_there_is_no_share_of_a_change_that_may_be_none() -> None:
    found = line(decided(run(stage("llm", UP)))).moved
    assert found
    assert found.share is None


def test_a_decision_without_a_run_could_not_be_measured() -> None:
    decision = not_measured(
        scenario="x", base="main", head="HEAD", command="harness gate x", reason="main does not build"
    )
    assert (decision.outcome, decision.exit_code, decision.lines) == ("failed", 4, ())
