"""The micro pass: places timed alone, and what they let one expect of a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import compare, runner, store
from harness.errors import ScenarioError
from harness.ledger import Ledger
from harness.report import html, markdown
from harness.results import Contrast, Control, Expectation, Run, Trial
from tests.conftest import Quiet, fake_scenario

MEASURE = {"metrics": ["latency", "site"], "workers": 3}
MICROSECONDS = 4
"""What a call of the place of resample_cache takes before; after, one."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which one toggle saves what its place says, one 3 µs, one not what its place says; one fails there."""
    model = {
        "places": {"resample_cache": MICROSECONDS / 1e6, "cached_device": "1ms", "cached_cuda_check": "5ms"},
        "effects": {"cached_device": -0.02},
        "faults": {"precompiled_regex": "error_at_place"},
    }
    toggles = ("resample_cache", "cached_device", "cached_cuda_check", "precompiled_regex")
    chosen = fake_scenario(model=model, measure=MEASURE, optimizations=dict.fromkeys(toggles, True))
    made = tmp_path_factory.mktemp("micro") / "run"
    runner.run(chosen, made, devices=chosen.devices, progress=Quiet())
    return made


@pytest.fixture(scope="module")
def measured(folder: Path) -> Run:
    return store.load(folder)


def expectation(run: Run, toggle: str) -> Expectation:
    return next(found for found in run.expectations if found.optimization == toggle)


def contrast(run: Run, toggle: str, metric: str) -> Contrast:
    return next(c for c in run.contrasts if (c.optimization, c.metric) == (toggle, metric))


def empty_call(run: Run) -> Control:
    return next(control for control in run.controls if control.name == "empty_call")


def finding(run: Run, kind: str) -> str:
    return next((found.message for found in run.findings if found.kind == kind), "")


def test_microseconds_of_a_request_get_their_number_though_no_request_shows_them(measured: Run) -> None:
    found = expectation(measured, "resample_cache")
    assert found.call_s == pytest.approx(-3e-6, rel=0.01)
    assert found.calls == 1
    assert found.expected_s == found.call_s
    assert found.share == pytest.approx(-3e-6 / 0.05, rel=0.01)
    assert found.measured_low_s is not None
    assert found.measured_high_s is not None
    assert found.measured_low_s < 0 < found.measured_high_s
    assert contrast(measured, "resample_cache", "site").verdict == "faster"
    assert contrast(measured, "resample_cache", "latency").verdict == "no material difference"


def test_an_expected_change_that_is_not_the_measured_one_is_a_finding_and_one_that_is_is_none(measured: Run) -> None:
    told = finding(measured, "two scales")
    assert "(cached_cuda_check: " in told
    assert "cached_device" not in told
    assert "resample_cache" not in told


def test_requests_at_the_same_moment_are_not_held_against_a_place(measured: Run) -> None:
    crowded = replace(measured.plan, concurrency=dict.fromkeys(measured.plan.strata, 4))
    again = compare.evaluate(replace(measured, plan=crowded, findings=()))
    assert finding(again, "two scales") == ""


def test_a_place_that_fails_is_told_and_takes_nothing_from_what_is_measured_of_requests(measured: Run) -> None:
    assert "place of precompiled_regex could not be timed alone: ValueError: planted" in finding(measured, "place")
    assert contrast(measured, "precompiled_regex", "site").reason == "not measured"
    assert contrast(measured, "precompiled_regex", "latency").ratio is not None
    assert not measured.failures


def test_all_together_have_no_place(measured: Run) -> None:
    assert {c.optimization for c in measured.contrasts if c.metric == "site"} == {
        "resample_cache", "cached_device", "cached_cuda_check", "precompiled_regex",
    }  # fmt: skip
    assert not any("site" in arm.metrics for arm in measured.arms)


def test_every_worker_times_every_place_in_rounds_of_both_sides(measured: Run) -> None:
    rounds: dict[int, list[Trial]] = {}
    for trial in measured.trials:
        if trial.pass_ == "micro":
            rounds.setdefault(trial.block, []).append(trial)
    assert all(len(trials) == 2 for trials in rounds.values())
    workers = {(trial.arm, trial.worker) for trials in rounds.values() for trial in trials if trial.arm != "none"}
    timed = ("empty_call", "empty_twin", "resample_cache", "cached_device", "cached_cuda_check")
    assert [sum(arm == name for arm, _ in workers) for name in timed] == [3] * len(timed)


