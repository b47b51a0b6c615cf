"""Effects formed from samples that are coarse, zero or missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness import compare
from harness.results import Contrast, Run, Trial

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
    return measure_fake(
        model={"base": "80ms", "effects": {"resample_cache": -0.25}},
        measure={"metrics": ["latency", "energy"], "budget": "400s"}, devices=["cuda"],
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
