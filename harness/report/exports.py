"""A run in the formats of other tools: what was timed, sample by sample, without verdicts.

`pytest_benchmark` writes what `pytest-benchmark compare FILE` reads: a benchmark for each arm, kind of request and device
(metric `latency`), and for either side of each place that was timed alone (metric `site`). Names hold no id of the run, so
that files of several runs can be compared.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from harness.designs import EMPTY_CALL, EMPTY_TWIN
from harness.metrics import SITE
from harness.results import TOGETHER, Run, Trial


def pytest_benchmark(run: Run) -> str:
    """The timed samples of a run as JSON of pytest-benchmark, statistics by its own code. Times are seconds.

    A round is a request of one arm, or a batch of calls of a place, of which `iterations` is the number.
    """
    from pytest_benchmark import __version__

    data = {
        "machine_info": _machine(run.environment),
        "commit_info": {},
        "benchmarks": [*_latencies(run), *_sites(run)],
        "datetime": str(run.timing.get("started") or ""),
        "version": __version__,
    }
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The machine in pytest-benchmark's words, as far as the run knows it; whose machine it is, it does not say."""
    cpu, system = environment.get("cpu", {}), environment.get("system", {})
    return {
        "node": "",
        "processor": str(cpu.get("model") or ""),
        "machine": str(system.get("machine", "")),
        "python_version": str(environment.get("python", "")),
        "system": str(system.get("platform", "")).partition("-")[0],
        "release": str(system.get("platform", "")),
        "cpu": {name: cpu.get(name) for name in ("model", "cores", "threads")},
        "versions": dict(environment.get("versions", {})),
    }


def _latencies(run: Run) -> Iterator[dict[str, Any]]:
    found: dict[tuple[str, str, str], list[Trial]] = defaultdict(list)
    for trial in run.trials:
        if (trial.pass_, trial.kind, trial.phase) == ("latency", "request", "timed") and trial.values.get("latency"):
            found[trial.device, trial.stratum, trial.arm].append(trial)
    for (device, stratum, arm), trials in found.items():
        group = f"latency, {device}, {stratum}"
        yield _benchmark(run, group, arm, [trial.values["latency"] or 0.0 for trial in trials], trials, 1)


def _sites(run: Run) -> Iterator[dict[str, Any]]:
    """Both sides of each place. Several toggles share an arm, so that what is before is found by the other of its round."""
    sides = {(reference, arm): name for name, reference, arm in run.plan.pairs if name != TOGETHER}
    sides[EMPTY_CALL, EMPTY_TWIN] = "an empty call"
    rounds: dict[tuple[str, int], dict[str, Trial]] = defaultdict(dict)
    for trial in run.trials:
        if trial.pass_ == "micro" and trial.values.get(SITE):
            rounds[trial.device, trial.block][trial.arm] = trial
    found: dict[tuple[str, str, str], list[Trial]] = defaultdict(list)
    for (device, _), trials in rounds.items():
        for (reference, arm), name in sides.items():
            if trials.keys() == {reference, arm}:
                found[device, name, "before"].append(trials[reference])
                found[device, name, "after"].append(trials[arm])
    for (device, name, side), batches in found.items():
        calls = round(median(batch.values.get("calls") or 1.0 for batch in batches))
        values = [batch.values[SITE] or 0.0 for batch in batches]
        yield _benchmark(run, f"{SITE}, {device}, {name}", f"{name}[{side}]", values, batches, calls)


def _benchmark(
    run: Run, group: str, name: str, values: list[float], trials: list[Trial], iterations: int
) -> dict[str, Any]:
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for value in values:
        stats.update(value)
    return {
        "group": group,
        "name": name,
        "fullname": f"{run.scenario.get('name') or run.id}::{group}::{name}",
        "params": None,
        "param": None,
        "extra_info": {"workers": len({trial.worker for trial in trials}), "run": run.id},
        "options": {"disable_gc": True, "timer": "perf_counter", "min_rounds": 1, "max_time": 0.0, "min_time": 0.0,
                    "warmup": True},
        "stats": {**stats.as_dict(), "data": values, "iterations": iterations},
    }  # fmt: skip
