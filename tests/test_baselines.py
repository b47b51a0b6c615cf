"""`harness gate --baseline`: stored runs that can be compared with, those that cannot, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import baselines, store, unpaired
from harness.errors import UsageError
from harness.gate import Decision
from harness.report import gates
from harness.results import Run, Trial
from tests.conftest import Quiet
from tests.test_revisions import git

SCENARIO = """
name: small
model: {adapter: fake, base: 50ms, noise: 0.001}
devices: [cuda]
workload: {texts: {en: hello}}
optimizations: {batched_cleanup: {after: {every: 4}}}
measure: {metrics: [latency, peak_allocated], budget: 10s, workers: 4, memory_repeats: 2, time_limit: 20s}
gate: {latency: 1%, peak_allocated: 0%, optimizations: {batched_cleanup: {latency: 5%}}}
"""
DEVICE = "cuda:0"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "--quiet")
    (folder / "bench.yaml").write_text(SCENARIO)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--message", "the first")
    return folder


@pytest.fixture(scope="module")
def measured(repository: Path) -> Run:
    """A finished run of the scenario, as `harness run` keeps it."""
    from harness import runner, scenario

    chosen = scenario.load(str(repository / "bench.yaml"))
    return runner.run(chosen, repository / "results" / "measured", devices=chosen.devices, progress=Quiet())


Keep = Callable[..., Path]


@pytest.fixture
def keep(repository: Path, measured: Run, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Store the run with its times, and with its memory, times a factor and other `fields`; the caller stands in the repository."""
    monkeypatch.chdir(repository)

    def store_it(name: str = "stored", *, times: float = 1.0, memory: float = 1.0, **fields: Any) -> Path:
        folder = repository / "results" / name
        folder.mkdir(parents=True, exist_ok=True)
        factors = {"latency": times, "memory": memory}
        trials = tuple(scaled(trial, factors[trial.pass_]) for trial in measured.trials)
        store.save(replace(measured, **{"id": name, "trials": trials, **fields}), folder)
        return folder

    return store_it


