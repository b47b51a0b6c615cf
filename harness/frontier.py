"""Time against peak for a toggle that was measured in several after-states: one point a state, at each concurrency.

The effects are those of `statistics.joint_effects`, over the kinds of request of one concurrency alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from harness.evidence import Evidence, log_ratio
from harness.jointly import SHARED, JointArms
from harness.results import CYCLE, TOGETHER, FrontierPoint, Trial, at_once
from harness.statistics import Effect, joint_effects, ratio_of
from harness.toggling import toggle_of

PEAKS = ("peak_reserved", "rss_peak")
"""What a setting takes: what the allocator holds on a GPU, what is resident on the host. The first that can be read."""
BEFORE = "before"
"""The name of the point that the others are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Which points are compared: of one toggle against `reference`, in the blocks of `group`, at one concurrency."""

    toggle: str
    reference: str
    group: str
    concurrency: int
    strata: tuple[str, ...]


def frontier(evidence: Evidence, refused: Mapping[str, str]) -> Iterator[FrontierPoint]:
    """The points of every toggle that has several after-states, that before first, concurrency by concurrency.

    `refused` names arms that may not be compared, and why.
    """
    settings: dict[str, dict[str, str]] = defaultdict(dict)
    for name, _, arm in evidence.run.plan.pairs:
        settings[toggle_of(name)][name] = arm
    for toggle, arms in settings.items():
        if len(arms) > 1:
            for place in _places(evidence, toggle, next(iter(arms.values()))):
                yield from _marked(_points(evidence, place, arms, refused))


def frontier_of_sets(joint: JointArms) -> Iterator[FrontierPoint]:
    """Sets of toggles by latency against peak: those on the frontier, and none and all. Of sets that cannot be told apart, the
    smaller stand for the larger that hold them.

    None where a set has no peak of its own: nothing could be said of it. The `toggle` is that of all together.
    """
    evidence = joint.evidence
    place = _Place(
        toggle=TOGETHER, reference=joint.names[0], group=joint.group,
        concurrency=min(evidence.run.plan.concurrency.values(), default=1), strata=tuple(evidence.run.plan.strata),
    )  # fmt: skip
    if joint.refused or not evidence.strata("latency"):
        return
    peaks = _peaks_of_sets(joint)
    if not set(joint.names) <= set(peaks[1]):
        return
    itself = Effect(location=0.0, low=0.0, high=0.0, level=0.95, blocks=0, workers=0)
    effects = {**_effects(evidence, place), joint.names[0]: itself}
    points = []
    for arm in joint.names:
        if arm in peaks[1] and arm in effects:
            name = BEFORE if arm == joint.names[0] else arm
            point = _point(evidence, place, name, arm, effects[arm])
            values = peaks[1][arm]
            points.append(
                replace(point, peak_metric=peaks[0], peak=median(values), peak_low=min(values), peak_high=max(values))
            )
    ends = (joint.names[0], joint.names[-1])
    marked = _marked(points)
    yield from (p for p in marked if p.arm in ends or (p.efficient and not _has_equal_part(p, marked, joint)))


def _has_equal_part(point: FrontierPoint, points: Sequence[FrontierPoint], joint: JointArms) -> bool:
    """Whether fewer of the toggles of a set are on the frontier, too, and cannot be told apart from it."""
    rows = dict(zip(joint.names, joint.on, strict=True))
    own, mine = _spans(point), rows[point.arm]
    for other in points:
        theirs, spans = rows[other.arm], _spans(other)
        is_part = bool((theirs <= mine).all()) and int(theirs.sum()) < int(mine.sum())
        if is_part and other.efficient and own and spans and _alike(own, spans):
            return True
    return False


def _peaks_of_sets(joint: JointArms) -> tuple[str, dict[str, list[float]]]:
    """The metric of the peaks of arms, and each arm's readings: of one process that had all arms, or of a process each."""
    trials = [trial for trial in joint.evidence.trials if trial.pass_ == "memory" and trial.arm in joint.names]
    shared = [(name, SHARED) for name in joint.evidence.exact]
    for name, group in (*shared, *((name, "") for name in PEAKS)):
        found: dict[str, list[float]] = defaultdict(list)
        for trial in trials:
            if trial.group == group and (value := trial.values.get(name)) is not None:
                found[trial.arm].append(value)
        if found:
            return name, found
    return PEAKS[-1], {}


def _places(evidence: Evidence, toggle: str, first: str) -> Iterator[_Place]:
    plan = evidence.run.plan
    reference = next(before for name, before, _ in plan.pairs if toggle_of(name) == toggle)
    for concurrency in sorted({plan.concurrency.get(stratum, 1) for stratum in plan.strata}):
        yield _Place(
            toggle=toggle, reference=reference, group=evidence.group_of(reference, first), concurrency=concurrency,
            strata=tuple(name for name in plan.strata if plan.concurrency.get(name, 1) == concurrency),
        )  # fmt: skip


