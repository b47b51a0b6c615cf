"""Calibrating, what is kept of it, what later runs say of it, and plans: with the fake adapter."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness import calibrations, gate_calibration, outlook, planning, report, runner, store
from harness.calibrate import Outcome, calibrate, controls_only, delay_of, is_called_slower
from harness.calibrations import Calibration, Costs, Shelf
from harness.designs import PLACEBO, TWIN
from harness.environment import environment, fingerprint
from harness.errors import CalibrationError
from harness.noise import Between, Noise
from harness.results import Foresight, Planted, Run
from harness.scenario import Scenario
from tests.command_line import harness_command
from tests.conftest import Quiet, fake_scenario

HERE: dict[str, Any] = {
    "cpu": {"model": "A", "cores": 8, "threads": 16, "usable": 16, "load_1min": 0.5},
    "memory_bytes": 32 * 2**30,
    "gpus": [{"index": 0, "name": "B", "driver": "1", "sm_clock_mhz": 900}, {"index": 1, "name": "C", "driver": "1"}],
    "system": {"platform": "Linux-6.1.0-x86_64-with-glibc2.36", "machine": "x86_64"},
    "python": "3.11.2",
    "versions": {"torch": "2.9.0"},
    "worker": {"threads": 1},
}


def small(**keys: Any) -> Scenario:
    measure = {"workers": 6, "budget": "30s", "metrics": ["latency"], **keys.pop("measure", {})}
    return fake_scenario(model={"noise": 0.002, **keys.pop("model", {})}, measure=measure, **keys)


@pytest.fixture
def made(tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs whose orders are the same each time, as they are drawn by the names of their folders: a control fails in one of a hundred."""
    numbers = count()
    monkeypatch.setattr(store, "new_run_id", lambda name: f"{name}-{next(numbers)}")

    def make(scenario: Scenario, *, confirm: bool = False) -> Outcome:
        shelf = Shelf(tmp_path / "kept")
        (found,) = calibrate(
            scenario, tmp_path / "results", devices=["cpu"], progress=quiet, shelf=shelf, confirm=confirm
        )
        return found

    return make


def kept(**changes: Any) -> Calibration:
    """A calibration as a file has it, two workers of a little noise."""
    pairs = tuple((0.001 * (-1) ** block, 0.002 * math.sin(block)) for block in range(12))
    whole = Calibration(
        fingerprint="f", machine="m", device="cpu", scenario="fake", digest="d", made="2026-11-24", run="r", passed=True,
        costs=Costs(request_s=0.05, startup_s=1.0, warm_up_s=0.5, journal_bytes=100.0, kept_bytes=20.0),
        noise=Noise(weights={"en": 1.0}, workers=({"en": pairs}, {"en": pairs[::-1]})),
    )  # fmt: skip
    return replace(whole, **changes)


def foresight(budget_s: float, detectable: float | None) -> Foresight:
    return Foresight(
        budget_s=budget_s, margin=0.01, workers=10, blocks=10, runs=2000, faster=0, slower=0, undecided=0,
        placebo_passed=1000, covered=1900, spent=0.5, power=0.95, detectable=detectable, detectable_by_interval=detectable,
    )  # fmt: skip


