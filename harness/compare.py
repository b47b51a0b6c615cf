"""From what was measured to what may be said: contrasts and their verdicts. Pure: a Run in, a Run out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness import presence, rules, sequential
from harness.attribution import attribution, joined, without_chance_finds
from harness.caches import caches
from harness.controls import FAMILIES, allowance, calibrated, calibrated_between_processes, controls, family, margin_of
from harness.designs import PLACEBO, PROCESS
from harness.evidence import Evidence
from harness.expected import expectations
from harness.findings import KINDS, findings
from harness.floors import floors
from harness.frontier import frontier, frontier_of_sets
from harness.jointly import CONTROLS_GROUP, JointArms
from harness.lengths import curves
from harness.metrics import METRICS, SITE, SUMMARISED, Metric, metric
from harness.optimizations.declared import remembered
from harness.results import (
    TOGETHER,
    ArmSummary,
    Attribution,
    CacheEffect,
    Contrast,
    Control,
    EffectCurve,
    Expectation,
    Finding,
    Floor,
    FrontierPoint,
    Run,
    StartEffect,
    Verdict,
)
from harness.rules import ERROR, FROM_FIGURES, IDLE
from harness.starts import starts
from harness.states import state_of
from harness.statistics import OWN_FROM, Effect, quantiles, ratio_of

BY_STRATUM = ("latency", "ttfa", "chunk_gap", "rtf")
"""Metrics whose effects are also given for each kind of request (docs/decisions/0007-effects-by-stratum.md)."""


def evaluate(run: Run) -> Run:
    """The run with controls, contrasts and findings derived from its samples; those it had before are replaced.

    What a plug-in said of its toggles is taken from the run: the plug-in is not needed.
    """
    with remembered(run.optimizations.values()):
        return _evaluated(run)


def _evaluated(run: Run) -> Run:
    outcomes: list[Control] = []
    contrasts: list[Contrast] = []
    found: list[Finding] = []
    arms: list[ArmSummary] = []
    points: list[FrontierPoint] = []
    expected: list[Expectation] = []
    least: list[Floor] = []
    attributions: list[Attribution] = []
    kept: list[CacheEffect] = []
    followed: list[EffectCurve] = []
    begun: list[StartEffect] = []
    for device in run.plan.devices:
        evidence = Evidence(run, device)
        outcome = controls(evidence)
        outcomes += outcome
        alone = list(_contrasts(evidence, outcome))
        judged = _without_chance_finds(alone)
        told = presence.told_present(evidence, judged)
        contrasts += told
        found += [*findings(evidence), *presence.findings(evidence)]
        arms += _arms(evidence)
        expected += expectations(evidence)
        refused = _refused_toggles(evidence) | {
            name: f"already present: {where}" for name, where in run.plan.already_present.items()
        }
        kept += caches(evidence, refused)
        followed += curves(evidence, refused, outcome, _taken_back(alone, judged))
        begun += starts(evidence, refused, outcome)
        joint = JointArms(evidence)
        if joint:
            idle = {item.optimization: item.verdict for item in told if item.verdict in IDLE}
            attributions.append(attribution(joint, outcome, idle))
        points += frontier(evidence, _refused(evidence))
        least += floors(run, device)
        points += frontier_of_sets(joint) if joint else ()
    recorded = [finding for finding in run.findings if finding.kind not in (*KINDS, presence.KIND)]
    return replace(
        run,
        controls=tuple(outcomes),
        contrasts=tuple(contrasts),
        arms=tuple(arms),
        frontier=tuple(points),
        attribution=without_chance_finds(joined(attributions)),
        expectations=tuple(expected),
        caches=tuple(kept),
        curves=tuple(followed),
        starts=tuple(begun),
        floors=tuple(least),
        findings=(*recorded, *found),
    )


def _arms(evidence: Evidence) -> Iterator[ArmSummary]:
    for arm in evidence.arms.values():
        values = {name: evidence.values(name, arm.name) for name in (*evidence.metric_names, *SUMMARISED)}
        yield ArmSummary(
            device=evidence.device,
            arm=arm.name,
            role=arm.role,
            states=arm.states,
            failed=evidence.failure(arm.name) is not None,
            metrics={name: _summary(name, found) for name, found in values.items() if found},
        )


def _summary(name: str, values: Sequence[float]) -> dict[str, float]:
    """Quantiles and count; what is zero in most requests also has its sum and in how many it was not zero."""
    summary = {**quantiles(values), "count": len(values)}
    return summary | {"total": sum(values), "nonzero": sum(map(bool, values))} if name in SUMMARISED else summary


def _refused(evidence: Evidence) -> dict[str, str]:
    """Arms that may not be compared, and why."""
    states = {arm: state_of(evidence, name, reference, arm) for name, reference, arm in evidence.run.plan.pairs}
    return {arm: f"{verdict}: {reason}" for arm, (verdict, reason) in states.items() if verdict is not None}


def _refused_toggles(evidence: Evidence) -> dict[str, str]:
    """Toggles, as their contrasts are named, that may not be judged, and why."""
    states = {name: state_of(evidence, name, reference, arm) for name, reference, arm in evidence.run.plan.pairs}
    return {name: f"{verdict}: {reason}" for name, (verdict, reason) in states.items() if verdict is not None}


def decided(run: Run, device: str, look: int) -> tuple[frozenset[str], Mapping[str, bool]]:
    """What look number `look` at a run in progress settles: optimizations whose every contrast of the latency pass is
    decided, and of each control of that pass whether it has passed, in all of its metrics.

    A control that has yet to pass decides nothing here; what a placebo leaves open at this look is allowed for.
    """
    evidence = Evidence(run, device)
    outcomes = controls(evidence)
    contrasts = _without_chance_finds(_contrasts(evidence, outcomes, look=look))
    missing = run.unavailable.get(device, {})
    waiting = {
        contrast.optimization
        for contrast in contrasts
        if contrast.verdict == "inconclusive" and _family(contrast) == "latency" and contrast.metric not in missing
    }
    settled = {name for name, _, _ in run.plan.pairs} - waiting
    passed: dict[str, bool] = {}
    for control in outcomes:
        if metric(control.metric).pass_ == "latency":
            passed[control.name] = passed.get(control.name, True) and control.passed
    return frozenset(settled), passed


def _contrasts(evidence: Evidence, outcomes: list[Control], look: int | None = None) -> Iterator[Contrast]:
    """All contrasts, or those that a `look` at a run in progress asks for: of the scenario's metrics, over all requests."""
    is_calibrated = calibrated(outcomes) if look is None else dict.fromkeys(FAMILIES, True)
    joint = JointArms(evidence)
    for optimization, reference, arm in evidence.run.plan.pairs:
        state, reason = state_of(evidence, optimization, reference, arm)
        for name in evidence.metric_names:
            if look is not None and (name not in METRICS or metric(name).pass_ != "latency"):
                continue
            if name == SITE and optimization == TOGETHER:
                continue  # several toggles have no one place
            by_stratum = name in BY_STRATUM and look is None and evidence.is_timed(arm)
            strata = evidence.strata(name) if by_stratum else []
            for stratum in ("", *strata) if len(strata) > 1 else ("",):
                error = ERROR / (len(strata) if stratum else 1)
                pair = (optimization, reference, arm)
                allowed = allowance(outcomes, name, CONTROLS_GROUP) if evidence.run.plan.joint else 0.0
                trusted = is_calibrated[family(name)]
                if look is None and metric(name).pass_ == "latency" and evidence.group_of(reference, arm) == PROCESS:
                    trusted = trusted and calibrated_between_processes(outcomes, name)
                yield _contrast(
                    joint, name, pair, (state, reason), trusted, allowed, stratum=stratum,
                    error=error, look=look,
                )  # fmt: skip


