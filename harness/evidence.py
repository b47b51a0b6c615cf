"""One device's measurements, indexed for asking: values of an arm, paired effects, witnesses, equivalences."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.designs import CONTROLS
from harness.metrics import FACTS_OF_WORK, METRICS, SUMMARISED, metric
from harness.results import CYCLE, TOGETHER, Arm, Equivalence, Run, Trial, WitnessCount, toggle_of
from harness.statistics import Effect, joint_effects, repeat_effect

EXACT = "peak_allocated"
"""The metric that is the same to the byte whenever the same request is repeated."""

Form = Callable[[float, float], float]
"""How a pair (before, after) becomes one figure: `log_ratio` or `difference`."""


def log_ratio(before: float, after: float) -> float:
    """Natural log of after / before; NaN where either is not positive."""
    return math.log(after / before) if before > 0 and after > 0 else math.nan


def difference(before: float, after: float) -> float:
    """Difference after - before, in the metric's unit."""
    return after - before


@dataclass(frozen=True, slots=True)
class _Key:
    """What a set of joint effects depends on."""

    metric: str
    reference: str
    group: str
    form: Form
    level: float
    stratum: str


class Evidence:
    """What `run` holds about `device`. Looks things up and forms effects; judges nothing."""

    def __init__(self, run: Run, device: str) -> None:
        self.run = run
        self.device = device
        self.arms: Mapping[str, Arm] = {
            arm.name: arm for arm in run.plan.arms if device != "cpu" or arm.name != "device_dose"
        }
        timed = [trial for trial in run.trials if trial.device == device and trial.phase == "timed"]
        self.trials = [trial for trial in timed if not _is_peak_of_some(trial)]
        self.peaks_of_some = [trial for trial in timed if _is_peak_of_some(trial)]
        self._effects: dict[_Key, Mapping[str, Effect]] = {}
        self._pairs: dict[tuple[str, str, str, str], list[tuple[Trial, Trial]]] = {}
        self.reference = next(arm.name for arm in run.plan.arms if arm.role in ("none", "all"))

    @cached_property
    def _blocks(self) -> Mapping[tuple[str, str, str, int], Mapping[str, Trial]]:
        blocks: dict[tuple[str, str, str, int], dict[str, Trial]] = defaultdict(dict)
        for trial in self.trials:
            blocks[trial.pass_, trial.kind, trial.group, trial.block][trial.arm] = trial
        return blocks

    @cached_property
    def metric_names(self) -> list[str]:
        """Metrics to compare: those the scenario asks for where they exist, then stages and device times."""
        seen = {name for trial in self.trials for name in trial.values} - set(FACTS_OF_WORK) - set(SUMMARISED)
        wanted = self.run.scenario.get("measure", {}).get("metrics") or list(METRICS)
        named = [name for name in METRICS if name in wanted and name in seen]
        return named + sorted(name for name in seen if name not in METRICS)

    def group_of(self, reference: str, arm: str) -> str:
        """The group of arms in whose blocks the pair is compared: the first that holds both."""
        groups = self.run.plan.groups
        return next((name for name, arms in groups.items() if reference in arms and arm in arms), "")

    def pairs(self, name: str, reference: str, arm: str, group: str) -> Sequence[tuple[Trial, Trial]]:
        """Trials of both arms that share a block of `group` and have a value of the metric."""
        where = metric(name).pass_, "init" if name == "init" else "request", group
        key = (name, reference, arm, group)
        if key not in self._pairs:
            self._pairs[key] = [
                (block[reference], block[arm])
                for place, block in self._blocks.items()
                if place[:3] == where
                and all(side in block and block[side].values.get(name) is not None for side in (reference, arm))
            ]
        return self._pairs[key]

    def values(self, name: str, arm: str) -> list[float]:
        """The metric's values in all timed trials of an arm."""
        return [value for trial in self.trials if trial.arm == arm and (value := trial.values.get(name)) is not None]

    def strata(self, name: str) -> list[str]:
        """The kinds of request in which a metric of the latency pass was measured, in the order of the workload."""
        found = {
            trial.stratum
            for trial in self.trials
            if (trial.pass_, trial.kind) == ("latency", "request") and trial.values.get(name) is not None
        }
        return [stratum for stratum in self.run.plan.strata if stratum in found]

    def paired_values(self, name: str, reference: str, arm: str, stratum: str = "") -> tuple[list[float], list[float]]:
        """The metric's values before and after, over the blocks that both arms share (of one stratum, if it is named)."""
        group = "" if metric(name).pass_ == "memory" else self.group_of(reference, arm)
        pairs = [pair for pair in self.pairs(name, reference, arm, group) if stratum in ("", pair[0].stratum)]
        return [_value(before, name) for before, _ in pairs], [_value(after, name) for _, after in pairs]

    def effect(
        self, name: str, reference: str, arm: str, *, level: float = 0.95, form: Form = log_ratio,
        group: str | None = None, stratum: str = "",
    ) -> Effect | None:  # fmt: skip
        """The paired effect of `arm` against `reference`, by default as a log-ratio; None where nothing is paired.

        Over the whole workload with its shares, or in one `stratum` of the latency pass.
        """
        if metric(name).pass_ == "memory":
            pairs = self.pairs(name, reference, arm, "")
            figures = [form(_value(a, name), _value(b, name)) for a, b in pairs]
            return repeat_effect([figure for figure in figures if not math.isnan(figure)], level=level)
        group = self.group_of(reference, arm) if group is None else group
        key = _Key(name, reference, group, form, level, stratum)
        if key not in self._effects:
            self._effects[key] = self._joint(key)
        return self._effects[key].get(arm)

    def _joint(self, key: _Key) -> Mapping[str, Effect]:
        """Effects of all arms of a group at once: their common noise is estimated from all of them."""
        differences: dict[str, dict[int, dict[str, list[float]]]] = {}
        seen: set[str] = set()
        for arm in self.run.plan.groups.get(key.group, ()):
            by_worker: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for before, after in self.pairs(key.metric, key.reference, arm, key.group) if arm != key.reference else ():
                figure = key.form(_value(before, key.metric), _value(after, key.metric))
                if not math.isnan(figure) and key.stratum in ("", before.stratum):
                    by_worker[before.worker][before.stratum].append(figure)
                    seen.add(before.stratum)
            differences[arm] = by_worker
        weights = {stratum: self.run.plan.strata.get(stratum, 1.0) for stratum in seen}
        return joint_effects(differences, weights, level=key.level)

    def settings(self, optimization: str) -> list[str]:
        """What `optimization` turns on, as its contrasts are named: itself, or for all together one state of each toggle."""
        if optimization != TOGETHER:
            return [optimization]
        named = {toggle_of(name): name for name, _, _ in reversed(self.run.plan.pairs)}
        return [named.get(toggle, toggle) for toggle in self.arms[self.reference].states]

    def witness(self, setting: str, arm: str) -> WitnessCount | None:
        """What the witness of a toggle (in one of its states) counted on `arm`, if it was counted."""
        key = (self.device, setting, arm)
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


def _is_peak_of_some(trial: Trial) -> bool:
    """Whether a trial is the peak of requests of one concurrency, which the peak of the whole cycle includes."""
    return trial.pass_ == "memory" and trial.stratum != CYCLE


def _value(trial: Trial, name: str) -> float:
    value = trial.values[name]
    if value is None:
        message = f"{name} was not measured in this trial"
        raise ValueError(message)
    return value
