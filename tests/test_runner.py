"""What a run does, end to end, with the fake adapter in real worker processes."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from harness import compare, processes, runner, store
from harness.designs import INSTRUMENTATION
from harness.environment import environment, other_cards
from harness.errors import NothingMeasuredError, UsageError, WorkerError
from harness.jointly import SHARED
from harness.optimizations import named
from harness.optimizations.registry import Check
from harness.passes import latency as latency_pass
from harness.passes.memory import SHARED_REPEATS
from harness.report import page
from harness.results import Contrast, Control, Failure, Finding, Run, Trial
from harness.scenario import Scenario, load
from harness.session import need
from tests.conftest import TOGGLES, Quiet, fake_scenario


def contrast(run: Run, optimization: str, metric: str = "latency", stratum: str = "") -> Contrast:
    return next(c for c in run.contrasts if (c.optimization, c.metric, c.stratum) == (optimization, metric, stratum))


def test_planted_effects_are_found_and_the_rest_is_called_equal(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"effects": {"resample_cache": -0.1, "cached_device": 0.05}})
    assert all(control.passed for control in run.controls), run.controls
    faster, slower, equal = (contrast(run, name) for name in TOGGLES)
    assert (faster.verdict, slower.verdict, equal.verdict) == ("faster", "slower", "no material difference")
    assert faster.ratio_low is not None
    assert faster.ratio_high is not None
    assert faster.ratio_low < 0.9 < faster.ratio_high
    together = contrast(run, "all")
    assert together.ratio == pytest.approx(0.9 * 1.05, abs=0.005)
    assert run.complete


def test_each_after_state_of_a_toggle_has_its_own_effect_and_witness(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"effects": {"batched_cleanup": -0.1, "batched_cleanup[every=4]": -0.2}},
        optimizations={"batched_cleanup": {"after": [{"every": "request"}, {"every": 4}]}, "resample_cache": True},
    )
    found = [contrast(run, f"batched_cleanup[every={every}]") for every in ("request", 4)]
    assert [item.verdict for item in found] == ["faster", "faster"]
    assert [item.ratio for item in found] == [pytest.approx(0.9, abs=0.005), pytest.approx(0.8, abs=0.005)]
    assert [(item.witness_before, item.witness_after) for item in found] == [(1, 0), (1, 0)]
    assert contrast(run, "all").ratio == pytest.approx(0.9, abs=0.005)
    assert "batched_cleanup" not in {item.optimization for item in run.contrasts}


def test_requests_at_the_same_moment_are_measured_under_controls_and_have_peaks_of_their_own(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(
        model={"effects": {"resample_cache": -0.1}, "crowding": {"resample_cache": -0.1}, "noise": 0.001},
        workload={"texts": {"en": "hello"}, "concurrency": [1, 3]},
        measure={"metrics": ["latency", "peak_reserved"], "budget": "30s"},
        devices=["cuda"],
    )
    assert all(control.passed for control in run.controls), run.controls
    assert run.plan.concurrency == {"en zero_shot": 1, "en zero_shot, 3 at once": 3}
    ratio = contrast(run, "resample_cache").ratio
    assert ratio == pytest.approx((0.9 * 0.7) ** 0.5, abs=0.005)
    peaks = {t.stratum: t.values["peak_reserved"] for t in run.trials if (t.pass_, t.arm) == ("memory", "none")}
    assert peaks == {"cycle": 600 * 2**20, "alone": 400 * 2**20, "3 at once": 600 * 2**20}
    assert contrast(run, "resample_cache", "peak_reserved").before == 600 * 2**20
    assert {e.request for e in run.equivalences} == {"en-zero_shot-aishell-0121-s0"}


def test_an_error_in_one_of_several_threads_is_that_arms_failure(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"faults": {"cached_device": "error_in_a_crowd"}},
        workload={"texts": {"en": "hello"}, "concurrency": 3},
    )
    failed = [failure for failure in run.failures if failure.final]
    assert {(failure.arm, failure.kind) for failure in failed} == {("cached_device", "error"), ("all", "error")}
    assert "planted error in one of 3 requests" in failed[0].message
    assert contrast(run, "resample_cache").verdict == "no material difference"


def test_an_after_state_that_fails_leaves_the_others(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"faults": {"batched_cleanup[every=4]": "error"}},
        optimizations={"batched_cleanup": {"after": [{"every": "request"}, {"every": 4}]}},
    )
    assert contrast(run, "batched_cleanup[every=4]").verdict == "failed"
    assert contrast(run, "batched_cleanup[every=request]").verdict == "no material difference"


def test_every_toggle_has_witness_counts_that_moved_as_declared(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake()
    for name in TOGGLES:
        assert contrast(run, name).witness_before == 1
        assert contrast(run, name).witness_after == 0


def test_a_toggle_that_does_nothing_is_inert_whatever_its_time(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"faults": {"resample_cache": "inert"}, "effects": {"resample_cache": -0.1}})
    found = contrast(run, "resample_cache")
    assert found.verdict == "inert"
    assert "did not move" in found.reason
    assert contrast(run, "cached_device").verdict == "no material difference"


def test_a_toggle_that_is_taken_away_is_not_called_inert(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"effects": {"resample_cache": -0.1}},
        optimizations={"resample_cache": {"before": True, "after": False}, "cached_device": True},
    )
    found = contrast(run, "resample_cache")
    assert (found.verdict, found.witness_before, found.witness_after) == ("slower", 0, 1)


def test_a_witness_that_was_not_counted_proves_nothing_either_way(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"effects": {"resample_cache": -0.1}})
    others = tuple(count for count in run.witnesses if count.arm != "resample_cache")
    found = contrast(compare.evaluate(replace(run, witnesses=others)), "resample_cache")
    assert found.verdict == "inconclusive"
    assert found.reason == "resample_cache: its witness was not counted"


def test_a_planted_output_change_is_caught(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"faults": {"cached_device": "change"}, "effects": {"cached_device": -0.2}})
    found = contrast(run, "cached_device")
    assert found.verdict == "output changed"
    assert found.equivalence == "changed"
    assert contrast(run, "all").verdict == "output changed"
    assert contrast(run, "resample_cache").verdict == "no material difference"


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("crash", "crash", "SIGABRT"),
        ("crash_at_bind", "crash", "SIGABRT"),
        ("hang", "hang", "time limit"),
        ("out_of_memory", "out_of_memory", "not enough memory"),
        ("error", "error", "planted error"),
    ],
)
def test_a_fault_fails_its_arm_and_leaves_the_others(
    measure_fake: Callable[..., Run], fault: str, kind: str, said: str, quiet: Quiet
) -> None:
    run = measure_fake(
        model={"faults": {"cached_device": fault}, "effects": {"resample_cache": -0.1}},
        measure={"time_limit": "0.5s"},
        design="leave_one_out" if fault == "error" else "one_at_a_time",
        optimizations={"resample_cache": True, "cached_device": True}
        if fault != "error"
        else {"resample_cache": True, "cached_device": {"before": True, "after": False}},
    )
    assert run.complete
    failed = [failure for failure in run.failures if failure.final]
    assert {failure.kind for failure in failed} == {kind}
    assert said in failed[0].message
    assert contrast(run, "cached_device").verdict == "failed"
    if fault != "error":
        assert contrast(run, "resample_cache").verdict == "faster"
        assert any("cached_device has failed" in note for note in quiet.notes)


def test_an_arm_that_died_after_one_worker_leaves_the_intervals_of_the_others_as_they_were(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake()
    first = min(trial.worker for trial in run.trials if trial.pass_ == "latency")
    kept = tuple(t for t in run.trials if t.pass_ != "latency" or t.arm != "cached_device" or t.worker == first)
    died = Failure(device="cpu", pass_="latency", arm="cached_device", kind="crash", message="it died", final=True)
    never = tuple(t for t in run.trials if t.arm != "cached_device")
    beside, without = (compare.evaluate(replace(run, trials=trials, failures=(died,))) for trials in (kept, never))
    assert contrast(beside, "resample_cache") == contrast(without, "resample_cache")
    assert beside.controls == without.controls
    assert contrast(beside, "cached_device").verdict == "failed"
    assert contrast(beside, "cached_device").ratio is None


def test_an_arm_that_dies_once_is_tried_again_alone_and_then_measured(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"faults": {"cached_device": "crash_once"}})
    assert [(failure.arm, failure.final) for failure in run.failures] == [("cached_device", False)]
    assert contrast(run, "cached_device").verdict == "no material difference"


def test_when_the_reference_fails_nothing_can_be_compared(tmp_path: Path, quiet: Quiet) -> None:
    faulty = fake_scenario(
        model={"faults": {"cached_device": "error"}}, optimizations={"cached_device": {"before": True, "after": False}}
    )
    with pytest.raises(NothingMeasuredError, match="planted error"):
        runner.run(faulty, tmp_path / "run", devices=["cpu"], progress=quiet)
    assert (tmp_path / "run" / store.RUN_FILE).exists()


def test_where_every_arm_has_failed_nothing_is_timed_and_each_reason_is_told_once(tmp_path: Path, quiet: Quiet) -> None:
    faulty = fake_scenario(
        model={"faults": {"cached_device": "hang"}}, optimizations={"cached_device": True},
        measure={"time_limit": "500ms", "metrics": ["latency"]},
    )  # fmt: skip
    with pytest.raises(NothingMeasuredError) as caught:
        runner.run(faulty, tmp_path / "run", devices=["cpu"], progress=quiet)
    assert str(caught.value).count("no answer for 1 s while cached_device ran the request") == 1
    assert "; its output is in" not in str(caught.value)
    assert not any(trial.phase == "timed" for trial in store.load(tmp_path / "run").trials)


def test_a_noisy_run_draws_no_verdict(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"noise": 0.2, "effects": {"resample_cache": -0.4}})
    placebo = next(control for control in run.controls if control.name == "placebo" and control.metric == "latency")
    assert placebo.allowance > math.log1p(run.plan.margin["latency"])
    assert contrast(run, "resample_cache").verdict == "inconclusive"
    assert contrast(run, "resample_cache").ratio is not None


def test_what_slows_candidate_and_twin_alike_makes_no_verdict(measure_fake: Callable[..., Run]) -> None:
    run, margin = measure_fake(measure={"margin": "10%"}), 0.1
    bias, effect = 1 + 0.4 * margin, 1 + 0.8 * margin  # together beyond the margin; the placebo stays within half of it
    arms = {"placebo": bias, "placebo_settled": bias, "cached_device": bias * effect, "resample_cache": 2.0}
    trials = tuple(taking(arms[trial.arm], trial) if trial.arm in arms else trial for trial in run.trials)
    found = compare.evaluate(replace(run, trials=trials))
    between = contrast(found, "cached_device")
    assert (between.verdict, "against the reference's twin" in between.reason) == ("inconclusive", True)
    assert between.ratio_low is not None
    assert between.ratio_low > 1 + margin
    assert between.twin_high is not None
    assert between.twin_high < 1 + margin
    assert contrast(found, "resample_cache").verdict == "slower"


def test_a_fake_gpu_has_device_times_memory_peaks_and_a_device_dose(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"memory": {"resample_cache": 50 * 2**20}, "noise": 0.001}, devices=["cuda"],
        measure={"metrics": ["latency", "peak_allocated"]},
    )  # fmt: skip
    assert {control.name for control in run.controls} == {"placebo", "host_dose", "device_dose", "memory_dose"}
    assert all(control.passed for control in run.controls)
    less = contrast(run, "resample_cache", "peak_allocated")
    assert less.verdict == "less"
    assert less.before is not None
    assert less.after is not None
    assert less.before - less.after == 50 * 2**20
    assert contrast(run, "resample_cache", "device.latency").before == pytest.approx(0.05, rel=0.01)


def test_where_memory_alone_is_asked_for_nothing_is_timed_and_its_control_vouches(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(
        model={"memory": {"resample_cache": 50 * 2**20}}, devices=["cuda"],
        measure={"metrics": ["peak_allocated"], "margin": "1%"},
    )  # fmt: skip
    assert run.complete
    assert {trial.pass_ for trial in run.trials} == {"memory"}
    assert [(control.name, control.passed) for control in run.controls] == [("memory_dose", True)]
    assert contrast(run, "resample_cache", "peak_allocated").verdict == "less"
    assert not run.caches


def test_cpu_memory_that_cannot_be_read_is_none_with_a_reason(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"metrics": ["latency", "peak_allocated"]})
    found = contrast(run, "resample_cache", "peak_allocated")
    assert found.before is None
    assert found.ratio is None
    assert "device memory" in found.reason
    assert "peak_allocated" in run.unavailable["cpu"]


def test_leave_one_out_compares_all_with_all_but_each(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"effects": {"resample_cache": -0.1}}, design="leave_one_out")
    found = contrast(run, "resample_cache")
    assert (found.reference_arm, found.arm) == ("all-but-resample_cache", "all")
    assert (found.verdict, found.equivalence) == ("faster", "bitwise")
    assert "all" not in {c.optimization for c in run.contrasts}


def test_a_missing_device_is_skipped_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "gpus", list)
    usable, skipped = runner.usable_devices(["cpu", "cuda"], fake=False)
    assert usable == ("cpu",)
    assert "cuda was skipped" in skipped[0].message
    with pytest.raises(UsageError, match="none of the devices is here"):
        runner.usable_devices(["cuda"], fake=False)


def test_samples_and_run_file_say_the_same_after_loading(measure_fake: Callable[..., Run], tmp_path: Path) -> None:
    run = measure_fake(measure={"metrics": ["latency", "rss_peak"]})
    again = store.load(tmp_path / "run")
    assert again == run
    samples = pd.read_parquet(tmp_path / "run" / store.SAMPLES)
    assert set(samples["unit"]) >= {"s", "bytes"}
    data = json.loads((tmp_path / "run" / store.RUN_FILE).read_bytes())
    wanted = {
        "schema_version",
        "scenario",
        "environment",
        "plan",
        "controls",
        "contrasts",
        "arms",
        "findings",
        "failures",
    }
    assert wanted <= set(data)


def start(tmp_path: Path, budget: str = "100000s", noise: float = 0.5) -> subprocess.Popen[bytes]:
    """A run that will not be decided before its budget is spent; with less noise it may be."""
    scenario = tmp_path / "endless.yaml"
    scenario.write_text(
        f"name: endless\nmodel: {{adapter: fake, noise: {noise}}}\ndevices: [cpu]\nworkload: {{texts: {{en: hello}}}}\n"
        f"optimizations: {{resample_cache: true}}\nmeasure: {{budget: {budget}, workers: 3, memory_repeats: 2}}\n"
    )
    command = [sys.executable, "-m", "harness", "run", str(scenario), "--out", str(tmp_path / "results")]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and each child, ignores Ctrl-C
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_blocks(tmp_path: Path, count: int) -> Path:
    """The run's folder, once `count` timed blocks are in its journal."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for journal in (tmp_path / "results").glob("*/journal.jsonl"):
            if journal.read_bytes().count(b'"timed"') >= count:
                return journal.parent
    pytest.fail("no blocks were measured within a minute")


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    found = [child.pid for child in psutil.Process(process.pid).children()]
    assert found
    return found