def test_a_calibration_spends_its_budget_on_identical_code_and_finds_what_was_planted(
    made: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = made(small(), confirm=True)
    noise, middle = outcome.calibration.noise, outcome.foresights[2]
    assert noise.blocks * 4 * 0.05 == pytest.approx(30, rel=0.3)
    assert [round(found.budget_s, 1) for found in outcome.foresights] == [7.5, 15, 30, 60, 120]
    assert (middle.faster + middle.slower) / middle.runs <= 0.05
    error = 0.002 * math.sqrt(2 * math.pi / 3 / (6 * middle.blocks))
    assert middle.detectable_by_interval is not None
    assert 0.5 < (middle.detectable_by_interval - 0.01) / (4.4 * error) < 2
    assert outcome.calibration.passed
    assert outcome.calibration.confirmed is not None
    assert outcome.calibration.confirmed.budget_s == 30
    assert outcome.calibration.confirmed.slow_down == pytest.approx(middle.detectable, rel=0.02)
    assert (outcome.folder / "run.json").exists()
    assert len(list((tmp_path / "results").iterdir())) == 2
    assert calibrations.read(outcome.path) == outcome.calibration
    (folder,) = (tmp_path / "results").glob("*-confirmation-*")
    run = store.load(folder)
    assert is_called_slower(run, "cpu")
    slow_twin = tuple(
        replace(trial, values={**trial.values, "latency": 1.02 * latency})
        if trial.arm == PLACEBO and (latency := trial.values.get("latency"))
        else trial
        for trial in run.trials
    )
    assert not is_called_slower(replace(run, trials=slow_twin), "cpu"), "nor slower than the reference's twin"


def test_a_later_run_with_other_toggles_keeps_and_says_what_is_known(
    made: Callable[..., Outcome], tmp_path: Path, quiet: Quiet
) -> None:
    made(small())
    other = small(optimizations={"resample_cache": True}, measure={"budget": "10s", "margin": "2%"})
    run = runner.run(other, tmp_path / "run", devices=["cpu"], progress=quiet, known=Shelf(tmp_path / "kept"))
    (found,) = run.calibrations
    assert (found.foresight.budget_s, found.foresight.margin) == (10, 0.02)
    for text in (report.markdown(run), report.html(run)):
        assert f"Calibrated on {found.made}: in this budget this machine calls identical code" in " ".join(text.split())
    unknown = replace(run, calibrations=())
    assert "harness calibrate fake" in report.markdown(unknown)


def test_the_report_of_a_calibrating_run_can_be_read(made: Callable[..., Outcome]) -> None:
    from harness import store

    run = store.load(made(small()).folder)
    assert not run.contrasts
    assert TWIN in {trial.arm for trial in run.trials}
    assert "nothing was compared" in report.markdown(run)
    assert report.html(run)


def test_a_gate_has_an_untimed_request_for_each_timed_one_where_it_has_several_settings() -> None:
    one, two = (
        gate_calibration.shape_of(kept(), limits)
        for limits in ({"none": {"latency": 0.02}}, {"none": {"latency": 0.02}, "all": {"latency": 0.01, "rtf": 0.5}})
    )
    assert 1 / (one.blocks_per_s * one.workers) == pytest.approx(3 * 0.05)
    assert 1 / (two.blocks_per_s * two.workers) == pytest.approx(5 * 0.05 * 2)
    assert (one.margin, two.margin) == (0.02, 0.01)
    costs = kept().costs
    for shape in (one, two):  # of three processes on a CPU two start at once; each then warms up
        assert shape.confirmation is not None
        assert shape.confirmation.start_s == pytest.approx(2 * costs.startup_s + 3 * costs.warm_up_s)


@pytest.mark.parametrize(
    ("is_gate", "found", "said"),
    [(True, True, "failed the gate"), (True, False, "did not fail the gate, as it does not in 1"),
     (False, True, "was called slower"), (False, False, "was not called slower, which happens in 5")],
)  # fmt: skip
def test_what_became_of_a_planted_slow_down_is_told_as_it_was(*, is_gate: bool, found: bool, said: str) -> None:
    planted = Planted(slow_down=0.012, budget_s=30.0, called_slower=found)
    seen = replace(foresight(30.0, 0.012), is_gate=is_gate, power=0.99 if is_gate else 0.95)
    outcome = Outcome(
        calibration=kept(confirmed=planted), path=Path("kept"), folder=Path("run"), between=Between(estimate=0.01, at_most=0.02),
        foresights=(seen,), controls=(),
    )  # fmt: skip
    console = Console(width=200, record=True)
    outlook.show_outcome(outcome, console)
    text = " ".join(console.export_text().split())
    assert f"planted for real: a slow-down of 1.20 % {said}" in text
    assert ("identical code fails" in text, "10 x 10" in text, "groups of three processes" in text) == (is_gate,) * 3
    assert ("more workers do" in text) is not is_gate


def test_a_delay_that_slows_short_and_long_requests_alike_on_average(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(workload={"texts": {"short": "hello", "long": "hello"}})
    longer = [
        replace(trial, values={**trial.values, "latency": 10 * (trial.values["latency"] or 0.0)})
        if trial.stratum.startswith("long") and "latency" in trial.values
        else trial
        for trial in run.trials
    ]
    delay_s = delay_of(replace(run, trials=tuple(longer)), "cpu", 0.02)
    short_s = next(arm.metrics["latency"]["p50"] for arm in run.arms if arm.arm == "none")
    assert (math.log1p(delay_s / short_s) + math.log1p(delay_s / (10 * short_s))) / 2 == pytest.approx(
        math.log1p(0.02), rel=0.05
    )


def test_what_is_calibrated_has_the_controls_alone_and_no_memory_pass() -> None:
    alone = controls_only(
        fake_scenario(measure={"metrics": ["latency", "rss_peak"], "margin": {"latency": "2%", "rss_peak": "5%"}})
    )
    assert (alone.design, alone.measure.metrics, alone.measure.margin) == ("controls", ("latency",), {"latency": 0.02})
    assert alone.name == "fake-calibration"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"measure": {"budget": "9s", "workers": 2, "margin": "3%"}}, True),
        ({"optimizations": {"resample_cache": True}, "name": "other", "design": "leave_one_out"}, True),
        ({"measure": {"metrics": ["latency", "rss_peak"]}}, True),
        ({"measure": {"metrics": ["latency", "rtf"]}}, False),
        ({"measure": {"threads": 2}}, False),
        ({"model": {"base": "60ms"}}, False),
        ({"workload": {"texts": {"en": "other"}}}, False),
    ],
)
def test_a_calibration_is_about_what_changes_the_noise(change: dict[str, Any], *, same: bool) -> None:
    assert (calibrations.digest_of(small(**change)) == calibrations.digest_of(small())) is same


