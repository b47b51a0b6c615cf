"""Along what an effect can be followed in a run: text, speaker prompt, concurrency; and the curve of each toggle along each.

An axis has a value for each text (prompt, concurrency); the strata of the workload that have it are averaged with their shares. The numbers are those of `crossings`; here is decided what they are about.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np

from harness.controls import allowance, calibrated, family, margin_of
from harness.crossings import Changes, Curve, Judging
from harness.evidence import Evidence, value_of
from harness.jointly import CONTROLS_GROUP
from harness.results import Axis, Control, EffectCurve, Trial
from harness.rules import ERROR
from harness.scenario.scalars import BUILTIN
from harness.scenario.texts import TEXTS
from harness.statistics import Differences, worker_locations

METRICS = ("latency", "ttfa")
"""Metrics that are followed: times of a request, which have a fixed part and one that grows."""
SPAN = 1.5
"""The largest value of an axis is at least so many times the smallest."""
ALIKE = 1.1
"""Values that differ by a smaller factor count as one."""

Kind = tuple[str, float | None]
"""A stratum; along the prompt also the seconds of the prompt, None where they are not known."""
Pair = tuple[Trial, Trial]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of an axis, and the kinds of request that have it, with their shares of the workload."""

    at: float
    kinds: Mapping[Kind, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """An axis and its values, the smallest first."""

    axis: Axis
    values: tuple[Value, ...]


def curves(
    evidence: Evidence, refused: Mapping[str, str], outcomes: Sequence[Control], muted: Mapping[tuple[str, str], str]
) -> Iterator[EffectCurve]:
    """What every toggle changes along every axis that the workload has; of those in `refused` why there are no figures, and of the
    toggles and metrics in `muted` why nothing is told of them.

    The axes of a toggle and metric share the error of its band, as kinds of request do (decision 7).
    """
    if evidence.run.plan.limits:
        return
    kinds = Kinds(evidence)
    for pair in evidence.run.plan.pairs:
        for name in METRICS:
            if name not in evidence.metric_names or not evidence.is_timed(pair[2]):
                continue
            pairs = evidence.pairs(name, pair[1], pair[2], evidence.group_of(pair[1], pair[2]))
            found = list(kinds.axes(pairs))
            for along in found:
                told = _told_beforehand(evidence, pair, name, along.axis, len(found))
                told = replace(told, muted=muted.get((pair[0], name), ""))
                reason = refused.get(pair[0], "")
                yield replace(told, reason=reason) if reason else _with_figures(evidence, told, along, kinds, outcomes)


class Kinds:
    """Sorts the requests of a run into kinds, and kinds onto axes."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.plan = evidence.run.plan
        self._texts: Mapping[str, str] = evidence.run.scenario.get("workload", {}).get("texts") or {}
        groups = merged(self.plan.prompt_s.values())
        self._prompt_s = {name: groups[seconds] for name, seconds in self.plan.prompt_s.items()}
        self._prompts = Counter(self._prompt_s.values())

    def of(self, trial: Trial, axis: Axis) -> Kind:
        """The kind of a trial's request: what is located apart along an axis."""
        return trial.stratum, self._prompt_s.get(trial.request) if axis == "prompt" else None

    def axes(self, pairs: Sequence[Pair]) -> Iterator[Along]:
        """The axes along which the requests of these pairs differ enough."""
        before = [one for one, _ in pairs]
        heard = all(trial.values.get("audio") for trial in before)
        lengths = self._audio_s(before) if heard else self._characters()
        found: dict[Axis, Callable[[Kind], float | None]] = {
            "audio" if heard else "characters": lambda kind: lengths.get(self._label(kind[0])),
            "prompt": lambda kind: kind[1] if self._label(kind[0]) else None,  # voice conversion hears two recordings
            "concurrency": lambda kind: float(self.plan.concurrency.get(kind[0], 1)),
        }
        for axis, of_kind in found.items():
            kinds = dict.fromkeys(self.of(trial, axis) for trial in before)
            values = self._values(list(kinds), of_kind, whole=axis == "concurrency")
            if len(values) > 1 and values[-1].at >= SPAN * values[0].at:
                yield Along(axis=axis, values=values)

    def share(self, kind: Kind) -> float:
        """The share of the workload's requests that are of a kind."""
        stratum, prompt_s = kind
        among = 1.0 if prompt_s is None else self._prompts[prompt_s] / self._prompts.total()
        return self.plan.strata.get(stratum, 1.0) * among

    def _values(
        self, kinds: Sequence[Kind], of_kind: Callable[[Kind], float | None], *, whole: bool
    ) -> tuple[Value, ...]:
        exact = {kind: value for kind in kinds if (value := of_kind(kind))}
        groups = {value: value for value in exact.values()} if whole else merged(exact.values())
        places: dict[float, dict[Kind, float]] = defaultdict(dict)
        for kind, value in exact.items():
            places[groups[value]][kind] = self.share(kind)
        return tuple(Value(at=at, kinds=places[at]) for at in sorted(places))

    def _label(self, stratum: str) -> str:
        """The label of a stratum's text, "" where it speaks none."""
        first = stratum.partition(",")[0].partition(" ")[0]
        return first if first in self._texts else ""

    def _audio_s(self, before: Sequence[Trial]) -> Mapping[str, float]:
        """How long each text is spoken: the mean over its strata of their medians."""
        by_stratum: dict[str, list[float]] = defaultdict(list)
        for trial in before:
            by_stratum[trial.stratum].append(trial.values["audio"] or 0.0)
        found: dict[str, list[float]] = defaultdict(list)
        for stratum, values in by_stratum.items():
            found[self._label(stratum)].append(median(values))
        return {label: fmean(values) for label, values in found.items() if label}

    def _characters(self) -> Mapping[str, float]:
        return {
            label: float(len(TEXTS.get(text.removeprefix(f"{BUILTIN}:"), text))) for label, text in self._texts.items()
        }


def merged(values: Iterable[float]) -> dict[float, float]:
    """Each value with the mean of those that count as one with it."""
    groups: list[list[float]] = []
    for value in sorted(set(values)):
        if groups and value < ALIKE * groups[-1][0]:
            groups[-1].append(value)
        else:
            groups.append([value])
    return {value: fmean(group) for group in groups for value in group}


def _told_beforehand(evidence: Evidence, pair: tuple[str, str, str], name: str, axis: Axis, axes: int) -> EffectCurve:
    optimization, reference, arm = pair
    return EffectCurve(
        device=evidence.device, optimization=optimization, metric=name, reference_arm=reference, arm=arm, axis=axis,
        margin=margin_of(evidence, name, optimization), level=1 - ERROR / axes,
    )  # fmt: skip


def _with_figures(
    evidence: Evidence, told: EffectCurve, along: Along, kinds: Kinds, outcomes: Sequence[Control]
) -> EffectCurve:
    told = replace(told, of_workers=_of_workers(evidence, told))
    changes = _changes(evidence, told, along, kinds)
    if changes is None:
        return replace(told, reason=f"none of {told.of_workers} workers met every value")
    part = evidence.part_of_error(told.optimization)
    group = CONTROLS_GROUP if evidence.run.plan.joint else evidence.group_of(told.reference_arm, told.arm)
    curve = Curve(changes, Judging(
        margin=told.margin, allowance=allowance(outcomes, told.metric, group), error=ERROR * part,
        band_error=(1 - told.level) * part, trusted=calibrated(list(outcomes))[family(told.metric)] and not told.muted,
    ))  # fmt: skip
    return replace(
        told, form=curve.form, checked=curve.checked, parts_s=curve.parts_s,
        parts_between_s=curve.parts_between_s, measured=curve.measured, points=curve.points, crossings=curve.crossings,
        stretches=curve.stretches, blocks=changes.blocks, workers=len(changes.seconds),
    )  # fmt: skip


def _of_workers(evidence: Evidence, told: EffectCurve) -> int:
    """How many workers measured the toggle, whatever requests they met."""
    group = evidence.group_of(told.reference_arm, told.arm)
    return len({before.worker for before, _ in evidence.pairs(told.metric, told.reference_arm, told.arm, group)})


def _changes(evidence: Evidence, told: EffectCurve, along: Along, kinds: Kinds) -> Changes | None:
    """Of the arm asked for and of all arms that have its workers, among which noise is pooled where workers are few (decision 1)."""
    reference, group = told.reference_arm, evidence.group_of(told.reference_arm, told.arm)
    arms = [arm for arm in evidence.run.plan.groups.get(group, ()) if arm not in {*evidence.failed_arms, reference}]
    paired = {arm: evidence.pairs(told.metric, reference, arm, group) for arm in arms}
    differences = {arm: _differences(pairs, told, kinds) for arm, pairs in paired.items()}
    found = [worker_locations(differences, value.kinds) for value in along.values]
    whole = {arm: set.intersection(*(set(at.get(arm, ())) for at in found)) for arm in arms}
    workers = sorted(whole.get(told.arm, ()))
    if not workers:
        return None
    most = max(map(len, whole.values()))
    others = [arm for arm in arms if arm != told.arm and whole[arm] == whole[told.arm] and len(workers) == most]
    seconds = [[[at[arm][worker] for at in found] for arm in (told.arm, *others)] for worker in workers]
    return Changes(
        at=np.array([value.at for value in along.values]), seconds=np.array(seconds), blocks=len(paired[told.arm]),
        before_s=np.array([_before_s(paired[told.arm], told, kinds, value) for value in along.values]),
        whole=along.axis == "concurrency",
    )  # fmt: skip


def _differences(pairs: Sequence[Pair], told: EffectCurve, kinds: Kinds) -> Differences:
    """Changes in seconds: worker -> kind -> one for each block. A kind stands for a stratum, which it is or is a part of."""
    found: dict[int, dict[Kind, list[float]]] = defaultdict(lambda: defaultdict(list))
    for before, after in pairs:
        change_s = value_of(after, told.metric) - value_of(before, told.metric)
        found[before.worker][kinds.of(before, told.axis)].append(change_s)
    return found


def _before_s(pairs: Sequence[Pair], told: EffectCurve, kinds: Kinds, value: Value) -> float:
    """What a request takes at a value without the toggle: the medians of its kinds, by their shares."""
    found: dict[Kind, list[float]] = defaultdict(list)
    for before, _ in pairs:
        found[kinds.of(before, told.axis)].append(value_of(before, told.metric))
    whole = sum(value.kinds.values())
    return sum(share / whole * median(found[kind]) for kind, share in value.kinds.items())
