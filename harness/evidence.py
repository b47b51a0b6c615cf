"""One device's measurements, indexed for asking: values of an arm, paired effects, witnesses, equivalences."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

import numpy as np
from numpy.typing import NDArray

from harness import sequential
from harness.designs import CONTROLS, DEVICE_DOSE, times_device
from harness.metrics import ALLOCATOR_UNIT_BYTES, EXACT, FACTS_OF_WORK, METRICS, SITE, SUMMARISED, WORK, metric
from harness.results import CYCLE, TOGETHER, Arm, Equivalence, Run, Trial, WitnessCount, at_once
from harness.statistics import Effect, joint_effects, repeat_effect, worker_locations
from harness.toggling import toggle_of

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Log-ratios of arms to the first of them as [workers, arms], and from how many blocks they are."""

    log_ratios: NDArray[np.float64]
    blocks: int


class Evidence:
    """What `run` holds about `device`. Looks things up and forms effects; judges nothing."""

    def __init__(self, run: Run, device: str) -> None:
        self.run = run
        self.device = device
        dosed = times_device(device, run.plan.concurrency.values())
        self.arms: Mapping[str, Arm] = {arm.name: arm for arm in run.plan.arms if dosed or arm.name != DEVICE_DOSE}
        timed = [trial for trial in run.trials if trial.device == device and trial.phase == "timed"]
        self.trials = [trial for trial in timed if not _is_peak_of_some(trial)]
        self.peaks_of_some = [trial for trial in timed if _is_peak_of_some(trial)]
        self._effects: dict[_Key, Mapping[str, Effect]] = {}
        self._pairs: dict[tuple[str, str, str, str], list[tuple[Trial, Trial]]] = {}
        self._looks = {name: look.number for look in run.looks if look.device == device for name in look.decided}
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

    def is_measured(self, group: str, kind: str) -> bool:
        """Whether there are timed blocks of that kind in a group of the latency pass."""
        return any((pass_, of, name) == ("latency", kind, group) for pass_, of, name, _ in self._blocks)

    def is_timed(self, arm: str) -> bool:
        """Whether an arm is in some group of blocks; of designs with arms that are only of use together, some are not."""
        return not self.run.plan.joint or any(arm in arms for arms in self.run.plan.groups.values())

    def pairs(self, name: str, reference: str, arm: str, group: str) -> Sequence[tuple[Trial, Trial]]:
        """Trials of both arms that share a block of `group` and have a value of the metric."""
        where = metric(name).pass_, _kind_of(name), group
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
        """The metric's values in the timed trials of an arm that are of the metric's kind: requests, or builds for `init`."""
        kind, pass_ = _kind_of(name), metric(name).pass_
        if pass_ == "micro":
            return []  # several toggles' places share their reference arm: there is no such thing as an arm's own
        return [
            value
            for trial in self.trials
            if (trial.arm, trial.kind) == (arm, kind)
            and (value := trial.values.get(name)) is not None
            and (pass_ == "memory") == (trial.pass_ == "memory")  # what is refused is counted in both
        ]

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
        pairs = self._shared(name, reference, arm, stratum)
        return [value_of(before, name) for before, _ in pairs], [value_of(after, name) for _, after in pairs]

    def typical(self, name: str, reference: str, arm: str, stratum: str = "") -> tuple[float | None, float | None]:
        """What stands for the metric before and after: medians of `paired_values`, of what is added up the mean."""
        pairs = self._shared(name, reference, arm, stratum)
        if not pairs:
            return None, None
        sides = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        if metric(name).added:
            return _mean_over_audio(sides[0], name), _mean_over_audio(sides[1], name)
        before, after = (median(value_of(trial, name) for trial in side) for side in sides)
        return before, after

    def _shared(self, name: str, reference: str, arm: str, stratum: str) -> list[tuple[Trial, Trial]]:
        group = self.group_of(reference, arm) if metric(name).pass_ == "latency" else ""
        return [pair for pair in self.pairs(name, reference, arm, group) if stratum in ("", pair[0].stratum)]

    def effect(
        self, name: str, reference: str, arm: str, *, level: float = 0.95, form: Form = log_ratio,
        group: str | None = None, stratum: str = "",
    ) -> Effect | None:  # fmt: skip
        """The paired effect of `arm` against `reference`, by default as a log-ratio; None where nothing is paired.

        Over the whole workload with its shares, or in one `stratum` of the latency pass. Of what is measured once in a
        process (memory, first requests) also None where a repeat has no figure: leaving it out would choose among the repeats.
        """
        if metric(name).pass_ in ("memory", "first"):
            pairs = [(value_of(a, name), value_of(b, name)) for a, b in self.pairs(name, reference, arm, "")]
            figures = [form(before, after) for before, after in pairs]
            if any(map(math.isnan, figures)):
                return None
            return repeat_effect(figures, level=level, rounding=self._rounding(name, pairs, form))
        if metric(name).pass_ == "micro":
            figures_of = _of_pairs(
                self.pairs(name, reference, arm, ""), _Key(name, reference, "", form, level, stratum)
            )
            return joint_effects({arm: figures_of}, dict.fromkeys(_strata_of(figures_of), 1.0), level=level).get(arm)
        group = self.group_of(reference, arm) if group is None else group
        key = _Key(name, reference, group, form, level, stratum)
        if key not in self._effects:
            self._effects[key] = self._joint(key)
        return self._effects[key].get(arm)

    def effect_of_one(self, name: str, reference: str, arm: str) -> Effect | None:
        """The difference that `arm` makes in a peak of memory of requests made alone, in the metric's unit.

        Of several at the same moment the peak is a matter of which of their stages meet. Of the whole workload where
        nothing was recorded apart: where all requests are made alone, and in older runs none.
        """
        before, after = (self.peaks_of_one(name, side) for side in (reference, arm))
        figures = [difference(before[repeat], after[repeat]) for repeat in sorted(before.keys() & after.keys())]
        return repeat_effect(figures) if figures else self.effect(name, reference, arm, form=difference)

    def peaks_of_one(self, name: str, arm: str) -> Mapping[int, float]:
        """Repeat -> a peak of memory of requests made alone, where they were recorded apart from those of several at once."""
        trials = [t for t in self.peaks_of_some if (t.arm, t.stratum) == (arm, at_once(1))]
        return {t.block: value for t in trials if (value := t.values.get(name)) is not None}

    @cached_property
    def exact(self) -> frozenset[str]:
        """Metrics whose repeats are the same number unless something is wrong: the bytes of tensors, of requests made alone."""
        return (
            frozenset() if any(together > 1 for together in self.run.plan.concurrency.values()) else frozenset([EXACT])
        )

    def step(self, name: str) -> float:
        """The steps in which the counter of a metric reads, in the metric's unit; 0 where it has none.

        What is exact only of requests alone is, of several at the same moment, told no better than the allocator's unit: repeats
        that agree by chance are not a point.
        """
        return ALLOCATOR_UNIT_BYTES if name == EXACT and EXACT not in self.exact else metric(name).step

    def _rounding(self, name: str, pairs: Sequence[tuple[float, float]], form: Form) -> float:
        """The standard deviation of a figure of a pair by the steps of the counter alone: of two roundings, each step / sqrt(12)."""
        size = min((value for pair in pairs for value in pair), default=1.0) if form is log_ratio else 1.0
        return self.step(name) / math.sqrt(6) / size

    def _joint(self, key: _Key) -> Mapping[str, Effect]:
        """Effects of all arms of a group at once, whose noise is estimated together; those that failed have none."""
        others = [arm for arm in self.run.plan.groups.get(key.group, ()) if arm not in self.failed_arms]
        differences, weights = self._differences(key, others)
        effects = joint_effects(differences, weights, level=key.level)
        if not metric(key.metric).added:
            return effects
        return {arm: replace(effect, blocks=len(self._paired(key, arm))) for arm, effect in effects.items()}

    def _differences(self, key: _Key, arms: Sequence[str]) -> tuple[dict[str, _Figures], dict[str, float]]:
        """The paired figures of `arms` against the reference, and the weights of the strata that are in them."""
        figures = _of_sums if metric(key.metric).added else _of_pairs
        found = {arm: figures(self._paired(key, arm), key) for arm in arms if arm != key.reference}
        seen = {stratum for arm in found.values() for strata in arm.values() for stratum in strata}
        return found, {stratum: self.run.plan.strata.get(stratum, 1.0) for stratum in seen}

    def _paired(self, key: _Key, arm: str) -> list[tuple[Trial, Trial]]:
        pairs = self.pairs(key.metric, key.reference, arm, key.group)
        return [pair for pair in pairs if key.stratum in ("", pair[0].stratum)]

    def locations(self, name: str, arms: Sequence[str], group: str) -> Table | None:
        """The log-ratios of `arms` to the first of them in each worker that measured all of them in blocks of `group`.

        Of memory in each repeat, whose readings are taken in one process. None where there is no such worker.
        """
        reference, *others = arms
        key = _Key(name, reference, group, log_ratio, 0.0, "")
        differences, weights = self._differences(key, others)
        found = worker_locations(differences, weights)
        whole = set.intersection(*(set(found.get(arm, {})) for arm in others)) if others else set()
        if not whole:
            return None
        rows = [[0.0, *(found[arm][worker] for arm in others)] for worker in sorted(whole)]
        blocks = min(len(self._paired(key, arm)) for arm in others)
        return Table(log_ratios=np.array(rows), blocks=blocks)

    def changes_in(self, name: str, reference: str, group: str, strata: Collection[str]) -> dict[str, dict[int, float]]:
        """What the arms of a group change in requests of the named `strata`, in the metric's unit: arm -> worker -> change.

        Strata count by their shares of the workload. An arm lacks the workers that did not meet all of them.
        """
        key = _Key(name, reference, group, difference, 0.0, "")
        arms = [arm for arm in self.run.plan.groups.get(group, ()) if arm not in self.failed_arms]
        differences, weights = self._differences(key, arms)
        wanted = {stratum: weight for stratum, weight in weights.items() if stratum in strata}
        return worker_locations(differences, wanted) if wanted else {}

    def part_of_error(self, optimization: str, look: int | None = None) -> float:
        """The part of its error that a contrast may spend: that of the look at which it was decided, or else of `look`,
        by default the last (`sequential`). All of it in runs from before there were looks.
        """
        looks = self.run.plan.looks
        if not looks:
            return 1.0
        return sequential.part(self._looks.get(optimization, len(looks) - 1 if look is None else look), looks)

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

    def is_counted(self, setting: str, *arms: str) -> bool:
        """Whether the witness of a toggle in one of its states was counted on all of `arms`."""
        return all(self.witness(setting, arm) is not None for arm in arms)

    def equivalences(self, arm: str) -> list[Equivalence]:
        """Comparisons of the output of `arm` with the reference's."""
        return [item for item in self.run.equivalences if item.device == self.device and item.arm == arm]

    def failure(self, *arms: str) -> str | None:
        """Why one of `arms`, or the whole device, failed for good; None if they did not."""
        for failure in self.run.failures:
            if failure.device == self.device and failure.final and (failure.arm is None or failure.arm in arms):
                return failure.message
        return None

    @cached_property
    def failed_arms(self) -> frozenset[str]:
        """Arms that failed for good."""
        return frozenset(
            failure.arm
            for failure in self.run.failures
            if failure.device == self.device and failure.final and failure.arm is not None
        )

    @property
    def measured_arms(self) -> list[str]:
        """Arms that are not controls."""
        return [name for name in self.arms if name not in CONTROLS]


