"""Starts: what is planted in init, in the first request and in the steady ones is found again, apart, and when it is even."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import compare, planning, runner, store
from harness.errors import ScenarioError
from harness.ledger import Ledger
from harness.report import markdown
from harness.results import PhaseChange, Run, StartEffect, Trial
from harness.starts import Even, covariance, even
from harness.statistics import Effect
from tests.conftest import Quiet, fake_scenario
from tests.simulated_starts import CASES, UNEQUAL, simulate

BUILT, LAZY, LOSING = "prebuilt_resample", "speaker_preregistration", "cached_device"
"""Pays in init and wins in each request; pays in the first request alone and wins in each; loses in each, wins at first."""
BASE_S, COLD_S, ROUNDS = 0.05, 0.2, 6
MODEL = {
    "noise": 0.002, "seed": 5, "cold": "200ms", "at_init": {BUILT: "40ms"}, "at_first": {LAZY: "30ms"},
    "effects": {BUILT: -0.2, LAZY: -0.1, LOSING: 0.1},
}  # fmt: skip
MEASURE = {"metrics": ["latency", "init", "first_request"], "budget": "4s", "margin": {"first_request": "4%"}}
TOGGLES = dict.fromkeys((BUILT, LAZY, LOSING), True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = fake_scenario(model=MODEL, measure=MEASURE, optimizations=TOGGLES)
    made = tmp_path_factory.mktemp("starts") / "run"
    runner.run(chosen, made, devices=chosen.devices, progress=Quiet())
    return made


@pytest.fixture(scope="module")
def measured(folder: Path) -> Run:
    return store.load(folder)


def start(run: Run, optimization: str) -> StartEffect:
    return next(found for found in run.starts if found.optimization == optimization)


def finds(phase: PhaseChange | None, planted_s: float, within_s: float) -> bool:
    """Whether a change is the planted one, up to about five of its standard errors, with an interval around it.

    How often intervals hold the truth is for the simulation to say: a test of many would fail by chance.
    """
    assert phase is not None
    assert phase.low_s is not None
    assert phase.high_s is not None
    return phase.low_s < phase.change_s < phase.high_s and abs(phase.change_s - planted_s) <= within_s


@pytest.mark.parametrize(
    ("optimization", "init_s", "first_s", "steady_s"),
    [
        (BUILT, 0.04, -0.01, -0.01),
        (LAZY, 0.0, 0.025, -0.005),
        (LOSING, 0.0, 0.005, 0.005),
        ("all", 0.04, 0.05 * (0.8 * 0.9 * 1.1 - 1) + 0.03, 0.05 * (0.8 * 0.9 * 1.1 - 1)),
    ],
)
def test_init_the_first_request_and_the_steady_ones_are_told_apart(
    measured: Run, optimization: str, init_s: float, first_s: float, steady_s: float
) -> None:
    found = start(measured, optimization)
    assert found.basis == "start"
    assert finds(found.init, init_s, 0.0004)
    assert finds(found.first, first_s, 0.0016)
    assert finds(found.steady, steady_s, 0.0003)
    assert finds(found.upfront, init_s + first_s, 0.0018)
    assert found.first is not None
    assert found.first.before_s == pytest.approx(BASE_S + COLD_S, rel=0.02), "the first request of a process is cold"


@pytest.mark.parametrize(("optimization", "requests"), [(BUILT, 1 + 0.03 / 0.01), (LAZY, 1 + 0.025 / 0.005)])
def test_after_so_many_requests_what_was_paid_is_even(measured: Run, optimization: str, requests: float) -> None:
    found = start(measured, optimization)
    assert found.even is not None
    assert found.even_low is not None
    assert found.even_high is not None
    assert 1 < found.even_low < found.even < found.even_high
    assert found.even == pytest.approx(requests, abs=0.6)


def test_a_first_request_gets_its_verdict_from_rounds_of_fresh_processes(measured: Run) -> None:
    found = {c.optimization: c for c in measured.contrasts if c.metric == "first_request"}
    assert {c.workers for c in found.values()} == {ROUNDS}
    assert {c.blocks for c in found.values()} == {ROUNDS}
    assert found[LAZY].verdict == "slower"
    assert found[LOSING].verdict in ("no material difference", "inconclusive")
    placebo = next(control for control in measured.controls if control.metric == "first_request")
    assert (placebo.name, placebo.passed) == ("placebo", True)


def test_each_first_request_has_a_process_of_its_own_and_each_round_all_arms(measured: Run) -> None:
    firsts = [trial for trial in measured.trials if trial.pass_ == "first"]
    arms = ["none", BUILT, LAZY, LOSING, "all", "placebo"]
    assert sorted((trial.block, trial.arm) for trial in firsts) == sorted(
        (number, arm) for number in range(ROUNDS) for arm in arms
    )
    elsewhere = {trial.worker for trial in measured.trials if trial.pass_ != "first"}
    workers = [trial.worker for trial in firsts]
    assert len(set(workers)) == len(workers)
    assert not elsewhere & set(workers)
    in_order = {tuple(trial.arm for trial in firsts if trial.block == number) for number in range(ROUNDS)}
    assert len(in_order) > 1, "the order is drawn for each round"


def test_without_first_requests_what_is_paid_is_that_of_init(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model=MODEL, measure={"budget": "8s"}, optimizations=TOGGLES)
    found = start(run, BUILT)
    assert (found.basis, found.first) == ("init", None)
    assert found.upfront == found.init
    assert found.even == pytest.approx(0.04 / 0.01, rel=0.1)
    assert start(run, LAZY).even is None, "what a first request costs is not seen there"


def with_a_failed_placebo(run: Run, kind: str, metric: str) -> Run:
    """The run, with a placebo that takes half as long again in one metric."""

    def slower(trial: Trial) -> Trial:
        value = trial.values.get(metric)
        if value is None or (trial.arm, trial.kind) != ("placebo", kind):
            return trial
        return replace(trial, values={**trial.values, metric: 1.5 * value})

    return compare.evaluate(replace(run, trials=tuple(map(slower, run.trials))))


@pytest.mark.parametrize(("kind", "metric"), [("request", "latency"), ("request", "first_request")])
def test_no_number_is_told_where_the_controls_of_either_side_failed(measured: Run, kind: str, metric: str) -> None:
    found = start(with_a_failed_placebo(measured, kind, metric), BUILT)
    assert found.untold == "controls failed"
    assert (found.even, found.even_low, found.even_high) == (None, None, None)
    assert found.upfront == start(measured, BUILT).upfront, "the figures stay"


def test_the_controls_of_init_vouch_for_the_number_only_where_init_alone_is_what_is_paid(
    measured: Run, measure_fake: Callable[..., Run]
) -> None:
    by_start = with_a_failed_placebo(measured, "init", "init")
    assert not next(control for control in by_start.controls if control.metric == "init").passed
    assert start(by_start, BUILT) == start(measured, BUILT)
    by_init = measure_fake(model=MODEL, measure={"budget": "8s"}, optimizations=TOGGLES)
    assert start(by_init, BUILT).even is not None
    assert start(with_a_failed_placebo(by_init, "init", "init"), BUILT).untold == "controls failed"


def test_no_number_is_told_where_requests_overlap(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model=MODEL, measure={"budget": "8s"}, optimizations=TOGGLES, workload={"concurrency": [1, 2]})
    found = start(run, BUILT)
    assert (found.even, found.even_high, found.untold) == (None, None, "requests overlap")
    assert found.init is not None
    assert found.steady is not None


def test_a_run_of_latency_alone_says_nothing_of_starts(measure_fake: Callable[..., Run]) -> None:
    assert measure_fake(measure={"metrics": ["latency"], "budget": "2s"}).starts == ()


def test_too_few_fresh_processes_give_an_interval_and_no_verdict(measure_fake: Callable[..., Run]) -> None:
    few = {**MEASURE, "metrics": ["latency", "first_request"], "first_repeats": 3}
    run = measure_fake(model=MODEL, measure=few, optimizations={LAZY: True})
    (found,) = [c for c in run.contrasts if c.metric == "first_request"]
    assert (found.verdict, found.workers) == ("inconclusive", 3)
    assert found.ratio_low is not None
    assert found.reason == ("first requests of 3 fresh processes an arm; a verdict takes 6 (measure.first_repeats)")


def test_an_arm_that_fails_has_its_reason_and_the_others_their_figures(measure_fake: Callable[..., Run]) -> None:
    model = {**MODEL, "faults": {LAZY: "crash_at_bind"}}
    run = measure_fake(model=model, measure={**MEASURE, "first_repeats": 2}, optimizations=TOGGLES)
    assert start(run, LAZY).reason.startswith("failed: ")
    assert start(run, LAZY).upfront is None
    assert finds(start(run, BUILT).init, 0.04, 0.0004)


def test_a_run_that_refuses_every_toggle_has_measured_first_requests_all_the_same(
    measure_fake: Callable[..., Run],
) -> None:
    model = {**MODEL, "faults": {LAZY: "inert"}}
    run = measure_fake(model=model, measure={**MEASURE, "first_repeats": 2}, optimizations={LAZY: True})
    assert {found.reason.partition(":")[0] for found in run.starts} == {"inert"}
    assert "First requests of fresh processes were not measured" not in markdown(run)


def test_a_round_that_was_cut_off_goes_on_with_the_arms_that_it_lacks() -> None:
    ledger = Ledger("cpu")
    event = {"device": "cpu", "pass_": "first", "block": 0, "phase": "timed", "trials": [{"arm": LAZY}]}
    ledger.note("block", event)
    assert ledger.firsts == {(LAZY, 0)}
    assert (ledger.blocks, ledger.spent_s) == (0, 0.0), "no block of the latency pass, and none of its budget"


def test_a_run_is_read_again_with_its_starts_and_an_older_one_without(
    folder: Path, measured: Run, tmp_path: Path
) -> None:
    assert measured.starts
    data = json.loads((folder / store.RUN_FILE).read_text(encoding="utf-8"))
    del data["starts"]
    (tmp_path / store.RUN_FILE).write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / store.SAMPLES).write_bytes((folder / store.SAMPLES).read_bytes())
    older = store.load(tmp_path)
    assert older.starts == ()
    assert compare.evaluate(older).starts == measured.starts


def test_a_run_says_how_many_processes_first_requests_take(measure_fake: Callable[..., Run], quiet: Quiet) -> None:
    few = {**MEASURE, "metrics": ["latency", "first_request"], "first_repeats": 2, "budget": "2s"}
    measure_fake(model=MODEL, measure=few, optimizations={LAZY: True})
    assert "cpu: first requests take 6 fresh processes: 3 arms, 2 rounds" in quiet.notes


def test_the_plan_says_how_many_processes_first_requests_take() -> None:
    chosen = fake_scenario(measure={**MEASURE, "first_repeats": 7}, optimizations=TOGGLES)
    found = planning.outline(chosen, "cpu", None, None)
    assert found.firsts == 7 * (len(TOGGLES) + len(("none", "all", "placebo")))
    without = planning.outline(fake_scenario(optimizations=TOGGLES), "cpu", None, None)
    assert without.firsts == 0
    assert found.processes - without.processes == found.firsts


def test_a_gate_measures_no_first_request() -> None:
    with pytest.raises(ScenarioError, match="a gate measures requests that are not the first of their process"):
        fake_scenario(measure=MEASURE, gate={"first_request": "5%"})


def effect(location: float, error: float | None, **changes: Any) -> Effect:
    known: Mapping[str, Any] = {"low": None, "high": None, "level": 0.95, "blocks": 60, "workers": 6, "freedom": 5.0}
    return Effect(**{**known, "location": location, "standard_error": error, **changes})


@pytest.mark.parametrize(
    ("upfront", "steady", "told", "bounded"),
    [
        (effect(0.04, 1e-4), effect(-0.012, 1e-4), True, True),
        (effect(-0.04, 1e-4), effect(0.012, 1e-4), True, True),
        (effect(-0.04, 1e-4), effect(-0.012, 1e-4), False, False),
        (effect(0.04, 1e-4), effect(0.012, 1e-4), False, False),
        (effect(0.04, 0.1), effect(-0.012, 1e-4), False, True),
        (effect(0.04, 1e-4), effect(-0.012, 0.1), False, False),
        (effect(0.04, None), effect(-0.012, 1e-4), False, False),
    ],
    ids=[
        "pays and wins",
        "wins and loses",
        "wins twice",
        "loses twice",
        "paid is open",
        "steady is open",
        "one worker",
    ],
)
def test_a_number_of_requests_is_told_where_both_sides_are_told_apart(
    upfront: Effect,
    steady: Effect,
    told: bool,  # noqa: FBT001  columns of a table
    bounded: bool,  # noqa: FBT001  columns of a table
) -> None:
    found = even(upfront, steady, level=0.95)
    assert (found.requests is not None, found.high is not None) == (told, bounded)
    if told:
        assert found.requests == pytest.approx(0.04 / 0.012)
        assert (found.low or 0) < 0.04 / 0.012 < (found.high or 0)


def test_estimates_that_rise_together_narrow_the_interval_of_the_number() -> None:
    upfront, steady = effect(0.04, 0.002), effect(-0.012, 0.001)
    apart, together = even(upfront, steady, level=0.95), even(upfront, steady, covariance=-1e-6, level=0.95)
    assert isinstance(apart, Even)
    width = [(found.high or 0) - (found.low or 0) for found in (apart, together)]
    assert width[0] != pytest.approx(width[1])


def test_means_over_different_workers_share_what_the_workers_in_both_do() -> None:
    init = {0: 1.0, 1: 2.0, 2: 6.0}
    steady = {worker: float(worker**2) for worker in range(9)}
    of_three = ((1 - 3) * (0 - 5 / 3) + (2 - 3) * (1 - 5 / 3) + (6 - 3) * (4 - 5 / 3)) / 2
    assert covariance(init, steady) == pytest.approx(3 * of_three / (3 * 9))
    assert covariance(init, {0: 3.0, 7: 1.0}) == 0.0, "one worker alone shows no covariance"


@pytest.mark.parametrize("name", CASES)
def test_intervals_of_the_number_hold_it_as_often_as_they_say(name: str) -> None:
    case = CASES[name]
    built, measured = (3, 9) if case.workers is UNEQUAL else (6, 6)
    assert simulate(case, built, measured, runs=400).held >= 0.91, (
        "where 95 % hold it, fewer than 91 % of 400 do so about once in 2000 times"
    )


def test_other_work_on_a_first_request_is_a_changed_output(measured: Run) -> None:
    (one, *_) = [trial for trial in measured.trials if trial.pass_ == "first" and trial.arm == LAZY]
    assert one.values["audio"]
    silent = replace(one, values={**one.values, "audio": 0.05})
    again = compare.evaluate(
        replace(measured, trials=tuple(silent if trial is one else trial for trial in measured.trials))
    )
    assert {c.verdict for c in again.contrasts if c.optimization == LAZY} == {"output changed"}
    assert "output changed" not in {c.verdict for c in again.contrasts if c.optimization == BUILT}
