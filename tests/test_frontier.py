"""Time against peak, from planted effects and from fixed trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import compare, runner, store
from harness.processes import WorkerProcess
from harness.results import Arm, FrontierPoint, Run, Trial
from tests.conftest import Quiet, fake_scenario

STATES = ({"every": "request"}, {"every": 2}, {"every": 4}, {"every": "never"})
NAMES = tuple(f"batched_cleanup[every={state['every']}]" for state in STATES)
MIB = 2**20


def cleanup(measure_fake: Callable[..., Run], **model: object) -> Run:
    return measure_fake(
        model={
            "noise": 0.001,
            "effects": dict(zip(NAMES, (-0.10, -0.05, -0.08, -0.12), strict=True)),
            "crowding": dict(zip(NAMES, (-0.05, -0.02, -0.04, -0.06), strict=True)),
            "memory": dict(zip(NAMES, (-30 * MIB, -10 * MIB, -40 * MIB, -60 * MIB), strict=True)),
            **model,
        },
        workload={"texts": {"en": "hello"}, "concurrency": [1, 2]},
        optimizations={"batched_cleanup": {"after": list(STATES)}},
        measure={"metrics": ["latency", "peak_reserved"], "budget": "30s"},
        devices=["cuda"],
    )


def at(run: Run, concurrency: int) -> dict[str, FrontierPoint]:
    return {point.optimization: point for point in run.frontier if point.concurrency == concurrency}


def test_planted_times_and_peaks_are_found_at_each_concurrency(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    run = cleanup(measure_fake)
    alone, crowd = at(run, 1), at(run, 2)
    assert list(alone) == list(crowd) == ["before", *NAMES]
    assert [alone[name].ratio for name in NAMES] == pytest.approx([0.90, 0.95, 0.92, 0.88], abs=0.003)
    assert [crowd[name].ratio for name in NAMES] == pytest.approx([0.85, 0.93, 0.88, 0.82], abs=0.003)
    assert [alone[name].peak for name in ("before", *NAMES)] == [(400 + more) * MIB for more in (0, 30, 10, 40, 60)]
    assert [crowd[name].peak for name in ("before", *NAMES)] == [(500 + more) * MIB for more in (0, 30, 10, 40, 60)]
    assert {point.peak_metric for point in run.frontier} == {"peak_reserved"}
    for point in run.frontier:
        assert point.ratio_low is not None
        assert point.ratio_high is not None
        assert point.ratio is not None
        assert point.ratio_low <= point.ratio <= point.ratio_high
    assert store.load(tmp_path / "run").frontier == run.frontier


def test_a_state_that_another_one_beats_in_both_is_not_on_the_frontier(measure_fake: Callable[..., Run]) -> None:
    run = cleanup(measure_fake)
    for concurrency in (1, 2):
        beaten = [name for name, point in at(run, concurrency).items() if not point.efficient]
        assert beaten == ["batched_cleanup[every=4]"]


def test_a_state_that_may_not_be_compared_keeps_its_reason_and_no_ratio(measure_fake: Callable[..., Run]) -> None:
    run = cleanup(measure_fake, faults={NAMES[1]: "out_of_memory"})
    for concurrency in (1, 2):
        point = at(run, concurrency)[NAMES[1]]
        assert (point.ratio, point.efficient) == (None, False)
        assert point.reason.startswith("failed: ")
    assert at(run, 1)[NAMES[2]].ratio == pytest.approx(0.92, abs=0.003)


def test_a_toggle_with_one_state_has_no_frontier(measure_fake: Callable[..., Run]) -> None:
    assert measure_fake(optimizations={"batched_cleanup": True}).frontier == ()


def test_work_that_falls_on_some_requests_only_is_a_finding(measure_fake: Callable[..., Run]) -> None:
    run = cleanup(measure_fake)
    assert not [finding for finding in run.findings if finding.kind == "uneven"]
    counted = tuple(
        replace(count, per_request=(0, 1, 0)) if count.arm == count.optimization == NAMES[2] else count
        for count in run.witnesses
    )
    (finding,) = [
        found for found in compare.evaluate(replace(run, witnesses=counted)).findings if found.kind == "uneven"
    ]
    assert "batched_cleanup[every=4]: 0, 1, 0" in finding.message


def test_requests_of_different_tokens_at_the_same_moment_are_a_finding(measure_fake: Callable[..., Run]) -> None:
    run = cleanup(measure_fake)

    def spoilt(trial: Trial) -> Trial:
        return replace(trial, values={**trial.values, "alike": 0.5}) if "alike" in trial.values else trial

    again = compare.evaluate(replace(run, trials=(spoilt(run.trials[0]), *map(spoilt, run.trials[1:]))))
    assert [found.kind for found in again.findings if found.kind == "threads"] == ["threads"]


def crowded(measure_fake: Callable[..., Run], concurrency: list[int]) -> Run:
    """A run on a device whose peaks of requests at the same moment differ from repeat to repeat, as those of real ones do."""
    run = measure_fake(
        workload={"texts": {"en": "hello"}, "concurrency": concurrency},
        measure={"metrics": ["latency", "peak_allocated"], "memory_repeats": 2},
        devices=["cuda"],
    )
    apart = {("none", 0): 0, ("none", 1): 7, ("host_dose", 0): -9, ("host_dose", 1): -9}

    def moved(trial: Trial) -> Trial:
        peak = trial.values.get("peak_allocated")
        if trial.pass_ != "memory" or trial.stratum == "alone" or peak is None:
            return trial
        more = apart.get((trial.arm, trial.block), 0) * MIB
        return replace(trial, values={**trial.values, "peak_allocated": peak + more})

    return compare.evaluate(replace(run, trials=tuple(map(moved, run.trials))))


@pytest.mark.parametrize("concurrency", [[1, 4], [4]])
def test_the_dose_of_memory_is_found_in_requests_alone_and_a_crowd_is_not_exact(
    measure_fake: Callable[..., Run], concurrency: list[int]
) -> None:
    run = crowded(measure_fake, concurrency)
    (dose,) = [control for control in run.controls if control.name == "memory_dose"]
    assert dose.passed
    assert "measured as 64.00 MiB" in dose.reason
    assert not [finding for finding in run.findings if "Peak allocated differed" in finding.message]
    (peak,) = [c for c in run.contrasts if c.metric == "peak_allocated" and c.optimization == "resample_cache"]
    assert peak.ratio_low is not None
    assert peak.ratio_high is not None
    assert peak.ratio_low < peak.ratio_high
    assert "exact" not in peak.statistic


def test_a_crowd_alone_has_no_times_of_the_device_and_is_calibrated_without(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(workload={"texts": {"en": "hello"}, "concurrency": [2, 4]}, devices=["cuda"])
    assert all(control.passed for control in run.controls)
    assert "device_dose" not in {arm.name for arm in run.plan.arms} | {control.name for control in run.controls}
    assert not any(name.startswith("device.") for trial in run.trials for name in trial.values)
    dosed = Arm(name="device_dose", role="dose", states=run.plan.arms[0].states)
    planned = compare.evaluate(replace(run, plan=replace(run.plan, arms=(*run.plan.arms, dosed))))
    assert "device_dose" not in {control.name for control in planned.controls}, "of a run from when it was planned"


def test_repeats_of_a_crowd_that_agree_by_chance_are_no_point(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        workload={"texts": {"en": "hello"}, "concurrency": [4]},
        measure={"metrics": ["latency", "peak_allocated"]},
        devices=["cuda"],
    )
    peak = next(c for c in run.contrasts if c.metric == "peak_allocated" and c.optimization == "resample_cache")
    assert peak.ratio_low is not None
    assert peak.ratio_high is not None
    assert peak.ratio_low < 1 < peak.ratio_high


def test_every_arm_of_the_memory_pass_is_read_after_the_same_requests(
    tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one arm alone did before its peaks were read would be a difference between arms that no toggle made."""
    asked: dict[str, list[list[int]]] = {}
    ask = WorkerProcess.ask

    def listening(self: WorkerProcess, message: Mapping[str, Any], **keys: Any) -> Any:
        if message.get("do") == "memory":
            asked.setdefault(message["arm"], []).append([request["concurrency"] for request in message["requests"]])
        return ask(self, message, **keys)

    monkeypatch.setattr(WorkerProcess, "ask", listening)
    chosen = fake_scenario(workload={"texts": {"en": "hello"}, "concurrency": [4]}, devices=["cuda"],
                           measure={"metrics": ["latency", "peak_allocated"], "memory_repeats": 1})  # fmt: skip
    runner.run(chosen, tmp_path / "run", devices=["cuda"], progress=quiet)
    firsts = {arm: requests[0] for arm, requests in asked.items()}
    assert set(map(tuple, firsts.values())) == {(4,)}
    assert {arm: requests[1:] for arm, requests in asked.items() if len(requests) > 1} == {
        "none": [[1]],
        "host_dose": [[1]],
    }


def test_a_crowd_has_no_exact_effects_in_a_joint_design(measure_fake: Callable[..., Run]) -> None:
    keys = {"measure": {"metrics": ["latency", "peak_allocated"]}, "devices": ["cuda"], "design": "factorial"}
    crowd = measure_fake(workload={"texts": {"en": "hello"}, "concurrency": [4]}, **keys)
    assert {effect.metric for effect in crowd.attribution.effects} >= {"latency"}
    assert "peak_allocated" not in {effect.metric for effect in crowd.attribution.effects}
    assert not [trial for trial in crowd.trials if trial.pass_ == "memory" and trial.group]
