"""Effects formed from samples that are coarse, zero or missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness import compare
from harness.results import Contrast, Control, Run, Trial
from harness.worker.vram import DOSE_BYTES

TICK_S, TICK_J = 0.1, 40.0


def contrast(run: Run, optimization: str, metric: str) -> Contrast:
    return next(c for c in run.contrasts if (c.optimization, c.metric) == (optimization, metric))


def with_values(run: Run, change: Callable[[Trial], dict[str, float | None]]) -> Run:
    """The run judged again, with what `change` says of each timed request put over the values that it had."""
    trials = tuple(
        replace(trial, values={**trial.values, **change(trial)})
        if (trial.kind, trial.phase) == ("request", "timed")
        else trial
        for trial in run.trials
    )
    return compare.evaluate(replace(run, trials=trials))


def read_by_ticks(run: Run) -> Run:
    """The run as if the card's counter of energy had moved only once in `TICK_S`."""
    rng = np.random.default_rng(3)

    def ticks(trial: Trial) -> dict[str, float | None]:
        latency_s, audio_s = trial.values.get("latency") or 0.0, trial.values.get("audio") or 1.0
        return {"energy": float((rng.uniform(0, TICK_S) + latency_s) // TICK_S) * TICK_J / audio_s}

    return with_values(run, ticks)


def fake_gpu(measure_fake: Callable[..., Run]) -> Run:
    """A toggle whose effect lies on the margin, so that it is measured until the budget is spent."""
    return measure_fake(
        model={"base": "80ms", "effects": {"resample_cache": -0.25}},
        measure={"metrics": ["latency", "energy"], "budget": "400s", "margin": "25%"}, devices=["cuda"],
    )  # fmt: skip


def test_energy_is_a_ratio_of_joules_though_the_counter_ticks_slower_than_requests_run(
    measure_fake: Callable[..., Run],
) -> None:
    run = fake_gpu(measure_fake)
    found = contrast(read_by_ticks(run), "resample_cache", "energy")
    assert found.ratio == pytest.approx(0.75, abs=0.04)
    assert found.before is not None
    assert found.after is not None
    assert found.after / found.before == pytest.approx(0.75, abs=0.04)
    assert "sums" in found.statistic
    assert (found.workers, found.blocks) == (3, contrast(run, "resample_cache", "latency").blocks)


def test_a_worker_whose_counter_never_moved_has_no_figure_of_energy(measure_fake: Callable[..., Run]) -> None:
    run = fake_gpu(measure_fake)
    first = min(trial.worker for trial in run.trials if trial.pass_ == "latency")
    still = with_values(run, lambda trial: {"energy": 0.0} if trial.worker == first else {})
    assert contrast(still, "resample_cache", "energy").workers == 2
    never = with_values(run, lambda _: {"energy": 0.0})
    assert contrast(never, "resample_cache", "energy").verdict == "inconclusive"


def test_a_dose_of_memory_that_is_not_seen_fails_however_wide_the_margin(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"metrics": ["latency", "rss_peak"]})
    wide = replace(run, plan=replace(run.plan, margin=dict.fromkeys(run.plan.margin, 0.5)))
    assert memory_dose(compare.evaluate(wide)).passed
    unseen = with_values(
        wide,
        lambda trial: (
            {"rss_peak": (trial.values["rss_peak"] or 0.0) - DOSE_BYTES}
            if (trial.pass_, trial.arm) == ("memory", "host_dose")
            else {}
        ),
    )
    assert not memory_dose(unseen).passed


def memory_dose(run: Run) -> Control:
    return next(control for control in run.controls if control.name == "memory_dose")


def test_a_dose_on_a_gpu_is_found_to_the_allocators_unit(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"metrics": ["latency", "peak_allocated"]}, devices=["cuda"])
    assert memory_dose(run).bound == 2 * 2**20
    assert memory_dose(run).passed


def test_a_repeat_that_reads_zero_is_not_dropped_from_the_effect(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"metrics": ["latency", "peak_reserved"]}, devices=["cuda"])
    zero = with_values(
        run,
        lambda trial: (
            {"peak_reserved": 0.0} if (trial.pass_, trial.arm, trial.block) == ("memory", "resample_cache", 0) else {}
        ),
    )
    found = contrast(zero, "resample_cache", "peak_reserved")
    assert (found.ratio, found.verdict) == (None, "inconclusive")
    assert found.reason == "a repeat reads zero, which has no ratio"


def test_only_exact_memory_has_an_interval_without_width(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"metrics": ["latency", "peak_allocated", "peak_reserved"]}, devices=["cuda"])
    exact, stepped = (contrast(run, "resample_cache", f"peak_{name}") for name in ("allocated", "reserved"))
    assert (exact.ratio_low, exact.ratio_high) == (1.0, 1.0)
    assert stepped.ratio_low is not None
    assert stepped.ratio_high is not None
    assert stepped.ratio_low < 1.0 < stepped.ratio_high


def test_processor_time_of_an_arm_is_that_of_its_requests_and_not_of_its_builds(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(measure={"metrics": ["latency", "init", "cpu_time"]})
    arm = next(arm for arm in run.arms if arm.arm == "none")
    assert arm.metrics["cpu_time"]["count"] == arm.metrics["latency"]["count"]