def test_a_killed_runner_loses_nothing_written_and_resume_finishes(tmp_path: Path) -> None:
    process = start(tmp_path)
    folder = wait_for_blocks(tmp_path, 10)
    workers = children_of(process)
    process.kill()
    process.communicate()
    journal = folder / store.JOURNAL
    with journal.open("ab") as file:
        file.write(b'{"is": "block", "torn')
    before = len(store.run_from_journal(folder).trials)
    assert before > 0
    for pid in workers:
        assert_ended(pid)
    finished = subprocess.run(  # the budget is spent, so that what remains is little
        [sys.executable, "-c", RESUME_WITH_SMALL_BUDGET, str(folder)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    run = store.load(folder)
    assert run.complete
    assert len(run.trials) > before
    assert not journal.exists()
    assert {c.optimization for c in run.contrasts} == {"resample_cache"}
    assert set(json.loads((folder / store.RUN_FILE).read_bytes())) >= {"schema_version", "contrasts", "controls"}


RESUME_WITH_SMALL_BUDGET = """
import sys, json
from pathlib import Path
folder = Path(sys.argv[1])
journal = folder / "journal.jsonl"
lines = journal.read_bytes().split(b"\\n")
run = json.loads(lines[0])
run["scenario"]["measure"]["budget"] = 1
lines[0] = json.dumps(run).encode()
journal.write_bytes(b"\\n".join(lines))
sys.argv = ["harness", "run", "--resume", str(folder)]
from harness.cli import main
main()
"""


def assert_ended(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
    pytest.fail(f"worker {pid} outlived its runner")


def test_a_killed_worker_is_replaced_and_the_run_completes(tmp_path: Path) -> None:
    process = start(tmp_path, budget="600s", noise=0.01)
    folder = wait_for_blocks(tmp_path, 10)
    os.kill(children_of(process)[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr.decode()
    run = store.load(folder)
    assert [failure.kind for failure in run.failures] == ["crash"]
    assert "SIGKILL" in run.failures[0].message
    assert not run.failures[0].final
    found = contrast(run, "resample_cache")
    assert found.verdict == "no material difference", (found, run.controls, run.looks)


def test_ctrl_c_keeps_what_was_measured_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(tmp_path)
    folder = wait_for_blocks(tmp_path, 10)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--resume {folder}" in " ".join(stderr.decode().split())
    run = store.load(folder)
    assert not run.complete
    assert compare.evaluate(run).contrasts


def test_a_complete_run_cannot_be_resumed(measure_fake: Callable[..., Run], tmp_path: Path, quiet: Quiet) -> None:
    measure_fake()
    with pytest.raises(UsageError, match="nothing to resume"):
        runner.resume(tmp_path / "run", quiet)


def test_underruns_are_summed_up_for_each_arm_and_never_compared(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"base": "10s", "noise": 0.0001}, workload={"texts": {"en": "hello"}, "stream": True},
        measure={"metrics": ["latency", "ttfa", "chunk_gap"], "budget": "200s", "time_limit": "60s"},
    )  # fmt: skip
    assert not {"underruns", "stall"} & {c.metric for c in run.contrasts}
    assert contrast(run, "resample_cache", "chunk_gap").before == pytest.approx(1.0, rel=0.01)
    arm = next(arm for arm in run.arms if arm.arm == "none")
    assert arm.metrics["underruns"]["total"] == arm.metrics["underruns"]["nonzero"] == arm.metrics["underruns"]["count"]
    assert arm.metrics["stall"]["p50"] == pytest.approx(0.75, rel=0.01)


THREE_KINDS = {"texts": {"a": "one", "b": "two", "c": "three"}}


def test_effects_are_given_by_kind_of_request_and_the_whole_workload_has_the_verdict(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(model={"effects": {"resample_cache": -0.1}}, workload=THREE_KINDS)
    whole = contrast(run, "resample_cache")
    assert (whole.stratum, whole.level, whole.verdict) == ("", 0.95, "faster")
    for stratum in ("a zero_shot", "b zero_shot", "c zero_shot"):
        part = contrast(run, "resample_cache", stratum=stratum)
        assert part.verdict == "faster"
        assert part.level == pytest.approx(1 - 0.05 / 3)
        assert part.blocks < whole.blocks
    assert {c.metric for c in run.contrasts if c.stratum} == {"latency"}


def test_an_effect_on_one_kind_of_request_is_found_there_and_nowhere_else(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(workload=THREE_KINDS)
    slower = tuple(
        replace(trial, values={**trial.values, "latency": 1.2 * latency})
        if (trial.arm, trial.stratum) == ("cached_device", "b zero_shot") and (latency := trial.values.get("latency"))
        else trial
        for trial in run.trials
    )
    again = compare.evaluate(replace(run, trials=slower))
    verdicts = {
        c.stratum: c.verdict for c in again.contrasts if (c.optimization, c.metric) == ("cached_device", "latency")
    }
    assert verdicts == {
        "": "slower",
        "a zero_shot": "no material difference",
        "b zero_shot": "slower",
        "c zero_shot": "no material difference",
    }
    assert contrast(again, "cached_device").ratio == pytest.approx(1.2 ** (1 / 3), rel=0.005)


def test_a_workload_of_one_kind_has_nothing_to_tell_apart(measure_fake: Callable[..., Run]) -> None:
    assert not any(c.stratum for c in measure_fake().contrasts)


def test_a_limit_of_memory_is_a_result_that_names_the_stage_and_what_is_missing(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario(devices=["cuda"], measure={"vram_limit": "256MiB"})
    with pytest.raises(NothingMeasuredError) as caught:
        runner.run(chosen, tmp_path / "run", devices=["cuda"], progress=quiet)
    told = str(caught.value).replace("\u202f", " ")
    assert "out of memory in stage flow" in told
    assert "without the limit a request takes 400.0 MiB, context included: 144.0 MiB too much" in told
    assert "(over the limit: flow by 144.0 MiB)" in told
    assert told.count("out of memory in stage flow") == 1, "nothing is told twice"
    assert {failure.kind for failure in store.load(tmp_path / "run").failures} == {"out_of_memory"}


def test_a_limit_that_holds_says_what_is_to_spare(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(devices=["cuda"], measure={"metrics": ["latency", "peak_reserved"], "vram_limit": "512MiB"})
    (told,) = [finding.message.replace("\u202f", " ") for finding in run.findings if finding.kind == "limit"]
    peak = max(c.before or 0.0 for c in run.contrasts if c.metric == "peak_reserved")
    assert told.startswith(
        f"The limit of 512.0 MiB holds, with {(512 * 2**20 - peak) / 2**20:.1f} MiB to spare: the most, by "
    )
    assert told.endswith(", up to 0 B of it outside the allocator; tensors held most in flow.")
    assert told in page.build(run).devices[0].answer.replace("\u202f", " "), "the answer that such a run was asked for"


@pytest.mark.parametrize(
    ("whole_mib", "said"),
    [
        (450, "holds, with 62.00 MiB to spare: the most, by "),
        (512, "holds, with nothing to spare: "),
        (520, "was passed by up to 8.000 MiB between two counts: "),
        (None, "holds, with 112.0 MiB to spare: "),
    ],
)
def test_a_limit_is_judged_by_what_the_process_held_in_all(
    measure_fake: Callable[..., Run], whole_mib: int | None, said: str
) -> None:
    run = measure_fake(devices=["cuda"], measure={"metrics": ["peak_reserved"], "vram_limit": "512MiB"})
    whole = None if whole_mib is None else whole_mib * 2.0**20
    trials = (replace(trial, values={**trial.values, "process_peak": whole}) for trial in run.trials)
    again = compare.evaluate(replace(run, trials=tuple(trials), findings=()))
    (told,) = [finding.message.replace("\u202f", " ") for finding in again.findings if finding.kind == "limit"]
    assert told.startswith(f"The limit of 512.0 MiB {said}")


def test_a_limit_that_an_arm_did_not_fit_is_not_said_to_hold(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario(
        devices=["cuda"], model={"memory": {"resample_cache": -64 * 2**20}},
        measure={"vram_limit": "420MiB", "metrics": ["latency", "peak_reserved"]},
    )  # fmt: skip
    run = runner.run(chosen, tmp_path / "run", devices=["cuda"], progress=quiet)
    assert {failure.arm for failure in run.failures if failure.kind == "out_of_memory"} >= {"resample_cache"}
    assert not [finding for finding in run.findings if finding.kind == "limit"]


def test_the_known_allocation_is_no_part_of_what_a_limit_holds(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(devices=["cuda"], measure={"vram_limit": "400MiB", "metrics": ["peak_reserved"]})
    assert not run.failures
    (dose,) = [control for control in run.controls if control.name == "memory_dose"]
    assert dose.passed
    (told,) = [finding.message.replace("\u202f", " ") for finding in run.findings if finding.kind == "limit"]
    assert told.startswith("The limit of 400.0 MiB holds, with nothing to spare: ")


def test_what_dies_of_reading_memory_is_tried_alone_by_reading_it(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario(
        devices=["cuda"],
        workload={"concurrency": [1, 4]},
        measure={"vram_limit": "512MiB", "metrics": ["peak_reserved"]},
    )
    with pytest.raises(NothingMeasuredError, match="4 requests at once take"):
        runner.run(chosen, tmp_path / "run", devices=["cuda"], progress=quiet)
    failures = [one for one in store.load(tmp_path / "run").failures if one.arm == "none"]
    assert [(one.pass_, one.final) for one in failures] == [("memory", False), ("memory", True)]


def test_what_a_limit_refused_requests_that_went_on_is_told_by_pass_and_arm(measure_fake: Callable[..., Run]) -> None:
    """Each process is refused once, at its first request, as of cuDNN's plan of a convolution."""
    planted = {"faults": {"cached_device": "refused"}}
    measure = {"metrics": ["latency", "peak_reserved"], "vram_limit": "512MiB", "workers": 2, "memory_repeats": 3}
    run = measure_fake(model=planted, devices=["cuda"], measure=measure)
    (told,) = [finding.message for finding in run.findings if finding.kind == "refused"]
    assert "(in the latency pass cached_device 2; in the memory pass cached_device 3, all 3): a library" in told
    counts = {arm.arm: arm.metrics["ooms"] for arm in run.arms if "ooms" in arm.metrics}
    assert {arm: (found["p50"], found["count"]) for arm, found in counts.items()} == {
        "none": (0.0, 3), "resample_cache": (0.0, 3), "cached_device": (1.0, 3), "cached_cuda_check": (0.0, 3),
        "all": (1.0, 3), "host_dose": (0.0, 3),
    }  # fmt: skip
    free = measure_fake(model=planted, devices=["cuda"], measure={**measure, "vram_limit": None})
    assert "refused" not in {finding.kind for finding in free.findings}


def test_under_a_limit_no_arm_of_a_joint_design_is_read_in_a_process_with_another(
    measure_fake: Callable[..., Run],
) -> None:
    def processes(**measure: str) -> set[int]:
        run = measure_fake(
            devices=["cuda"], design="factorial", measure={"metrics": ["latency", "peak_allocated"], **measure}
        )
        return {trial.worker for trial in run.trials if trial.group == SHARED}

    assert len(processes()) == SHARED_REPEATS
    assert len(processes(vram_limit="512MiB")) == SHARED_REPEATS * 2 ** len(TOGGLES)


def test_requests_at_once_that_do_not_fit_are_told_together(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario(devices=["cuda"], workload={"concurrency": [1, 4]}, measure={"vram_limit": "512MiB"})
    with pytest.raises(NothingMeasuredError) as caught:
        runner.run(chosen, tmp_path / "run", devices=["cuda"], progress=quiet)
    told = str(caught.value).replace("\u202f", " ")
    assert "without the limit 4 requests at once take 700.0 MiB, context included: 188.0 MiB too much" in told


def test_where_no_stage_fits_the_emptiest_and_the_fullest_are_named() -> None:
    values = {"peak_allocated": 3.0 * 2**30, "peak_allocated.flow": 3.0 * 2**30, "peak_allocated.cleanup": 2.5 * 2**30}
    told = need(values, 2**29, 2 * 2**30).replace("\u202f", " ")
    assert told.startswith("without the limit a request takes 3.500 GiB, context included: 1.500 GiB too much")
    assert told.endswith("(over the limit in every stage, from cleanup by 1.000 GiB to flow by 1.500 GiB)")
    some = need(values, 2**29, 13 * 2**28).replace("\u202f", " ")
    assert some.endswith("(over the limit: flow by 256.0 MiB)")


def test_a_toggle_that_needs_more_memory_fails_alone(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario(
        devices=["cuda"], model={"memory": {"resample_cache": -64 * 2**20}}, measure={"vram_limit": "420MiB"}
    )
    run = runner.run(chosen, tmp_path / "run", devices=["cuda"], progress=quiet)
    assert contrast(run, "resample_cache").verdict == "failed"
    assert "44.00 MiB too much" in contrast(run, "resample_cache").reason.replace("\u202f", " ")
    assert contrast(run, "cached_device").verdict == "no material difference"


def test_a_run_in_parts_comes_to_the_same_end(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario(model={"effects": {"resample_cache": -0.1}}, measure={"budget": "2s"})
    folder = tmp_path / "run"
    run = runner.run(chosen, folder, devices=["cpu"], progress=quiet, limit_s=0.5)
    parts = 1
    while not run.complete:
        assert parts < 50
        run = runner.resume(folder, quiet, limit_s=0.5)
        parts += 1
    assert parts > 1
    assert contrast(run, "resample_cache").ratio == pytest.approx(0.9, abs=0.01)
    timed = [(t.pass_, t.kind, t.group, t.block, t.arm) for t in run.trials if t.phase == "timed"]
    assert len(set(timed)) == len(timed)
    assert not [finding for finding in run.findings if finding.kind == "resumed"]


def test_each_worker_takes_groups_and_kinds_of_request_in_turn(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        optimizations={"batched_cleanup": True, "resample_cache": True}, workload=THREE_KINDS,
        measure={"budget": "6s", "margin": "0.001%"},
    )  # fmt: skip
    timed = [t for t in run.trials if (t.phase, t.pass_, t.kind) == ("timed", "latency", "request")]
    one_round = [(group, f"{label} zero_shot") for label in THREE_KINDS["texts"] for group in ("request", "settled")]
    workers = {t.worker for t in timed}
    assert len(workers) == 3
    for worker in workers:
        blocks = dict.fromkeys((t.block, t.group, t.stratum) for t in timed if t.worker == worker)
        turns = [(group, stratum) for _, group, stratum in blocks]
        assert len(turns) >= len(one_round)
        assert turns == (one_round * len(turns))[: len(turns)]


def test_workers_alternate_so_that_all_of_them_have_worked_at_every_look(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"margin": "0.001%", "budget": "30s"})
    timed = [t for t in run.trials if (t.phase, t.pass_, t.kind) == ("timed", "latency", "request")]
    assert [look.share for look in run.looks] == list(run.plan.looks)
    for look in run.looks:
        assert {t.worker for t in timed if t.block < look.blocks} == {t.worker for t in timed}
        assert not look.decided


def test_on_a_gpu_the_first_worker_warms_up_alone_and_the_others_at_the_same_moment(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    met, original = threading.Barrier(3, timeout=60), latency_pass._warm_up
    warmed: list[int] = []

    def warm_up(*given: Any) -> Any:
        if warmed:
            met.wait()  # breaks, and fails the run, where one waits for another to end
        warmed.append(given[1])
        return original(*given)

    monkeypatch.setattr(latency_pass, "_warm_up", warm_up)
    monkeypatch.setattr(latency_pass, "warmed_at_once", lambda device, _: 3 if device.startswith("cuda") else 1)
    run = measure_fake(model={"noise": 0.05}, devices=["cuda"], measure={"workers": 4})
    assert run.complete
    assert len(warmed) == 4
    doses_s = {trial.worker: dose for trial in run.trials if (dose := trial.values.get("dose"))}
    assert len(doses_s) == 4
    assert max(doses_s.values()) - min(doses_s.values()) < 1e-8  # measured out by the first alone


def test_a_worker_that_dies_while_others_warm_up_beside_it_is_replaced_by_one_that_does_so_alone(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, quiet: Quiet
) -> None:
    """Three of five at once: that is nobody's failure, as each may have died of the others, and all five measure as much."""
    original, crowds = latency_pass._warm_up, list[int]()

    def warm_up(session: Any, number: int, worker: Any, crowd: int) -> Any:
        crowds.append(crowd)
        if crowd > 1 and number % 2:
            message = "killed"
            raise WorkerError(message, kind="out_of_memory", arm="none")
        return original(session, number, worker, crowd)

    monkeypatch.setattr(latency_pass, "_warm_up", warm_up)
    monkeypatch.setattr(latency_pass, "warmed_at_once", lambda *_: 4)
    run = measure_fake(devices=["cuda"], measure={"workers": 5, "margin": "0.001%", "budget": "10s"})
    assert run.complete
    assert not run.failures
    assert sorted(crowds) == [1, 1, 1, 4, 4, 4, 4]
    assert sum("ended while 4 warmed up at the same moment" in note for note in quiet.notes) == 2
    timed = Counter(trial.worker for trial in run.trials if (trial.phase, trial.kind) == ("timed", "request"))
    assert len(timed) == 5
    assert min(timed.values()) > 0.5 * max(timed.values())


def test_what_a_worker_dies_of_alone_as_well_is_dealt_with(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, warmed = latency_pass._warm_up, Counter[str]()

    def warm_up(session: Any, number: int, worker: Any, crowd: int) -> Any:
        warmed["up"] += 1
        if warmed["up"] > 1 and "cached_device" not in session.ledger.failed:
            message = "killed"
            raise WorkerError(message, kind="crash", arm="cached_device")
        return original(session, number, worker, crowd)

    monkeypatch.setattr(latency_pass, "_warm_up", warm_up)
    monkeypatch.setattr(latency_pass, "warmed_at_once", lambda *_: 4)
    run = measure_fake(devices=["cuda"], measure={"workers": 2})
    assert [(failure.arm, failure.final) for failure in run.failures][:1] == [("cached_device", False)]
    assert ("cached_device", True) in [(failure.arm, failure.final) for failure in run.failures]


@pytest.mark.parametrize(
    ("cores", "each", "most"), [(1, 1, 1), (2, 1, 1), (4, 1, 3), (16, 4, 3), (8, 8, 1), (64, 1, processes.MOST_WARMED)]
)
def test_on_a_gpu_as_many_workers_warm_up_as_have_cores_of_their_own(
    cores: int, each: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "usable", lambda: list(range(cores)))
    assert processes.warmed_at_once("cuda:0", each) == most
    assert processes.warmed_at_once("cpu", each) == 1


def test_a_run_that_goes_on_beyond_its_budget_says_until_when_and_not_that_no_time_is_left(
    tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float | None]] = []
    monkeypatch.setattr(quiet, "update", lambda _, doing, __, left_s: told.append((doing, left_s)))
    chosen = fake_scenario(
        workload={"texts": {"a": "one", "b": "two", "c": "three"}}, measure={"budget": "1s", "workers": 6}
    )
    assert runner.run(chosen, tmp_path / "run", devices=chosen.devices, progress=quiet).complete
    measuring = [(doing, left_s) for doing, left_s in told if doing.startswith("latency: block")]
    beyond = [left_s for doing, left_s in measuring if "beyond the budget until each worker has met" in doing]
    assert beyond
    assert set(beyond) == {None}
    assert 0.0 not in [left_s for _, left_s in measuring]


def test_what_is_decided_is_measured_no_further_and_the_run_ends_before_its_budget(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(
        model={"noise": 0.01, "effects": {"resample_cache": -0.3}},
        measure={"budget": "600s", "metrics": ["latency"], "workers": 8},
    )
    blocks = {name: contrast(run, name).blocks for name in TOGGLES}
    assert blocks["resample_cache"] < blocks["cached_device"]
    first = next(look for look in run.looks if "resample_cache" in look.decided)
    assert not any(t.arm == "resample_cache" and t.block >= first.blocks for t in run.trials if t.kind == "request")
    assert run.looks[-1].calibrated
    assert set(run.looks[-1].decided) == {c.optimization for c in run.contrasts}
    assert run.timing["measured_s"]["cpu"] < 600


def test_a_dose_that_has_passed_is_given_no_more_and_the_placebo_stays(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"noise": 0.01}, measure={"budget": "60s", "metrics": ["latency"], "workers": 8, "margin": "0.3%"}
    )
    first = next(look for look in run.looks if "host_dose" in look.passed)
    later = [t for t in run.trials if t.kind == "request" and t.pass_ == "latency" and t.block >= first.blocks]
    assert {t.arm for t in later} >= {"none", "placebo"}
    assert "host_dose" not in {t.arm for t in later}
    assert next(control for control in run.controls if control.name == "host_dose").passed


def test_a_group_whose_pairs_are_decided_and_whose_placebo_passed_has_no_more_blocks(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(
        model={"noise": 0.004, "effects": {"batched_cleanup": -0.5, "resample_cache": 0.01}},  # that one on the margin
        optimizations={"batched_cleanup": True, "resample_cache": True},
        measure={"budget": "120s", "metrics": ["latency"], "workers": 8, "margin": "1%"},
    )
    done = [look for look in run.looks if "placebo_settled" in look.passed and "all" in look.decided]
    later = [t for t in run.trials if t.kind == "request" and t.pass_ == "latency" and t.block >= done[0].blocks]
    assert {t.group for t in later} == {"request"}


def test_identical_code_under_much_noise_is_measured_until_the_budget_is_spent(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(model={"noise": 0.3}, measure={"budget": "20s"})
    assert not any(look.decided or look.calibrated for look in run.looks)
    assert run.timing["measured_s"]["cpu"] >= 20
    assert {c.verdict for c in run.contrasts} == {"inconclusive"}


def test_a_run_that_is_resumed_elsewhere_says_so(tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, folder = fake_scenario(), tmp_path / "run"
    runner.run(chosen, folder, devices=["cpu"], progress=quiet, limit_s=0.0)
    known = environment(threads=1, seed=0)
    monkeypatch.setattr(runner, "environment", lambda **_: {**known, "cpu": {**known["cpu"], "model": "another one"}})
    run = runner.resume(folder, quiet)
    (found,) = [finding for finding in run.findings if finding.kind == "resumed"]
    assert f"processor was {known['cpu']['model']}, " in found.message
    assert " and is another one, " in found.message
    assert not any(mark in found.message for mark in "[{"), "in words, not as data"


def test_what_is_stopped_because_the_reference_failed_is_no_failure_of_its_own(tmp_path: Path, quiet: Quiet) -> None:
    """Arms in processes of their own are examined two at a time: when the reference fails, another one is at work."""
    (tmp_path / "bad.py").write_text("def speak(text, steps=1):\n    raise ValueError('planted')\n", encoding="utf-8")
    chosen = Scenario.from_data({
        "file": str(tmp_path / "bad.yaml"), "name": "bad", "model": {"adapter": "callable", "target": f"{tmp_path / 'bad.py'}:speak"},
        "design": "levels", "optimizations": {"model_arguments": {"after": [{"arguments": f"steps={n}"} for n in range(2, 6)]}},
        "measure": {"metrics": ["latency"], "budget": "1s", "workers": 1},
    })  # fmt: skip
    with pytest.raises(NothingMeasuredError, match="planted"):
        runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    assert all("planted" in failure.message for failure in store.load(tmp_path / "run").failures)


def test_a_run_goes_on_where_there_is_no_git(tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch) -> None:
    known = environment(threads=1, seed=0)
    monkeypatch.setattr(runner, "environment", lambda **_: {**known, "git": None})
    runner.run(fake_scenario(), tmp_path / "run", devices=["cpu"], progress=quiet, limit_s=0.0)
    run = runner.resume(tmp_path / "run", quiet)
    assert run.complete
    assert not [finding for finding in run.findings if finding.kind == "resumed"]


def test_the_run_of_a_gate_does_not_go_on_with_other_code_than_it_was_begun_with(tmp_path: Path, quiet: Quiet) -> None:
    folder = tmp_path / "run"
    runner.run(
        fake_scenario(), folder, devices=["cpu"], progress=quiet, limit_s=0.0, revisions={"head": {"commit": "abc"}}
    )
    with pytest.raises(UsageError, match="is of a gate, which cannot go on"):
        runner.resume(folder, quiet)


def test_the_newest_unfinished_run_of_a_scenario_is_found(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario()
    for name in ("fake-1", "fake-2"):
        runner.run(chosen, tmp_path / name, devices=["cpu"], progress=quiet, limit_s=0.0)
    (tmp_path / "fake-3").mkdir()
    (tmp_path / "fake-3" / store.JOURNAL).write_text("", encoding="utf-8")
    assert store.unfinished(tmp_path, "fake") == tmp_path / "fake-2"
    assert store.unfinished(tmp_path, "another") is None


def test_what_the_spans_cost_is_measured_where_asked_for_and_vouches_for_no_other_metric(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(measure={"instrumentation": True})
    assert all(control.passed for control in spans_controls(run)), spans_controls(run)
    assert {control.name for control in spans_controls(run)} == {"uninstrumented", "spans_repeated"}
    assert not {"uninstrumented", "spans_repeated"} & {item.optimization for item in run.contrasts}
    for arm, times in (("uninstrumented", 0.9), ("spans_repeated", 4.0)):
        trials = tuple(taking(times, trial) if trial.arm == arm else trial for trial in run.trials)
        costly = compare.evaluate(replace(run, trials=trials))
        assert [control.name for control in spans_controls(costly) if not control.passed] == [arm]
        assert contrast(costly, "cached_device").verdict == "no material difference"
    (repeated,) = (control for control in spans_controls(costly) if control.name == "spans_repeated")
    assert repeated.low is not None
    assert repeated.low == pytest.approx(3 / 199, rel=0.1)  # four times as long, by 199 times what one listening costs


def test_what_the_spans_cost_is_not_measured_of_requests_at_the_same_moment(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"instrumentation": True, "budget": "2s"})
    older = compare.evaluate(replace(run, plan=replace(run.plan, concurrency=dict.fromkeys(run.plan.strata, 4))))
    told = {(control.passed, control.low, control.reason) for control in spans_controls(older)}
    assert told == {(False, None, "not measured: requests at the same moment have no spans")}


def spans_controls(run: Run) -> list[Control]:
    return [control for control in run.controls if control.name in INSTRUMENTATION]


def taking(times: float, trial: Trial) -> Trial:
    latency = trial.values.get("latency")
    return replace(trial, values={**trial.values, "latency": None if latency is None else times * latency})


def test_a_finished_run_does_not_say_where_its_scenario_lies(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario()
    chosen._file = str(tmp_path / "private" / "mine.yaml")
    runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    text = (tmp_path / "run" / store.RUN_FILE).read_text(encoding="utf-8")
    assert json.loads(text)["scenario"]["file"] == "mine.yaml"
    assert str(tmp_path) not in text


def test_other_work_on_any_request_that_was_timed_is_a_changed_output(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = measure_fake()
    last = max(trial.block for trial in run.trials if trial.arm == "cached_device" and trial.kind == "request")
    trials = tuple(
        replace(trial, values={**trial.values, "audio": 0.25})
        if (trial.arm, trial.block, trial.kind) == ("cached_device", last, "request")
        else trial
        for trial in run.trials
    )
    again = compare.evaluate(replace(run, trials=trials))
    assert contrast(again, "cached_device").verdict == "output changed"
    assert "cached_device made" in contrast(again, "cached_device").reason
    assert "0.25 s of audio" in contrast(again, "cached_device").reason
    assert contrast(again, "resample_cache").verdict == contrast(run, "resample_cache").verdict
    toggles = sys.modules["harness.optimizations.registry"]  # the package's function of that name hides the module
    drawing = replace(named("cached_device"), check=Check(grade="bitwise", other_tokens=True))
    monkeypatch.setitem(toggles._REGISTRY, "cached_device", drawing)
    for length, advice in (("forced", False), ("model", True)):
        environment = {**run.environment, "model": {**run.environment["model"], "length": length}}
        told = contrast(compare.evaluate(replace(run, trials=trials, environment=environment)), "cached_device")
        assert told.verdict == "output changed"
        assert told.reason.endswith("of speech tokens for each text token, holds both to as many") is advice


def test_findings_are_made_anew_and_those_that_were_recorded_stay(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake()
    old = Finding(kind="drift", device="cpu", message="by older rules")
    said = Finding(kind="outputs", device="cpu", message="recorded while measuring")
    again = compare.evaluate(replace(run, findings=(*run.findings, old, said)))
    assert old not in again.findings
    assert said in again.findings
    assert {finding.kind for finding in run.findings} <= {finding.kind for finding in again.findings}


def test_a_run_does_not_go_on_with_other_code_than_it_was_begun_with(tmp_path: Path, quiet: Quiet) -> None:
    (tmp_path / "mine.py").write_text("def speak(text):\n    return text\n")
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nmodel: {adapter: callable, target: 'mine.py:speak'}\ndesign: controls\n"
        "measure: {metrics: [latency], budget: 2s, workers: 3}\n"
    )
    chosen, folder = load(str(tmp_path / "mine.yaml")), tmp_path / "run"
    begun = runner.run(chosen, folder, devices=["cpu"], progress=quiet, limit_s=0.0)
    assert set(begun.environment["measured"]) == {"model.target"}
    (tmp_path / "mine.py").write_text("def speak(text):\n    return text * 2\n")
    with pytest.raises(UsageError, match=r"has changed since it was begun \(model.target\)"):
        runner.resume(folder, quiet)
    (tmp_path / "mine.py").write_text("def speak(text):\n    return text\n")
    assert runner.resume(folder, quiet).complete


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (("GPU-1", "GPU-2"), ("GPU-2", "GPU-1"), False),
        (("GPU-1", "GPU-2"), ("GPU-1", "GPU-3"), True),
        ((), (), False),
        ((None,), ("GPU-1",), False),
    ],
)
def test_other_cards_of_the_same_name_are_told_by_their_uuids(
    before: tuple[str | None, ...], now: tuple[str | None, ...], *, told: bool
) -> None:
    was, have = ({"gpus": [{"name": "H200", "uuid": uuid} for uuid in uuids]} for uuids in (before, now))
    assert bool(other_cards(was, have)) is told
