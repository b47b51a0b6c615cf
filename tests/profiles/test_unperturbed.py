"""The check that profiling perturbs nothing: what it compares, in which order, and what it says of a difference that is there."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness import runner, store
from harness.profiles.index import read
from harness.results import Run
from tests.conftest import Quiet, fake_scenario
from tests.profiles.unperturbed import (
    KINDS,
    REFERENCE,
    Figures,
    Kind,
    answer,
    compared,
    figures,
    order,
    scenario_of,
    told,
    turn,
)

EFFECT = "effect of resample_cache"


def rounds(*differences: float) -> list[Mapping[Kind, Figures]]:
    """Pairs of runs in which profiling makes a request so much slower, as a log-ratio, and moves no effect."""
    return [
        {"alone": {REFERENCE: -3 + drift, EFFECT: -0.1}, "profiled": {REFERENCE: -3 + drift + difference, EFFECT: -0.1}}
        for drift, difference in zip((0.3, 0.1, -0.2, 0.4), differences, strict=True)
    ]


def test_a_difference_that_is_in_every_round_does_not_hold_zero_whatever_drifts_between_rounds() -> None:
    by_name = {found.name: found for found in compared(rounds(0.010, 0.011, 0.009, 0.010))}
    assert by_name[REFERENCE].effect.location == pytest.approx(0.010)
    assert not by_name[REFERENCE].holds_zero
    assert by_name[EFFECT].holds_zero
    assert answer(list(by_name.values()), 0.02) == 1
    said = list(told(list(by_name.values()), 4, 0.02))
    assert said[0].startswith(f"{REFERENCE}   +1.005\u202f%")
    assert said[0].endswith("DOES NOT HOLD ZERO")
    assert said[-1] == f"In 4 rounds, runs with profiles differ from those without in: {REFERENCE}."


def test_differences_that_go_both_ways_hold_zero_and_the_interval_is_said() -> None:
    found = compared(rounds(0.010, -0.011, -0.009, 0.010))
    assert all(one.holds_zero for one in found)
    said = list(told(found, 4, 0.5))
    assert said[0].endswith("97.5\u202f% interval)  holds zero")
    assert said[-1].endswith("do not differ from those without by 50.0\u202f% or more.")
    assert answer(found, 0.5) == 0


def test_an_interval_that_holds_zero_and_is_too_wide_decides_nothing() -> None:
    found = compared(rounds(0.010, -0.011, -0.009, 0.010))
    assert answer(found, 0.01) == 3
    said = list(told(found, 4, 0.01))
    assert said[0].endswith("holds zero, and is wider than ±1.0\u202f%")
    assert said[1].endswith("holds zero")
    assert said[-1].startswith("Not decided in 4 rounds")
    assert answer([], 0.5) == 3


def test_together_the_intervals_miss_in_five_percent() -> None:
    found = compared(rounds(0.01, 0.02, 0.03, 0.04))
    assert sum(1 - one.effect.level for one in found) == pytest.approx(0.05)


def test_a_figure_that_one_run_lacks_is_not_compared_and_with_none_nothing_is_claimed() -> None:
    made = rounds(0.0, 0.0, 0.0, 0.0)
    made[2] = {"alone": made[2]["alone"], "profiled": {REFERENCE: -3.0}}
    assert [one.name for one in compared(made)] == [REFERENCE]
    assert compared([]) == []
    assert list(told([], 0, 0.02)) == ["Nothing can be compared: no figure is in all runs."]


def test_both_kinds_are_in_every_round_and_each_comes_first_in_some() -> None:
    orders = [order(number) for number in range(12)]
    assert all(set(one) == set(KINDS) for one in orders)
    assert {one[0] for one in orders} == set(KINDS)
    assert orders == [order(number) for number in range(12)]


@pytest.fixture
def measured(tmp_path: Path, quiet: Quiet) -> Run:
    return runner.run(fake_scenario(model={"noise": 0.0}), tmp_path / "measured", devices=["cpu"], progress=quiet)


def test_what_is_compared_of_a_run_is_the_latency_of_its_reference_and_its_own_paired_effects(measured: Run) -> None:
    found = figures(measured)
    timed = [
        trial for trial in measured.trials if (trial.arm, trial.phase, trial.pass_) == ("none", "timed", "latency")
    ]
    lowest, highest = (
        pick(trial.values["latency"] or 0.0 for trial in timed if trial.kind == "request") for pick in (min, max)
    )
    assert math.log(lowest) - 1e-9 <= found[REFERENCE] <= math.log(highest) + 1e-9
    (contrast,) = (
        c for c in measured.contrasts if (c.optimization, c.metric, c.stratum) == ("resample_cache", "latency", "")
    )
    assert found[EFFECT] == pytest.approx(math.log(contrast.ratio or 0.0))
    assert figures(replace(measured, trials=(), contrasts=())) == {}


def test_runs_that_are_there_are_compared_and_the_exit_code_is_the_answer(measured: Run, tmp_path: Path) -> None:
    def slower(run: Run) -> Run:
        return replace(run, trials=tuple(
            replace(trial, values={**trial.values, "latency": 1.1 * (trial.values.get("latency") or 0.0)}) for trial in run.trials
        ))  # fmt: skip

    for folder, perturbed in (("held", False), ("moved", True)):
        for number in range(2):
            for kind in KINDS:
                place = tmp_path / folder / f"{number:03}-{kind}"
                place.mkdir(parents=True)
                store.save(slower(measured) if perturbed and kind == "profiled" else measured, place)
    for folder, code, said in (
        ("held", 0, "do not differ"),
        ("moved", 1, f"differ from those without in: {REFERENCE}"),
    ):
        command = [sys.executable, "-m", "tests.profiles.unperturbed", "--rounds", "2", "--out", str(tmp_path / folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (code, "")
        assert said in done.stdout


def test_a_profiled_run_has_its_profiles_beside_it_and_both_spend_their_budget(tmp_path: Path) -> None:
    chosen = scenario_of(
        "planted", ["model.units=10", "optimizations.planted_work={after: {units: 20}}", "measure.workers=2"], "1s"
    )
    assert chosen.measure.metrics == ("latency",)
    run = turn(chosen, tmp_path / "run", ["torch"], 0.0, "cpu", Quiet())
    index = read((tmp_path / "run" / "profiles" / "index.json").read_bytes())
    assert {known.kind for known in index.profiles} == {"torch"}
    assert run.complete
    assert set(figures(run)) >= {REFERENCE, "effect of planted_work"}
    assert {trial.pass_ for trial in run.trials} == {"latency"}
