"""Fixed runs that may, or may not, stand side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.results import Arm, Contrast, Run
from tests.report import sample_runs


def first() -> Run:
    return replace(sample_runs.calibrated(), id="first")


def elsewhere() -> Run:
    """The same scenario on another machine and commit, without a GPU; its effects are a little smaller, its clock twice as slow."""
    run = sample_runs.calibrated()
    environment = {
        **run.environment,
        "cpu": {"model": "AMD EPYC 9654", "cores": 96, "memory_bytes": 2**39},
        "versions": {"python": "3.12.3", "torch": "2.11.0"},
        "git": {"commit": "9f8e7d6c5b4a39281706", "dirty": False},
    }
    scenario = {**run.scenario, "measure": {"budget": "600s", "margin": {"latency": "1%"}}}
    return replace(
        run, id="elsewhere", environment=environment, scenario=scenario,
        contrasts=tuple(_weaker(contrast) for contrast in run.contrasts if contrast.device == "cpu"),
        controls=tuple(control for control in run.controls if control.device == "cpu"), failures=(),
        plan=replace(run.plan, devices=("cpu",)),
    )  # fmt: skip


def _weaker(contrast: Contrast) -> Contrast:
    if contrast.ratio is None or contrast.ratio_low is None or contrast.ratio_high is None:
        return contrast
    ratio, low, high = (end**0.6 for end in (contrast.ratio, contrast.ratio_low, contrast.ratio_high))
    before = (contrast.before or 0) * 2
    return replace(contrast, before=before, after=before * ratio, ratio=ratio, ratio_low=low, ratio_high=high)


def with_states(run: Run, arm: str, **states: Any) -> Run:
    """The run, in which an arm has other states of some toggles."""
    arms = tuple(
        replace(known, states={**known.states, **states}) if known.name == arm else known for known in run.plan.arms
    )
    return replace(run, plan=replace(run.plan, arms=arms))


def leaving_one_out() -> Run:
    """The same toggles, each left out of all of them."""
    run = elsewhere()
    everything = dict.fromkeys(sample_runs.TITLES, True)
    arms = tuple(
        Arm(name=f"{arm.name}_out", role="toggle", toggle=arm.name, states={**everything, arm.name: False}) if arm.role == "toggle"
        else arm for arm in run.plan.arms
    )  # fmt: skip
    contrasts = tuple(
        replace(c, reference_arm=f"{c.optimization}_out", arm="all")
        for c in run.contrasts if c.optimization in sample_runs.TITLES
    )  # fmt: skip
    return replace(run, plan=replace(run.plan, arms=arms), contrasts=contrasts)
