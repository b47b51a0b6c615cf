"""From the arms of a joint design to what each toggle has of the whole change, and how toggles act together.

The numbers are those of `effects`; here is decided of which metrics, with which words, and which claims stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import effects, fraction, rules, sequential
from harness.controls import allowance, calibrated, family, margin_of
from harness.jointly import CONTROLS_GROUP, Estimates, JointArms
from harness.metrics import metric
from harness.results import (
    TOGETHER,
    Attribution,
    Control,
    Interaction,
    Joint,
    MainEffect,
    Share,
    SmallestSet,
    Step,
    TotalLog,
    Verdict,
)
from harness.rules import ERROR, FROM_FIGURES
from harness.statistics import Effect, ratio_of

METHODS: Mapping[str, str] = {
    "factorial": "exact Shapley values over all combinations of the toggles",
    "fractional": "main effects of a fraction of resolution IV, on the assumption that no three toggles interact",
    "permutations": "Shapley values over sampled orders, each with its reverse",
}
STEPS_BY: Mapping[str, str] = {
    "factorial": "the toggle that then gains most comes next",
    "fractional": "the largest share comes first",
    "permutations": "the largest share comes first",
    "ladder": "the order of the scenario",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Whether the controls vouch for a metric, and by how much an interval of log-ratios is lengthened for its verdict."""

    trusted: bool
    allowance: float


def attribution(arms: JointArms, outcomes: Sequence[Control], idle: Mapping[str, Verdict]) -> Attribution:
    """What the arms of one device say, metric by metric; empty where an arm may not be compared.

    `idle` toggles did nothing, stand in the code already or cannot be had here: figures of theirs have that verdict, nothing
    is known of how they act with others, and no set of toggles is the smallest. `outcomes` are those of its controls: without
    them nothing is claimed, and what the placebo leaves open is added to intervals before they are judged (decision 26).
    """
    if arms.refused:
        return Attribution()
    trusted = calibrated(list(outcomes))
    found = []
    for name in arms.metrics():
        judging = Judging(trusted=trusted[family(name)], allowance=allowance(outcomes, name, CONTROLS_GROUP))
        part = _of_metric(arms, name, judging, idle)
        if part is not None:
            found.append(part)
    return joined(found)


def joined(parts: Sequence[Attribution]) -> Attribution:
    """The parts of several metrics or devices as one."""
    if not parts:
        return Attribution()
    first = next((part for part in parts if part.design), parts[0])
    return replace(
        first,
        total_log=tuple(item for part in parts for item in part.total_log),
        shares=tuple(item for part in parts for item in part.shares),
        effects=tuple(item for part in parts for item in part.effects),
        interactions=tuple(item for part in parts for item in part.interactions),
        steps=tuple(item for part in parts for item in part.steps),
        smallest=tuple(item for part in parts for item in part.smallest),
    )


def without_chance_finds(found: Attribution) -> Attribution:
    """The attribution of a whole report without the claims that so many at once would show by chance.

    Main effects and interactions of all metrics and devices are one family (Benjamini and Hochberg, 1995).
    """
    claims = [effect.error for effect in found.effects] + [pair.error for pair in found.interactions]
    allowed = sequential.allowed_error(claims, ERROR)
    return replace(
        found,
        effects=tuple(
            replace(e, verdict="inconclusive") if e.error > allowed and e.verdict in FROM_FIGURES else e
            for e in found.effects
        ),
        interactions=tuple(replace(i, verdict="inconclusive") if i.error > allowed else i for i in found.interactions),
        claims=len(claims),
    )


def _of_metric(arms: JointArms, name: str, judging: Judging, idle: Mapping[str, Verdict]) -> Attribution | None:
    estimates = arms.estimates(name)
    if estimates is None:
        return None
    place = {"metric": name, "device": arms.device}
    shares = estimates.shares()
    whole = float(estimates.of(effects.total(arms.on))[0].location)
    return Attribution(
        design=arms.design,
        method=METHODS.get(arms.design, ""),
        steps_by=STEPS_BY[arms.design],
        generators=fraction.said(arms.toggles) if arms.design == "fractional" else (),
        total_log=(TotalLog(value=whole, **place),),
        shares=tuple(
            Share(optimization=toggle, share_log=share.location, low=share.low, high=share.high, **place)
            for toggle, share in zip(arms.toggles, shares, strict=False)
        ),
        effects=tuple(
            replace(effect, verdict=idle.get(effect.optimization, effect.verdict))
            for effect in _main_effects(arms, name, estimates, judging)
        ),
        interactions=tuple(
            replace(pair, verdict="inconclusive") if {pair.a, pair.b} & set(idle) else pair
            for pair in _interactions(arms, name, estimates, judging)
        ),
        steps=tuple(
            replace(step, verdict=idle.get(step.optimization, step.verdict))
            for step in _steps(arms, name, estimates, shares, judging)
        ),
        smallest=() if idle else tuple(_smallest(arms, name, estimates, judging)),
    )