def _points(
    evidence: Evidence, place: _Place, arms: Mapping[str, str], refused: Mapping[str, str]
) -> list[FrontierPoint]:
    itself = Effect(location=0.0, low=0.0, high=0.0, level=0.95, blocks=0, workers=0)
    effects = _effects(evidence, place)
    points = [_point(evidence, place, BEFORE, place.reference, itself)]
    for name, arm in arms.items():
        if arm in refused:
            points.append(_point(evidence, place, name, arm, None, refused[arm]))
        else:
            points.append(_point(evidence, place, name, arm, effects.get(arm)))
    return points


def _effects(evidence: Evidence, place: _Place) -> Mapping[str, Effect]:
    """Effects on latency of the arms of the group that did not fail."""
    differences: dict[str, dict[int, dict[str, list[float]]]] = {}
    for arm in evidence.run.plan.groups.get(place.group, ()):
        if arm in evidence.failed_arms:
            continue
        by_worker: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        if arm != place.reference:
            for before, after in evidence.pairs("latency", place.reference, arm, place.group):
                if before.stratum in place.strata:
                    figure = log_ratio(before.values["latency"] or 0.0, after.values["latency"] or 0.0)
                    by_worker[before.worker][before.stratum].append(figure)
        differences[arm] = by_worker
    return joint_effects(differences, {stratum: evidence.run.plan.strata[stratum] for stratum in place.strata})


def _point(
    evidence: Evidence, place: _Place, name: str, arm: str, effect: Effect | None, reason: str = ""
) -> FrontierPoint:
    trials = [
        trial
        for trial in evidence.trials
        if (trial.arm, trial.kind, trial.group) == (arm, "request", place.group) and trial.stratum in place.strata
    ]
    measured, peaks = _peaks(evidence, arm, place.concurrency)
    low, high = (None, None) if effect is None else (effect.low, effect.high)
    return FrontierPoint(
        device=evidence.device, toggle=place.toggle, optimization=name, arm=arm, concurrency=place.concurrency,
        latency=_median(trials, "latency"), audio_rate=_median(trials, "audio_rate"),
        ratio=None if effect is None else ratio_of(effect.location),
        ratio_low=None if low is None else ratio_of(low), ratio_high=None if high is None else ratio_of(high),
        peak_metric=measured, peak=median(peaks) if peaks else None,
        peak_low=min(peaks, default=None), peak_high=max(peaks, default=None), reason=reason,
    )  # fmt: skip


def _peaks(evidence: Evidence, arm: str, concurrency: int) -> tuple[str, list[float]]:
    """The peaks of an arm at a concurrency, one for each repeat, and the metric that they are of."""
    trials = [trial for trial in evidence.peaks_of_some if trial.stratum == at_once(concurrency)]
    trials = trials or [trial for trial in evidence.trials if trial.stratum == CYCLE]
    for name in PEAKS:
        found = [value for trial in trials if trial.arm == arm and (value := trial.values.get(name)) is not None]
        if found:
            return name, found
    return PEAKS[-1], []


def _median(trials: Sequence[Trial], name: str) -> float | None:
    values = [value for trial in trials if (value := trial.values.get(name)) is not None]
    return median(values) if values else None


def _marked(points: Sequence[FrontierPoint]) -> list[FrontierPoint]:
    """The points, with those marked that no other one beats: clearly better in one figure, not clearly worse in the other."""
    spans = [_spans(point) for point in points]
    return [
        replace(point, efficient=own is not None and not any(_beats(other, own) for other in spans if other))
        for point, own in zip(points, spans, strict=True)
    ]


Span = tuple[float, float]
"""The lower and the upper end of a figure."""


def _spans(point: FrontierPoint) -> tuple[Span, Span] | None:
    """Between what the ratio and the peak lie; None where one was not measured."""
    if point.ratio is None or point.peak is None:
        return None
    low, high = point.ratio_low or point.ratio, point.ratio_high or point.ratio
    return (low, high), (point.peak_low or point.peak, point.peak_high or point.peak)


def _alike(one: tuple[Span, Span], other: tuple[Span, Span]) -> bool:
    """Whether neither figure can be told apart."""
    return all(mine[0] <= yours[1] and yours[0] <= mine[1] for mine, yours in zip(one, other, strict=True))


def _beats(one: tuple[Span, Span], other: tuple[Span, Span]) -> bool:
    better = [mine[1] < yours[0] for mine, yours in zip(one, other, strict=True)]
    worse = [mine[0] > yours[1] for mine, yours in zip(one, other, strict=True)]
    return any(better) and not any(worse)
