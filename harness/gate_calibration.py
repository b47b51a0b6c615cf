"""What gates of this machine can tell apart: a commit is measured against itself as a gate does, and gates are resampled from that.

Between fresh processes there is other noise than between the arms of one, so that a gate has a calibration of its own, kept
beside those of runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness import calibrations, groups, rules
from harness.calibrations import Calibration, Shelf
from harness.errors import CalibrationError
from harness.noise import Confirmation, Shape, foresee
from harness.processes import started_at_once
from harness.results import Calibrated, Foresight
from harness.scenario import Scenario
from harness.session import Progress

POWER = 0.99
"""Share of gates in which a slow-down has to fail to be called detectable: who misses one merges it."""
_SIDES = 3
"""Processes of a group: base, head and the base's twin."""


def latency_limit(scenario: Scenario) -> Mapping[str, Mapping[str, float]]:
    """The limit of latency in the setting that the scenario gates by it first. Raises ScenarioError where there is none."""
    for setting, limits in scenario.gated().items():
        if "latency" in limits:
            return {setting: {"latency": limits["latency"]}}
    message = "a gate is calibrated by its limit of latency, and there is none"
    raise scenario.error(message, ("gate",))


def shape_of(calibration: Calibration, limits: Mapping[str, Mapping[str, float]]) -> Shape:
    """A gate of these settings by what a request took when it was calibrated, held to its smallest limit of latency.

    With several settings each request has an untimed one before it.
    """
    arms = 2 * len(limits) + 1
    costs = calibration.costs
    round_s = arms * costs.request_s * (2 if arms > _SIDES else 1)
    starts = math.ceil(_SIDES / started_at_once(calibration.device))
    return Shape(
        margin=min(found["latency"] for found in limits.values() if "latency" in found),
        workers=groups.LEAST,
        blocks_per_s=1 / (round_s * groups.LEAST),
        placebo_level=rules.control_level(1),
        power=POWER,
        confirmation=Confirmation(
            groups=groups.LEAST_FURTHER,
            share=groups.FOR_CONFIRMATION,
            start_s=starts * costs.startup_s + _SIDES * costs.warm_up_s,
        ),
    )


def foreseen(
    calibration: Calibration, limits: Mapping[str, Mapping[str, float]], budgets_s: Sequence[float]
) -> list[Foresight]:
    """What gates can be expected to tell apart in each of `budgets_s`."""
    return foresee(calibration.noise, shape_of(calibration, limits), budgets_s)


def known_of(
    shelf: Shelf | None,
    scenario: Scenario,
    limits: Mapping[str, Mapping[str, float]],
    devices: Sequence[str],
    around: Mapping[str, Any],
    progress: Progress,
) -> Iterator[Calibrated]:
    """What is known beforehand of gates like this one; a calibration that cannot be read is told, and does without."""
    if shelf is None or not any("latency" in found for found in limits.values()):
        return
    for device in devices:
        try:
            found = shelf.find(scenario, device, around, is_gate=True)
        except CalibrationError as error:
            progress.note(str(error))
            continue
        if found is not None:
            (foresight,) = foreseen(found, limits, [scenario.measure.budget_s])
            yield calibrations.as_told(found, foresight)