_Figures = dict[int, dict[str, list[float]]]
"""Worker -> stratum -> figures."""


def _of_pairs(pairs: Sequence[tuple[Trial, Trial]], key: _Key) -> _Figures:
    """A figure for each pair; none for a pair that cannot give one."""
    found: _Figures = defaultdict(lambda: defaultdict(list))
    for before, after in pairs:
        figure = key.form(value_of(before, key.metric), value_of(after, key.metric))
        if not math.isnan(figure):
            found[before.worker][before.stratum].append(figure)
    return found


def _strata_of(figures: _Figures) -> set[str]:
    return {stratum for strata in figures.values() for stratum in strata}


def _of_sums(pairs: Sequence[tuple[Trial, Trial]], key: _Key) -> _Figures:
    """One figure for each worker and stratum, from its sums before and after; none where a sum cannot give one."""
    places: dict[tuple[int, str], list[tuple[Trial, Trial]]] = defaultdict(list)
    for pair in pairs:
        places[pair[0].worker, pair[0].stratum].append(pair)
    found: _Figures = defaultdict(dict)
    for (worker, stratum), paired in places.items():
        before, after = (_mean_over_audio([pair[side] for pair in paired], key.metric) for side in (0, 1))
        figure = key.form(before, after)
        if not math.isnan(figure):
            found[worker][stratum] = [figure]
    return found