def test_a_fingerprint_is_stable_and_changes_with_what_times_depend_on() -> None:
    code = fingerprint(HERE, "cpu").code
    busy = {**HERE, "cpu": {**HERE["cpu"], "load_1min": 9.0}, "memory_bytes": 32 * 2**30 - 10**8, "gpus": []}
    assert fingerprint(busy, "cpu").code == code
    assert len({fingerprint(HERE, device).code for device in ("cpu", "cuda:0", "cuda:1")}) == 3
    for other in (
        {"versions": {"torch": "2.10.0"}},
        {"python": "3.12.1"},
        {"worker": {"threads": 2}},
        {"system": {"platform": "Linux-7.0-x86_64", "machine": "x86_64"}},
        {"cpu": {**HERE["cpu"], "usable": 2}},
    ):
        assert fingerprint({**HERE, **other}, "cpu").code != code
    assert "A, 16 of 16 threads on 8 cores, about 32 GiB, Linux 6 x86_64" in fingerprint(HERE, "cpu").description


def test_this_machine_has_the_same_fingerprint_each_time() -> None:
    assert len({fingerprint(environment(threads=1, seed=seed), "cpu").code for seed in (0, 1)}) == 1


def _file(shelf: Shelf, **changes: Any) -> Path:
    path = shelf.keep(kept())
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 99}, "schema version 99"),
        ({"noise": {"weights": {"en": 1.0}, "workers": []}}, "fewer than two workers"),
        ({"noise": {"weights": {"en": 1.0}, "workers": [{"en": []}, {"en": []}]}}, "lacks a kind of request"),
        ({"noise": {"weights": {}, "workers": [{}, {}]}}, "no shares"),
        ({"noise": {"weights": {"en": 1.0}, "workers": [{"en": [[1]]}, {}]}}, "noise.workers.0.en.0"),
        ({"noise": {"weights": {"en": 1.0}, "workers": [{"en": [[0, math.nan]]}] * 2}}, "NaN is no number"),
        ({"costs": {"request_s": 0, "startup_s": 1, "warm_up_s": 1, "journal_bytes": 1, "kept_bytes": 1}}, "costs"),
        ({"passed": "perhaps"}, "passed"),
    ],
)
def test_a_damaged_calibration_says_what_is_wrong_with_it(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"cannot be used: .*delete it, or calibrate again") as caught:
        calibrations.read(_file(Shelf(tmp_path), **changes))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("visible", "name"), [(None, "B"), ("1", "C"), ("1,0", "C"), ("GPU-cc", "C"), ("0,1", "B"), ("7", None)]
)
def test_a_card_is_the_one_that_cuda_counts(visible: str | None, name: str | None) -> None:
    cards = [
        {"index": index, "name": name, "driver": "1", "uuid": uuid}
        for index, name, uuid in ((0, "B", "GPU-bb1"), (1, "C", "GPU-cc1"))
    ]
    found = fingerprint({**HERE, "gpus": cards, "visible_gpus": visible}, "cuda:0").description
    assert [card for card in "BC" if f", {card} with driver 1" in found] == ([name] if name else [])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 1}', "[" * 100_000, "\0"])