def _main_effects(arms: JointArms, name: str, estimates: Estimates, judging: Judging) -> Iterator[MainEffect]:
    for toggle, effect in zip(arms.toggles, estimates.mains(), strict=False):
        margin = margin_of(arms.evidence, name, toggle)
        ratio, low, high = _ratios(effect)
        yield MainEffect(
            optimization=toggle, metric=name, device=arms.device, ratio=ratio, ratio_low=low, ratio_high=high,
            margin=margin, verdict=_verdict(arms, name, toggle, effect, judging), level=effect.level,
            error=sequential.smallest_error(effect, *rules.edges(margin), judging.allowance),
        )  # fmt: skip


def _verdict(arms: JointArms, name: str, toggle: str, effect: Effect, judging: Judging) -> Verdict:
    """The verdict on an effect of a toggle, or of all together, as on that of a contrast."""
    if not judging.trusted or effect.low is None or effect.high is None:
        return "inconclusive"
    margin, words = margin_of(arms.evidence, name, toggle), rules.words_of(metric(name))
    return rules.verdict(effect.low, effect.high, margin, words, allowance=judging.allowance)[0]


def _interactions(arms: JointArms, name: str, estimates: Estimates, judging: Judging) -> Iterator[Interaction]:
    groups = {pair: group for group in fraction.aliased(arms.on) for pair in group} if arms.is_orthogonal else {}
    found = estimates.interactions()
    for (first, second), effect in zip(fraction.pairs(len(arms.toggles)), found, strict=False):
        a, b = arms.toggles[first], arms.toggles[second]
        margin = margin_of(arms.evidence, name, a)
        others = [pair for pair in groups[first, second] if pair != (first, second)]
        ratio, low, high = _ratios(effect)
        yield Interaction(
            a=a, b=b, metric=name, device=arms.device, ratio=ratio, ratio_low=low, ratio_high=high, margin=margin,
            verdict=_joint(effect, margin, judging, alone=not others, lower_is_better=metric(name).better == "lower"),
            level=effect.level, error=sequential.smallest_error(effect, *rules.edges(margin), judging.allowance),
            aliases=tuple((arms.toggles[one], arms.toggles[other]) for one, other in others),
        )  # fmt: skip


def _joint(effect: Effect, margin: float, judging: Judging, *, alone: bool, lower_is_better: bool) -> Joint:
    """How two toggles act together, by the whole interval of their interaction against the margin.

    Not `alone` is a figure of several aliased pairs. Where it is within the margin, two of them may still cancel out.
    """
    if not judging.trusted or effect.low is None or effect.high is None:
        return "inconclusive"
    low, high = effect.low - judging.allowance, effect.high + judging.allowance
    below, above = rules.edges(margin)
    if below <= low and high <= above:
        return "independent" if alone else "inconclusive"
    if high < below:
        return "reinforce" if lower_is_better else "hinder"
    if low > above:
        return "hinder" if lower_is_better else "reinforce"
    return "inconclusive"


def _steps(
    arms: JointArms, name: str, estimates: Estimates, shares: Sequence[Effect], judging: Judging
) -> Iterator[Step]:
    """The way from none to all: by measured arms where the design has those of every way, else by shares."""
    sign = _sign(name)
    match arms.design:
        case "factorial":
            order = effects.adoption(arms.on, sign * estimates.means)
            changes = estimates.of(effects.ladder(arms.on, order))
        case "ladder":
            order = list(range(len(arms.toggles)))
            changes = estimates.of(effects.ladder(arms.on, order))
        case _:
            order = sorted(range(len(shares)), key=lambda toggle: -sign * shares[toggle].location)
            changes = [shares[toggle] for toggle in order]
    so_far = np.cumsum([change.location for change in changes])
    for place, (toggle, change, reached) in enumerate(zip(order, changes, so_far, strict=True), start=1):
        ratio, low, high = _ratios(change)
        yield Step(
            place=place, optimization=arms.toggles[toggle], metric=name, device=arms.device, ratio=ratio, ratio_low=low,
            ratio_high=high, so_far_log=float(reached),
            verdict=_verdict(arms, name, arms.toggles[toggle], change, judging),
        )  # fmt: skip


def _smallest(arms: JointArms, name: str, estimates: Estimates, judging: Judging) -> Iterator[SmallestSet]:
    """The smallest set that keeps most of the gain, where the verdict on all together is a gain."""
    (whole,) = estimates.of(effects.total(arms.on))
    gains = _sign(name) * estimates.means
    row = effects.smallest(arms.on, gains)
    if row is None or _verdict(arms, name, TOGETHER, whole, judging) not in rules.GAINS:
        return
    kept = effects.kept(estimates.table.log_ratios, arms.on, row, blocks=estimates.table.blocks)
    yield SmallestSet(
        optimizations=tuple(t for t, on in zip(arms.toggles, arms.on[row], strict=True) if on),
        metric=name, device=arms.device, arm=arms.names[row], wanted=effects.KEPT, kept=kept.location, low=kept.low,
        high=kept.high,
    )  # fmt: skip


def _sign(name: str) -> float:
    """What makes a log-ratio a gain."""
    return -1.0 if metric(name).better == "lower" else 1.0


def _ratios(effect: Effect) -> tuple[float, float | None, float | None]:
    ends = (None if end is None else ratio_of(end) for end in (effect.low, effect.high))
    low, high = ends
    return ratio_of(effect.location), low, high