def _mean_over_audio(trials: Sequence[Trial], name: str) -> float:
    """The sum of what was used over the seconds of audio made, from values that are per second of a trial's audio."""
    audio_s = [trial.values.get("audio") or 1.0 for trial in trials]
    return sum(value_of(trial, name) * seconds for trial, seconds in zip(trials, audio_s, strict=True)) / sum(audio_s)


def _kind_of(name: str) -> str:
    """The kind of trial that a metric is of; processor time is also taken of builds, which are no requests."""
    return {"init": "init", SITE: "place"}.get(name, "request")


def _is_peak_of_some(trial: Trial) -> bool:
    """Whether a trial is the peak of requests of one concurrency, which the peak of the whole cycle includes."""
    return trial.pass_ == "memory" and trial.stratum != CYCLE


def work_of(trial: Trial) -> tuple[float | None, ...]:
    """What a request made, as far as each trial says: speech tokens, and seconds of audio."""
    return tuple(trial.values.get(name) for name in WORK)


def say_work(work: tuple[float | None, ...]) -> str:
    """What a request made, in words: "75 speech tokens, 3 s of audio"."""
    tokens, audio_s = work
    told = [f"{tokens:g} speech tokens"] if tokens else []
    return ", ".join([*told, *([] if audio_s is None else [f"{audio_s:g} s of audio"])]) or "nothing"


def value_of(trial: Trial, name: str) -> float:
    """The value of a metric in a trial that has one. Raises ValueError where it has none."""
    value = trial.values[name]
    if value is None:
        message = f"{name} was not measured in this trial"
        raise ValueError(message)
    return value
