"""A run in the format of pytest-benchmark, read by its own command."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from harness import store
from harness.report import EXPORTS
from harness.results import Run, Trial
from tests.command_line import harness_command
from tests.report import sample_runs


def with_places(run: Run) -> Run:
    """The run with three rounds of two places, which share their arm before, and of an empty call."""
    sides = {"cached_device": (3e-6, 1e-6), "resample_cache": (2e-4, 1e-6), "empty_twin": (3e-8, 3e-8)}
    places = [
        Trial(
            device="cpu", pass_="micro", kind="place", phase="timed", worker=1, block=3 * number + round_, group="", position=side,
            arm=(("empty_call" if name == "empty_twin" else "none"), name)[side], predecessor=None, request="place",
            stratum="place", values={"site": figures[side] * (1 + round_ / 100), "calls": 512.0, "events": float(1 - side)},
        )
        for number, (name, figures) in enumerate(sides.items())
        for round_ in range(3)
        for side in (0, 1)
    ]  # fmt: skip
    return replace(run, trials=(*run.trials, *places))


@pytest.fixture(scope="module")
def run() -> Run:
    return with_places(sample_runs.calibrated())


def test_its_own_command_reads_the_file_and_compares_the_arms(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    store.save(run, tmp_path / "run")
    file = tmp_path / "samples.json"
    written = harness_command("export", str(tmp_path / "run"), "--format", "pytest-benchmark", "--out", str(file))
    assert written.returncode == 0, written.stderr
    command = [sys.executable, "-c", "from pytest_benchmark.cli import main; main()", "compare", str(file)]
    options = ["--group-by", "group", "--columns", "median,rounds,iterations", "--sort", "name"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Failed to load" not in done.stderr
    told = done.stdout
    assert "benchmark 'site, cpu, cached_device': 2 tests" in told
    (before,) = (line for line in told.splitlines() if line.startswith("cached_device[before]"))
    assert before.split()[-2:] == ["3", "512"]
    kinds = {trial.stratum for trial in run.trials if (trial.device, trial.pass_) == ("cpu", "latency")}
    assert all(f"benchmark 'latency, cpu, {kind}'" in told for kind in kinds if kind != "init")


def test_a_benchmark_has_every_timed_sample_and_statistics_of_them(run: Run) -> None:
    data = json.loads(EXPORTS["pytest-benchmark"](run))
    found = {(entry["group"], entry["name"]): entry["stats"] for entry in data["benchmarks"]}
    timed: dict[tuple[str, str, str], list[float]] = {}
    for trial in run.trials:
        if (trial.pass_, trial.kind, trial.phase) == ("latency", "request", "timed"):
            timed.setdefault((trial.device, trial.stratum, trial.arm), []).append(trial.values["latency"] or 0.0)
    for (device, stratum, arm), values in timed.items():
        stats = found[f"latency, {device}, {stratum}", arm]
        assert stats["data"] == values
        assert stats["rounds"] == len(values)
        assert stats["median"] == pytest.approx(median(values))
    assert found["site, cpu, an empty call", "an empty call[after]"]["data"] == pytest.approx([3e-8, 3.03e-8, 3.06e-8])
    assert len(found) == len(timed) + 6


def test_no_name_holds_the_run_so_that_files_of_several_runs_can_be_compared(run: Run) -> None:
    names = [[entry["fullname"] for entry in json.loads(EXPORTS["pytest-benchmark"](item))["benchmarks"]]
             for item in (run, replace(run, id="another"))]  # fmt: skip
    assert names[0] == names[1]
    assert len(set(names[0])) == len(names[0])


def test_an_unknown_format_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    done = harness_command("export", str(tmp_path), "--format", "csv")
    assert done.returncode == 2
    assert "--format csv: allowed are pytest-benchmark" in done.stderr
