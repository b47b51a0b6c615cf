"""What a run says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness import compare
from harness.results import Run, Trial

WITH_A_SETTLED_GROUP = {"batched_cleanup": True, "resample_cache": True}


def finding(run: Run, kind: str) -> str:
    return next((found.message for found in run.findings if found.kind == kind), "")


def with_latency(run: Run, factor: Callable[[Trial], float]) -> Run:
    """The run judged again, with the latency of each timed request times `factor`."""
    trials = tuple(
        replace(trial, values={**trial.values, "latency": latency * factor(trial)})
        if trial.phase == "timed" and (latency := trial.values.get("latency"))
        else trial
        for trial in run.trials
    )
    return compare.evaluate(replace(run, trials=trials, findings=()))


def test_the_mark_of_an_arm_on_the_next_is_told_with_its_group_and_interval(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"margin": "0.001%"}, optimizations=WITH_A_SETTLED_GROUP)  # never decided
    assert finding(run, "carry-over") == ""
    marked = with_latency(
        run, lambda trial: 1.03 if (trial.group, trial.predecessor) == ("settled", "batched_cleanup") else 1.0
    )
    told = finding(marked, "carry-over")
    assert "% after batched_cleanup in group settled (+" in told
    assert "over 3 workers" in told
    assert "in group request" not in told


def test_a_shift_in_one_worker_only_is_noise(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(optimizations=WITH_A_SETTLED_GROUP)
    first = min(trial.worker for trial in run.trials if trial.pass_ == "latency")
    marked = with_latency(
        run, lambda trial: 1.03 if (trial.worker, trial.predecessor) == (first, "resample_cache") else 1.0
    )
    assert "after resample_cache" not in finding(marked, "carry-over")


def test_time_that_no_stage_covers_is_told_where_it_is_much(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(devices=["cuda"])
    assert finding(run, "uncovered") == ""
    longer = with_latency(run, lambda _: 1.25)
    assert "up to 20.0 % of host time (en zero_shot) uncovered" in finding(longer, "uncovered")
    assert "device" not in finding(longer, "uncovered")