def test_what_is_no_calibration_is_refused_and_a_run_does_without(text: str, tmp_path: Path, quiet: Quiet) -> None:
    scenario, shelf = small(measure={"budget": "5s", "workers": 2}), Shelf(tmp_path / "kept")
    code = fingerprint(runner.here(scenario), "cpu").code
    path = shelf.path(code, "cpu", calibrations.digest_of(scenario))
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CalibrationError):
        calibrations.read(path)
    assert list(runner._calibrations(scenario, ["cpu"], runner.here(scenario), shelf, quiet)) == []
    assert "cannot be used" in quiet.notes[0]


def test_a_calibration_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    scenario, shelf = small(), Shelf(tmp_path)
    here = runner.here(scenario)
    path = shelf.keep(kept())
    path.rename(shelf.path(fingerprint(here, "cpu").code, "cpu", calibrations.digest_of(scenario)))
    with pytest.raises(CalibrationError, match="another machine"):
        shelf.find(scenario, "cpu", here)


def test_a_plan_without_a_calibration_claims_nothing_about_time() -> None:
    found = planning.outline(small(measure={"metrics": ["latency", "rss_peak"]}), "cpu", None, 0.01)
    assert (found.expected, found.calibrated, found.detection) == (None, None, None)
    assert found.processes == 6 + 2 + 6 * 2
    assert found.looks_s[-1] == 30


def test_a_plan_counts_by_what_a_request_took() -> None:
    found = planning.outline(small(), "cpu", kept(), None)
    assert found.expected is not None
    assert found.expected.round_s == pytest.approx(7 * 0.05)
    assert found.expected.rounds_per_worker == pytest.approx(30 / (7 * 0.05) / 6)
    assert found.expected.measuring_s[1] == 30
    settled = planning.outline(small(optimizations={"batched_cleanup": True}), "cpu", kept(), None)
    assert settled.expected is not None
    assert settled.expected.round_s == pytest.approx((3 + 2 * 3) * 0.05)


SIX = dict.fromkeys(
    ("resample_cache", "cached_device", "cached_cuda_check", "precompiled_regex", "speaker_preregistration"), True
)


def test_a_plan_of_a_joint_design_says_what_main_effect_it_finds_and_looks_at_nothing() -> None:
    found = planning.outline(small(design="factorial", optimizations=SIX), "cpu", kept(), None)
    assert (found.joint, found.looks_s) == (32, ())
    assert found.expected is not None
    assert found.expected.round_s == pytest.approx((3 * 3 + 33) * 0.05)
    few = planning.outline(small(design="factorial", optimizations=SIX, measure={"workers": 3}), "cpu", kept(), None)
    assert found.main_effect is not None
    assert few.main_effect is not None
    assert 0.01 < found.main_effect < few.main_effect
    assert planning.outline(small(), "cpu", kept(), None).main_effect is None


def test_a_joint_design_that_is_too_large_for_its_budget_gets_a_smaller_one_proposed() -> None:
    large = planning.outline(
        small(design="factorial", optimizations=SIX, measure={"budget": "5s"}), "cpu", kept(), None
    )
    assert "design: fractional has 16 timed arms instead of 32" in large.advice
    enough = planning.outline(
        small(design="factorial", optimizations=SIX, measure={"budget": "60s"}), "cpu", kept(), None
    )
    assert enough.advice == ""