@pytest.fixture
def _again_the_same(measured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured now is what the stored run was made of, and takes no time."""

    def measure(_: object, folder: Path, *__: object) -> Run:
        folder.mkdir(parents=True)
        return measured

    monkeypatch.setattr(baselines._Now, "measure", measure)


same = pytest.mark.usefixtures("_again_the_same")


def scaled(trial: Trial, factor: float) -> Trial:
    kept = ("audio", "tokens")
    values = {name: value if value is None or name in kept else value * factor for name, value in trial.values.items()}
    return replace(trial, values=values)


def gate(*stored: Path, progress: Quiet | None = None, **keys: Any) -> tuple[Decision, Path]:
    arguments: Mapping[str, Any] = {"head": None, "dirty": False, "settings": [], "devices": None, **keys}
    decision, folder = baselines.gate(
        "bench.yaml", baselines=stored, out=Path("results"), progress=progress or Quiet(), **arguments
    )
    assert folder is not None
    return decision, folder


def lines(decision: Decision) -> dict[tuple[str, str], str]:
    return {(line.setting, line.metric): line.outcome for line in decision.lines}


@same
def test_equal_code_passes_and_every_output_says_that_this_is_the_weaker_comparison(keep: Keep) -> None:
    decision, folder = gate(keep())
    assert decision.outcome == "pass", decision
    assert lines(decision).keys() == {
        (setting, name) for setting in ("none", "batched_cleanup") for name in ("latency", "peak_allocated")
    }
    outputs = (gates.markdown(decision), gates.junit(decision), gates.json_text(decision), gates.github(decision))
    assert all("unpaired" in text and "stored run" in text for text in outputs)
    assert store.load(folder).complete


def test_what_was_measured_now_can_be_the_next_baseline_and_the_comparison_cannot(keep: Keep) -> None:
    decision, folder = gate(keep(times=1 / 1.3))
    assert decision.outcome == "regressed"
    assert (folder / f"{folder.name}-again" / store.RUN_FILE).exists()
    assert baselines.read(baselines.head_run(folder)).run.id.endswith("-head")
    with pytest.raises(UsageError, match=r"is itself a comparison .* name results/.*-head"):
        baselines.read(folder)


@same
def test_much_slower_code_has_regressed_once_it_was_measured_again(keep: Keep) -> None:
    decision, _ = gate(keep(times=1 / 1.3))
    assert decision.outcome == "regressed"
    assert lines(decision)["none", "latency"] == lines(decision)["batched_cleanup", "latency"] == "regressed"
    assert next(line for line in decision.lines if line.outcome == "regressed").reason.startswith("fresh processes")


@same
def test_what_may_be_the_machine_is_inconclusive_against_one_stored_run_and_no_regression(keep: Keep) -> None:
    decision, _ = gate(keep(times=1 / 1.06))
    assert lines(decision)["none", "latency"] == "inconclusive"
    reason = next(line.reason for line in decision.lines if line.key == (DEVICE, "none", "latency"))
    assert "one stored run does not show how far it moves" in reason


@same
def test_several_stored_runs_show_how_far_the_machine_moves(keep: Keep, measured: Run) -> None:
    environment = {**measured.environment, "git": {"commit": "a" * 40, "dirty": False}}

    def runs(spread: float) -> list[Path]:
        return [
            keep(f"day{day}", times=(1 + spread * day) / 1.06, environment=environment) for day in (-2, -1, 0, 1, 2)
        ]

    assert lines(gate(*runs(0.001))[0])["none", "latency"] == "regressed"
    assert lines(gate(*runs(0.05))[0])["none", "latency"] == "inconclusive"


@same
def test_memory_is_compared_to_the_byte_whatever_the_machine_does(keep: Keep) -> None:
    byte = 1e-9
    decision, _ = gate(keep(memory=1 - byte))
    assert lines(decision)["none", "peak_allocated"] == "regressed"
    assert lines(decision)["none", "latency"] == "pass"


@same
def test_other_work_is_no_pass(keep: Keep, measured: Run) -> None:
    trials = tuple(
        replace(trial, values={**trial.values, "tokens": 7.0}) if "tokens" in trial.values else trial
        for trial in measured.trials
    )
    decision, _ = gate(keep(trials=trials))
    assert (decision.outcome, decision.exit_code) == ("failed", 4)
    assert "made 7 speech tokens" in decision.lines[0].reason


def test_the_run_of_a_gate_is_compared_with_groups_of_processes(keep: Keep) -> None:
    from harness import gating

    keep()
    settings = ["measure.memory_repeats=1"]
    _, first = gating.gate(
        "bench.yaml",
        base="HEAD",
        head=None,
        dirty=False,
        settings=settings,
        devices=None,
        out=Path("results"),
        progress=Quiet(),
    )
    assert first is not None
    decision, folder = gate(first, settings=settings)
    assert lines(decision)["none", "latency"] == "pass", decision
    now = store.load(baselines.head_run(folder))
    assert now.plan.limits
    assert not [finding for finding in now.findings if finding.kind == "scenario"]
    with pytest.raises(UsageError, match="measured in two ways"):
        gate(first, keep(), settings=settings)


REFUSED: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "text": ({"settings": ["workload.texts.en=bye"]}, r"its workload\.texts\.en was 'hello', and is 'bye' here"),
    "model": ({"settings": ["model.base=60ms"]}, r"its model\.base was '0\.05s', and is '0\.06s' here"),
    "metrics": ({"settings": ["measure.metrics=[latency, ttfa, peak_allocated]"]}, r"its measure\.metrics was"),
    "threads": ({"settings": ["measure.threads=2"]}, r"its measure\.threads was 1, and is 2 here"),
    "toggle": ({"settings": ["optimizations.cached_device=true"]}, r"its optimizations\.cached_device was not set"),
    "device": ({"devices": ["cpu", "cuda"]}, r"it was not measured on cpu \(but on cuda:0; choose with --device\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_another_scenario_or_device_is_refused_by_what_differs(keep: Keep, case: str) -> None:
    keys, message = REFUSED[case]
    with pytest.raises(UsageError, match=message):
        gate(keep(), **keys)


def test_another_machine_is_refused_by_what_differs(keep: Keep, measured: Run) -> None:
    versions = {**measured.environment["versions"], "torch": "0.1"}
    with pytest.raises(UsageError, match=r"another machine for cuda:0: it had torch 0\.1, here is torch [\d.]+"):
        gate(keep(environment={**measured.environment, "versions": versions}))
    with pytest.raises(UsageError, match="does not say on which machine"):
        gate(keep(environment={}))


def test_a_run_that_was_not_finished_is_refused(keep: Keep) -> None:
    with pytest.raises(UsageError, match=r"was not finished.*harness run --resume"):
        gate(keep("unfinished", complete=False))


def test_a_run_whose_controls_failed_is_refused(keep: Keep, measured: Run) -> None:
    failed = tuple(replace(control, passed=False, reason="too noisy") for control in measured.controls)
    with pytest.raises(UsageError, match="not calibrated for latency on cuda:0: control placebo failed, too noisy"):
        gate(keep(controls=failed))
    with pytest.raises(UsageError, match="it has no controls"):
        gate(keep(controls=()))


def test_what_cannot_be_read_is_refused(keep: Keep, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        gate(tmp_path)
    folder = keep("torn")
    (folder / store.RUN_FILE).write_text("{")
    with pytest.raises(UsageError, match="cannot be read as a run"):
        gate(folder)


def test_several_stored_runs_must_be_different_runs_of_the_same_code(keep: Keep, measured: Run) -> None:
    runs = [
        keep(commit, environment={**measured.environment, "git": {"commit": commit, "dirty": False}})
        for commit in ("a", "b")
    ]
    with pytest.raises(UsageError, match="must be of the same code"):
        gate(*runs)
    with pytest.raises(UsageError, match="named twice"):
        gate(runs[0], runs[0])


def test_a_setting_that_failed_now_is_told(measured: Run) -> None:
    from harness.results import Failure

    settings = {"none": {"batched_cleanup": False}}
    died = Failure(device=DEVICE, pass_="latency", arm="none", kind="crash", message="it died", final=True)
    made = unpaired.against(replace(measured, failures=(died,)), [measured], settings, {"none": {"latency": 0.01}})
    assert {(c.verdict, c.reason) for c in made.contrasts} == {("failed", "it died")}