def test_an_empty_call_beside_itself_vouches_for_places(measured: Run) -> None:
    assert empty_call(measured).passed
    shifted = tuple(
        replace(trial, values={**trial.values, "site": 2e-8}) if trial.arm == "empty_twin" else trial
        for trial in measured.trials
    )
    again = compare.evaluate(replace(measured, trials=shifted))
    assert not empty_call(again).passed
    assert "differs by +20.00 to +20.00 ns (±10 ns allowed)" in empty_call(again).reason
    assert contrast(again, "resample_cache", "site").reason.startswith("not calibrated")
    assert contrast(again, "resample_cache", "latency").verdict == "no material difference"


def test_a_witness_that_does_not_move_at_the_place_lets_nothing_be_expected(measured: Run) -> None:
    still = tuple(
        replace(trial, values={**trial.values, "events": 1.0}) if trial.pass_ == "micro" else trial
        for trial in measured.trials
    )
    found = expectation(compare.evaluate(replace(measured, trials=still)), "resample_cache")
    assert (found.expected_s, found.share) == (None, None)
    assert found.reason == "its witness does not move at its place"


def test_a_witness_that_counts_several_in_a_request_multiplies(measured: Run) -> None:
    several = tuple(
        replace(count, per_request=tuple(14 * n for n in count.per_request)) for count in measured.witnesses
    )
    found = expectation(compare.evaluate(replace(measured, witnesses=several)), "resample_cache")
    assert found.calls == 14
    assert found.expected_s == pytest.approx(14 * found.call_s)


def test_the_report_shows_both_scales_in_markdown_and_on_the_page(measured: Run) -> None:
    row = "| resample\\_cache | \u22123.00\u202f\u00b5s | 1 | \u22123.00\u202f\u00b5s | \u22120.006\u202f% |"
    assert row in markdown(measured)
    page = html(measured)
    assert "Two scales on cpu" in page
    assert "\u22120.006\u202f%" in page


def test_places_are_timed_only_where_the_metric_is_asked_for(tmp_path: Path) -> None:
    chosen = fake_scenario(measure={"budget": "1s", "workers": 2}, optimizations={"cached_device": True})
    run = runner.run(chosen, tmp_path / "run", devices=chosen.devices, progress=Quiet())
    assert not run.expectations
    assert not any(trial.pass_ == "micro" for trial in run.trials)
    assert not any(control.metric == "site" for control in run.controls)
    assert "Two scales" not in markdown(run)


def test_what_a_toggle_that_is_taken_away_cost_is_expected_with_the_other_sign(tmp_path: Path) -> None:
    chosen = fake_scenario(
        model={"places": {"cached_device": "1ms"}, "effects": {"cached_device": -0.02}}, measure=MEASURE,
        design="leave_one_out",
    )  # fmt: skip
    run = runner.run(chosen, tmp_path / "run", devices=chosen.devices, progress=Quiet())
    found = expectation(run, "cached_device")
    assert (found.reference_arm, found.arm) == ("all-but-cached_device", "all")
    assert found.expected_s == pytest.approx(-0.999e-3, rel=0.01)
    assert finding(run, "two scales") == ""


def test_a_run_that_goes_on_does_not_time_again_what_was_timed_and_spends_no_budget_on_it() -> None:
    ledger = Ledger("cpu")
    trials = [{"arm": "none", "values": {"site": 1e-6}}]
    block = {"device": "cpu", "pass_": "micro", "phase": "timed", "kind": "place", "block": 6, "wall_s": 0.0}
    ledger.note("block", {**block, "trials": trials})
    ledger.note("place", {"device": "cpu", "optimization": "cached_device", "worker": 3})
    assert (ledger.batches, ledger.blocks, ledger.spent_s) == (7, 0, 0.0)
    assert ledger.places == {"cached_device": 1}
    ledger.note("broken place", {"device": "cpu", "optimization": "resample_cache"})
    assert ledger.broken_places == {"resample_cache"}


@pytest.mark.parametrize("texts", [{"en": "hello"}, {"short": "hello", "long": "hello to all of you"}], ids=str)
def test_it_is_told_of_which_request_a_place_is_timed_where_there_are_others(
    measure_fake: Callable[..., Run], texts: dict[str, str]
) -> None:
    run = measure_fake(workload={"texts": texts}, measure={"metrics": ["latency", "site"], "budget": "1s"})
    told = [finding.message for finding in run.findings if finding.kind == "place"]
    assert [message.startswith("Places were timed with the first call that ") for message in told] == [True] * (
        len(texts) - 1
    )


def test_a_place_cannot_be_gated() -> None:
    with pytest.raises(ScenarioError, match="times no place alone"):
        fake_scenario(measure=MEASURE, gate={"site": "1%"})
