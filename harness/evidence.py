"""One device's measurements, indexed for asking: values of an arm, paired effects, witnesses, equivalences."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property

from harness.designs import CONTROLS
from harness.metrics import METRICS, metric
from harness.results import Arm, Equivalence, Run, Trial, WitnessCount
from harness.statistics import Effect, exact_effect, paired_effect

EXACT = "peak_allocated"
"""The metric that is the same to the byte whenever the same request is repeated."""

_FACTS_OF_WORK = {"audio", "tokens", "dose"}


def log_ratio(before: float, after: float) -> float:
    """Natural log of after / before; NaN where either is not positive."""
    return math.log(after / before) if before > 0 and after > 0 else math.nan


def difference(before: float, after: float) -> float:
    """after - before, in the metric's unit."""
    return after - before


class Evidence:
    """What `run` holds about `device`. Looks things up and forms effects; judges nothing."""

    def __init__(self, run: Run, device: str) -> None:
        self.run = run
        self.device = device
        self.arms: Mapping[str, Arm] = {
            arm.name: arm for arm in run.plan.arms if device != "cpu" or arm.name != "device_dose"
        }
        self.trials = [trial for trial in run.trials if trial.device == device and trial.phase == "timed"]
        self.reference = next(arm.name for arm in run.plan.arms if arm.role in ("none", "all"))

    @cached_property
    def _blocks(self) -> Mapping[tuple[str, str, int], Mapping[str, Trial]]:
        blocks: dict[tuple[str, str, int], dict[str, Trial]] = defaultdict(dict)
        for trial in self.trials:
            blocks[trial.pass_, trial.kind, trial.block][trial.arm] = trial
        return blocks

    @cached_property
    def metric_names(self) -> list[str]:
        """Metrics to compare: those the scenario asks for where they exist, then stages and device times."""
        seen = {name for trial in self.trials for name in trial.values} - _FACTS_OF_WORK
        wanted = self.run.scenario.get("measure", {}).get("metrics") or list(METRICS)
        named = [name for name in METRICS if name in wanted and name in seen]
        return named + sorted(name for name in seen if name not in METRICS)

    def pairs(self, name: str, reference: str, arm: str) -> list[tuple[Trial, Trial]]:
        """Trials of both arms that share a block and have a value of the metric."""
        where = metric(name).pass_, "init" if name == "init" else "request"
        return [
            (block[reference], block[arm])
            for key, block in self._blocks.items()
            if key[:2] == where
            and reference in block
            and arm in block
            and block[reference].values.get(name) is not None
            and block[arm].values.get(name) is not None
        ]

    def paired_values(self, name: str, reference: str, arm: str) -> tuple[list[float], list[float]]:
        """The metric's values before and after, over the blocks that both arms share."""
        pairs = self.pairs(name, reference, arm)
        return [_value(before, name) for before, _ in pairs], [_value(after, name) for _, after in pairs]

    def effect(
        self,
        name: str,
        reference: str,
        arm: str,
        *,
        level: float = 0.95,
        form: Callable[[float, float], float] = log_ratio,
    ) -> Effect | None:
        """The paired effect of `arm` against `reference`, by default as a log-ratio; None where nothing is paired."""
        differences: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        strata: Counter[str] = Counter()
        for before, after in self.pairs(name, reference, arm):
            figure = form(_value(before, name), _value(after, name))
            if not math.isnan(figure):
                differences[before.worker][before.stratum].append(figure)
                strata[before.stratum] += 1
        if metric(name).pass_ == "memory":
            repeats = [figure for by_stratum in differences.values() for items in by_stratum.values() for figure in items]
            return exact_effect(repeats, level=level)
        return paired_effect(differences, level=level, weights=strata) if strata else None

    def witness(self, toggle: str, arm: str) -> WitnessCount | None:
        """What the witness of `toggle` counted on `arm`, if it was counted."""
        key = (self.device, toggle, arm)
        return next((w for w in self.run.witnesses if (w.device, w.optimization, w.arm) == key), None)

    def equivalences(self, arm: str) -> list[Equivalence]:
        """Comparisons of the output of `arm` with the reference's."""
        return [item for item in self.run.equivalences if item.device == self.device and item.arm == arm]

    def failure(self, *arms: str) -> str | None:
        """Why one of `arms`, or the whole device, failed for good; None if they did not."""
        for failure in self.run.failures:
            if failure.device == self.device and failure.final and (failure.arm is None or failure.arm in arms):
                return failure.message
        return None

    @property
    def measured_arms(self) -> list[str]:
        """Arms that are not controls."""
        return [name for name in self.arms if name not in CONTROLS]


def _value(trial: Trial, name: str) -> float:
    value = trial.values[name]
    if value is None:
        message = f"{name} was not measured in this trial"
        raise ValueError(message)
    return value