def _contrast(
    joint: JointArms,
    name: str,
    pair: tuple[str, str, str],
    invalid: tuple[Verdict | None, str],
    trusted: bool,  # noqa: FBT001  one fact of two values
    allowed: float,
    *,
    stratum: str,
    error: float,
    look: int | None,
) -> Contrast:
    evidence, (optimization, reference, arm) = joint.evidence, pair
    facts, margin = metric(name), margin_of(evidence, name, optimization)
    part = 1.0 if facts.pass_ in ("memory", "first") else evidence.part_of_error(optimization, look)
    figures = _figures(joint, name, pair, 1 - error * part, stratum)
    effect, before, after = figures.effect, figures.before, figures.after
    twin = _against_the_twin(evidence, name, pair, 1 - error * part, stratum)
    verdict, reason = invalid
    aside = facts.pass_ == "latency" and not evidence.is_timed(arm)
    if verdict is None and aside and joint.refused:
        verdict, reason = (
            "inconclusive",
            f"nothing is told of it by the arms of several, some of which may not be compared: {joint.refused}",
        )
    if verdict is None:
        missing = _why_missing(evidence, facts, before, after)
        verdict, reason = _verdict(effect, twin, facts, margin, missing, calibrated=trusted, allowed=allowed)
    least = [sequential.smallest_error(one, *rules.edges(margin), allowed) for one in (effect, twin) if one is not None]
    witness_before, witness_after = _witness_figures(evidence, optimization, reference, arm)
    return Contrast(
        optimization=optimization, metric=name, device=evidence.device, stratum=stratum, level=1 - error,
        error=None if effect is None else max(least) * ERROR / (error * part),
        unit=facts.unit, statistic=figures.statistic,
        reference_arm=reference, arm=arm, margin=margin, verdict=verdict, reason=reason,
        before=figures.typical_before, after=figures.typical_after,
        ratio=None if effect is None else ratio_of(effect.location),
        ratio_low=None if effect is None or effect.low is None else ratio_of(effect.low),
        ratio_high=None if effect is None or effect.high is None else ratio_of(effect.high),
        twin_low=None if twin is None or twin.low is None else ratio_of(twin.low),
        twin_high=None if twin is None or twin.high is None else ratio_of(twin.high),
        blocks=0 if effect is None else effect.blocks, workers=0 if effect is None else effect.workers,
        witness_before=witness_before, witness_after=witness_after, equivalence=_worst_grade(evidence, stratum, reference, arm),
        quantiles={"before": quantiles(before), "after": quantiles(after)} if before else {},
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figures:
    """What a contrast rests on: its effect, the values of both sides, what stands for them, and how the effect was formed."""

    effect: Effect | None
    before: Sequence[float]
    after: Sequence[float]
    typical_before: float | None
    typical_after: float | None
    statistic: str


def _figures(joint: JointArms, name: str, pair: tuple[str, str, str], level: float, stratum: str) -> _Figures:
    """Of a pair of arms its paired values; of a toggle whose arm is not timed those of all arms with it off and on."""
    evidence, (optimization, reference, arm) = joint.evidence, pair
    if metric(name).pass_ == "latency" and not evidence.is_timed(arm):
        off, on = ([v for arm in side for v in evidence.values(name, arm)] for side in joint.sides(optimization))
        return _Figures(
            effect=None if joint.refused else joint.effect_of(name, optimization, level), before=off, after=on,
            typical_before=quantiles(off).get("p50"), typical_after=quantiles(on).get("p50"), statistic=_ASIDE,
        )  # fmt: skip
    before, after = evidence.paired_values(name, reference, arm, stratum)
    typical_before, typical_after = evidence.typical(name, reference, arm, stratum)
    return _Figures(
        effect=evidence.effect(name, reference, arm, level=level, stratum=stratum), before=before, after=after,
        typical_before=typical_before, typical_after=typical_after, statistic=_statistic(evidence, name),
    )  # fmt: skip


def _against_the_twin(
    evidence: Evidence, name: str, pair: tuple[str, str, str], level: float, stratum: str
) -> Effect | None:
    """The effect of a pair's arm against the twin of its reference, where that stood in the same blocks or rounds. A gate has a
    rule of its own (decision 14), which holds for all arms that are compared between processes, and the arms of a joint design have no
    twin among them (decision 25).
    """
    _, reference, arm = pair
    plan, group = evidence.run.plan, evidence.group_of(reference, arm)
    if reference != evidence.reference or plan.limits or plan.joint or metric(name).pass_ not in ("latency", "first"):
        return None
    if group == PROCESS and metric(name).pass_ == "latency":
        return None
    return evidence.effect(name, PLACEBO, arm, level=level, stratum=stratum, group=group)


_ASIDE = "main effect over all arms that have it on and off (of sampled orders, the mean change in its place), t interval over workers"


def _without_chance_finds(contrasts: Iterable[Contrast]) -> list[Contrast]:
    """The contrasts, without the verdicts that so many contrasts at once would show by chance (`sequential`).

    Families are judged apart, so that what explains a verdict takes nothing from it (Efron, 2008, on when to).
    """
    families: dict[str, list[Contrast]] = defaultdict(list)
    contrasts = list(contrasts)
    for contrast in contrasts:
        if contrast.error is not None and contrast.verdict in (*FROM_FIGURES, "inconclusive"):
            families[_family(contrast)].append(contrast)
    allowed = {
        name: sequential.allowed_error([contrast.error or 0.0 for contrast in found], ERROR)
        for name, found in families.items()
    }
    return [
        replace(contrast, verdict="inconclusive", reason=_by_chance(len(families[_family(contrast)])))
        if contrast.verdict in FROM_FIGURES and (contrast.error or 0.0) > allowed[_family(contrast)]
        else contrast
        for contrast in contrasts
    ]


def _taken_back(alone: Sequence[Contrast], judged: Sequence[Contrast]) -> Mapping[tuple[str, str], str]:
    """Toggle and metric of every verdict over the whole workload that was taken back as one that chance may show, with the reason."""
    return {
        (after.optimization, after.metric): after.reason
        for before, after in zip(alone, judged, strict=True)
        if not after.stratum and after.verdict != before.verdict
    }


def _family(contrast: Contrast) -> str:
    """Contrasts that are judged together: of the latency pass, of memory, by kind of request, or of parts of a request."""
    if contrast.stratum:
        return "kinds"
    if contrast.metric not in METRICS:
        return "parts"
    return metric(contrast.metric).pass_


def _by_chance(contrasts: int) -> str:
    return f"its interval alone would decide, but one of {contrasts} comparisons may do so by chance"


def _statistic(evidence: Evidence, name: str) -> str:
    if name in evidence.exact:
        return "ratio of equal requests, exact"
    if metric(name).pass_ == "memory":
        return "mean paired log-ratio over repeats of the process, t interval no narrower than the counter's steps"
    if metric(name).pass_ == "first":
        return "mean paired log-ratio over rounds of one fresh process an arm, t interval over rounds"
    if metric(name).added:
        return "log-ratio of sums over the paired blocks of each worker, t interval over workers"
    return "Huber location of paired log-ratios over the blocks of all workers, t interval over workers"


def _why_missing(evidence: Evidence, facts: Metric, before: Sequence[float], after: Sequence[float]) -> str:
    """Why a metric has no effect, if it has none."""
    if facts.is_memory and any(value <= 0 for value in (*before, *after)):
        return "a repeat reads zero, which has no ratio"
    reason = evidence.run.unavailable.get(evidence.device, {}).get(facts.name)
    return f"not measured: {reason}" if reason else "not measured"


def _verdict(
    effect: Effect | None,
    twin: Effect | None,
    facts: Metric,
    margin: float,
    missing: str,
    *,
    calibrated: bool,
    allowed: float,
) -> tuple[Verdict, str]:
    """The verdict by the whole interval against the margin, lengthened by what is `allowed` for, and borne out by that against the
    reference's `twin`; and its reason where the figures do not say it.
    """
    if effect is None:
        return "inconclusive", missing
    if effect.low is None or effect.high is None:
        return "inconclusive", f"no interval from {effect.workers} worker(s)"
    if facts.pass_ == "first" and effect.workers < OWN_FROM:
        return "inconclusive", (
            f"first requests of {effect.workers} fresh processes an arm; a verdict takes {OWN_FROM} (measure.first_repeats)"
        )
    if not calibrated:
        return "inconclusive", "not calibrated: the controls of this run did not pass"
    ends = None if twin is None or twin.low is None or twin.high is None else (twin.low, twin.high)
    return rules.verdict(effect.low, effect.high, margin, rules.words_of(facts), twin=ends, allowance=allowed)


def _witness_figures(
    evidence: Evidence, optimization: str, reference: str, arm: str
) -> tuple[float | None, float | None]:
    """Witnessed events per request before and after; for `all`, of all toggles together."""
    sides = []
    for side in (reference, arm):
        counts = [evidence.witness(setting, side) for setting in evidence.settings(optimization)]
        known = [count.per_request for count in counts if count is not None and count.per_request]
        sides.append(sum(sum(per) / len(per) for per in known) if known else None)
    return sides[0], sides[1]


def _worst_grade(evidence: Evidence, stratum: str, *arms: str) -> str | None:
    """The worst grade of the outputs of either side; the run's reference, with which they were compared, has none.

    Of one kind of request, that of its outputs alone: None where none of these was compared. Runs from before that was kept
    have one grade for all.
    """
    order = ("bitwise", "tolerance", "spectral", "words", "changed")
    compared = [item for arm in arms for item in evidence.equivalences(arm)]
    is_kept = any(item.stratum for item in evidence.run.equivalences)
    grades = [item.grade for item in compared if not stratum or not is_kept or item.stratum == stratum]
    return max(grades, key=order.index) if grades else None
