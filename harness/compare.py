"""From what was measured to what may be said: contrasts and their verdicts. Pure: a Run in, a Run out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median

from harness.controls import calibrated, controls, family, margin_of
from harness.evidence import EXACT, Evidence
from harness.findings import findings
from harness.frontier import frontier
from harness.metrics import SUMMARISED, Metric, metric
from harness.optimizations import named
from harness.optimizations.witness import Counts, judge
from harness.results import (
    ArmSummary,
    Contrast,
    Control,
    Finding,
    FrontierPoint,
    Run,
    Verdict,
    WitnessCount,
    toggle_of,
)
from harness.statistics import Effect, quantiles

BY_STRATUM = ("latency", "ttfa", "chunk_gap", "rtf")
"""Metrics whose effects are also given for each kind of request (docs/decisions/0007-effects-by-stratum.md)."""
ERROR = 0.05
"""Chance that the interval of a contrast misses the truth; its intervals by kind of request share it."""


def evaluate(run: Run) -> Run:
    """The run with controls, contrasts and findings derived from its samples; those it had before are replaced."""
    outcomes: list[Control] = []
    contrasts: list[Contrast] = []
    found: list[Finding] = []
    arms: list[ArmSummary] = []
    points: list[FrontierPoint] = []
    for device in run.plan.devices:
        evidence = Evidence(run, device)
        outcome = controls(evidence)
        outcomes += outcome
        contrasts += _contrasts(evidence, calibrated(outcome))
        found += findings(evidence)
        arms += _arms(evidence)
        points += frontier(evidence, _refused(evidence))
    recorded = [finding for finding in run.findings if finding not in found]
    return replace(
        run,
        controls=tuple(outcomes),
        contrasts=tuple(contrasts),
        arms=tuple(arms),
        frontier=tuple(points),
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
    states = {arm: _state(evidence, name, reference, arm) for name, reference, arm in evidence.run.plan.pairs}
    return {arm: f"{verdict}: {reason}" for arm, (verdict, reason) in states.items() if verdict is not None}


def _contrasts(evidence: Evidence, is_calibrated: Mapping[str, bool]) -> Iterator[Contrast]:
    for optimization, reference, arm in evidence.run.plan.pairs:
        state, reason = _state(evidence, optimization, reference, arm)
        for name in evidence.metric_names:
            strata = evidence.strata(name) if name in BY_STRATUM else []
            for stratum in ("", *strata) if len(strata) > 1 else ("",):
                level = 1 - ERROR / (len(strata) if stratum else 1)
                pair = (optimization, reference, arm)
                yield _contrast(evidence, name, pair, (state, reason), is_calibrated, stratum=stratum, level=level)


def _contrast(
    evidence: Evidence,
    name: str,
    pair: tuple[str, str, str],
    invalid: tuple[Verdict | None, str],
    is_calibrated: Mapping[str, bool],
    *,
    stratum: str,
    level: float,
) -> Contrast:
    optimization, reference, arm = pair
    facts, margin = metric(name), margin_of(evidence, name)
    effect = evidence.effect(name, reference, arm, level=level, stratum=stratum)
    before, after = evidence.paired_values(name, reference, arm, stratum)
    verdict, reason = invalid
    if verdict is None:
        missing = evidence.run.unavailable.get(evidence.device, {}).get(name)
        verdict, reason = _verdict(effect, facts, margin, missing, calibrated=is_calibrated[family(name)])
    witness_before, witness_after = _witness_figures(evidence, optimization, reference, arm)
    return Contrast(
        optimization=optimization, metric=name, device=evidence.device, stratum=stratum, level=level,
        unit=facts.unit, statistic=_statistic(name),
        reference_arm=reference, arm=arm, margin=margin, verdict=verdict, reason=reason,
        before=median(before) if before else None, after=median(after) if after else None,
        ratio=None if effect is None else math.exp(effect.location),
        ratio_low=None if effect is None or effect.low is None else math.exp(effect.low),
        ratio_high=None if effect is None or effect.high is None else math.exp(effect.high),
        blocks=0 if effect is None else effect.blocks, workers=0 if effect is None else effect.workers,
        witness_before=witness_before, witness_after=witness_after, equivalence=_worst_grade(evidence, arm),
        quantiles={"before": quantiles(before), "after": quantiles(after)} if before else {},
    )  # fmt: skip


def _statistic(name: str) -> str:
    if name == EXACT:
        return "ratio of equal requests, exact"
    if metric(name).pass_ == "memory":
        return "mean paired log-ratio over repeats of the process, t interval"
    return "Hodges-Lehmann location of paired log-ratios per worker, t interval over workers"


def _verdict(
    effect: Effect | None, facts: Metric, margin: float, missing: str | None, *, calibrated: bool
) -> tuple[Verdict, str]:
    """The verdict by the whole interval against the margin, and its reason where the figures do not say it."""
    if effect is None:
        return "inconclusive", f"not measured: {missing}" if missing else "not measured"
    if effect.low is None or effect.high is None:
        return "inconclusive", f"no interval from {effect.workers} worker(s)"
    if not calibrated:
        return "inconclusive", "not calibrated: the controls of this run did not pass"
    return _by_interval(effect.low, effect.high, facts, margin)


def _by_interval(low: float, high: float, facts: Metric, margin: float) -> tuple[Verdict, str]:
    lower: Verdict = "less" if facts.is_memory else "faster"
    higher: Verdict = "more" if facts.is_memory else "slower"
    if facts.better == "higher":
        lower, higher = higher, lower
    below, above = math.log1p(-margin), math.log1p(margin)
    if below <= low and high <= above:
        return "no material difference", ""
    if high < below:
        return lower, ""
    if low > above:
        return higher, ""
    return "inconclusive", "the interval reaches across the margin"


def _state(evidence: Evidence, optimization: str, reference: str, arm: str) -> tuple[Verdict | None, str]:
    """The verdict that does not rest on figures, if there is one; it comes before all others."""
    reasons = evidence.run.plan.not_applicable
    if toggle_of(optimization) in reasons:
        return "not applicable", reasons[toggle_of(optimization)]
    failure = evidence.failure(reference, arm)
    if failure is not None:
        return "failed", failure
    changed = [item for item in (*evidence.equivalences(reference), *evidence.equivalences(arm)) if not item.accepted]
    if changed:
        worst = changed[0]
        return "output changed", (
            f"the output of {worst.arm} on {worst.request} is graded {worst.grade}; {worst.required} is required"
        )
    settings = evidence.settings(optimization)
    idle = [reason for setting in settings if (reason := _idle(evidence, setting, reference, arm))]
    if idle and len(idle) == len(settings):
        return "inert", "; ".join(idle)
    return None, ""


def _idle(evidence: Evidence, setting: str, reference: str, arm: str) -> str:
    """Why the witness of a toggle in one of its states does not show it engaged between two arms; "" when it does."""
    before, after = evidence.witness(setting, reference), evidence.witness(setting, arm)
    if before is None or after is None:
        return f"{setting}: its witness was not counted"
    toggle = toggle_of(setting)
    witness = named(toggle).witness
    state_before, state_after = evidence.arms[reference].states[toggle], evidence.arms[arm].states[toggle]
    expected_after = witness.expected_after(state_after if isinstance(state_after, Mapping) else {})
    reason = judge(_counts(before), _counts(after), witness.before if state_before is False else None, expected_after)
    return f"{setting}: {reason}" if reason else ""


def _counts(witness: WitnessCount) -> Counts:
    return Counts(at_bind=witness.at_bind, per_request=witness.per_request)


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


def _worst_grade(evidence: Evidence, arm: str) -> str | None:
    order = ("bitwise", "tolerance", "spectral", "words", "changed")
    grades = [item.grade for item in evidence.equivalences(arm)]
    return max(grades, key=order.index) if grades else None