def test_a_plan_is_said_in_a_few_lines_before_a_run() -> None:
    said: list[str] = []
    scenario = small(design="factorial", optimizations=SIX, measure={"budget": "5s"})
    outlook.show_plan(planning.outline(scenario, "cpu", kept(), None), said.append, "fake")
    assert said[0].startswith("plan for cpu: 34 arms, controls included; arms in a block: request 3; joint 33.")
    assert any("smallest main effect" in line for line in said)
    assert "instead of 32" in said[-1]
    bare: list[str] = []
    outlook.show_plan(planning.outline(scenario, "cpu", None, None), bare.append, "fake")
    assert "harness calibrate fake" in bare[-1]


@pytest.mark.parametrize(
    ("effect", "how", "budget_s"),
    [
        (0.01, "never", None),
        (0.07, "at most", 5.0),
        (0.05, "between", 10.0),
        (0.03, "between", 20.0),
        (0.01 + 0.02 / math.sqrt(2), "between", 40.0 / math.sqrt(2)),
        (0.015, "beyond", 160.0),
    ],
)
def test_the_budget_for_an_effect_lies_between_those_that_were_looked_at(
    effect: float, how: str, budget_s: float | None
) -> None:
    looked_at = [foresight(5, 0.06), foresight(10, 0.05), foresight(20, 0.03), foresight(40, 0.02)]
    found = planning.detection(effect, looked_at, 0.0)
    assert (found.how, found.budget_s) == (how, None if budget_s is None else pytest.approx(budget_s))


def test_where_a_smaller_budget_finds_nothing_the_next_one_is_the_answer() -> None:
    found = planning.detection(0.04, [foresight(5, None), foresight(10, 0.03)], 0.0)
    assert (found.how, found.budget_s) == ("between", 10)


def test_what_processes_differ_by_is_not_found_by_measuring_longer() -> None:
    found = planning.detection(0.0101, [foresight(20, 0.03), foresight(40, 0.012)], 0.003)
    assert (found.how, found.budget_s) == ("never", None)
    assert "give more of them" in found.reason
    hopeless = planning.detection(0.02, [foresight(20, None)], 0.0)
    assert "the placebo passes in 50.0 % of runs" in hopeless.reason


def harness(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return harness_command(*arguments, "--calibrations", "kept", cwd=cwd)


def test_plan_with_a_pilot_calibrates_once_and_answers_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text(
        "name: quick\nmodel: {adapter: fake, noise: 0.002}\ndevices: [cpu]\nworkload: {texts: {en: hello}}\n"
        "optimizations: {resample_cache: true}\nmeasure: {metrics: [latency], budget: 60s, workers: 6}\n"
    )
    bare = harness("plan", "quick.yaml", "--detect", "2%", cwd=tmp_path)
    assert bare.returncode == 0, bare.stderr
    assert "not known here" in bare.stdout
    pilot = harness("plan", "quick.yaml", "--detect", "2%", "--pilot", cwd=tmp_path)
    assert pilot.returncode == 0, pilot.stderr
    again = harness("plan", "quick.yaml", "--detect", "2%", "--json", cwd=tmp_path)
    (outline,) = json.loads(again.stdout)
    assert outline["detection"]["how"] in ("at most", "between")
    assert outline["calibrated"]["foresight"]["budget_s"] == 60
    for arguments, said in (("--detect", "1"), "written with its sign"), (("--budget", "soon"), "budget"):
        done = harness("plan", "quick.yaml", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr


def test_calibrate_answers_in_json_and_with_the_contracts_exit_codes(tmp_path: Path) -> None:
    text = (
        "name: quick\nmodel: {adapter: fake, noise: 0.002FAULT}\ndevices: [cpu]\nworkload: {texts: {en: hello}}\n"
        "optimizations: {resample_cache: true}\nmeasure: {metrics: [latency], budget: 5s, workers: 2}\n"
    )
    (tmp_path / "quick.yaml").write_text(text.replace("FAULT", ""))
    done = harness("calibrate", "quick.yaml", "--json", cwd=tmp_path)
    (outcome,) = json.loads(done.stdout)
    assert len(outcome["foresights"]) == 5
    assert Path(tmp_path, outcome["path"]).exists()
    assert harness("calibrate", "nothing", cwd=tmp_path).returncode == 2
    alone = harness("calibrate", "quick.yaml", "--set", "measure.workers=1", cwd=tmp_path)
    assert alone.returncode == 2
    assert "a calibration needs 2 or more" in alone.stderr
