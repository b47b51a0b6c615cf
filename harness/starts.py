"""What an optimization changes of init, of the first request and of the steady ones, and after how many requests it is even.

In seconds, because over requests it is time that adds up (docs/decisions/0031).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.controls import calibrated, family
from harness.evidence import Evidence, difference
from harness.metrics import FIRST, START
from harness.results import Control, PhaseChange, StartEffect, Untold
from harness.rules import ERROR
from harness.statistics import MIN_WORKERS, Effect

LATENCY, INIT = "latency", "init"


@dataclass(frozen=True, slots=True, kw_only=True)
class Even:
    """After how many requests a change before them and one in each of them cancel; None for what is not told."""

    requests: float | None = None
    low: float | None = None
    high: float | None = None

    def later(self, requests: int) -> Even:
        """The same, so many requests later."""
        moved = (None if end is None else end + requests for end in (self.requests, self.low, self.high))
        return Even(**dict(zip(("requests", "low", "high"), moved, strict=True)))


def even(upfront: Effect, steady: Effect, *, covariance: float = 0.0, level: float) -> Even:
    """The number n of requests at which `upfront` + n `steady` is nothing; `covariance` is that of the two estimates.

    The interval is the set of n at which the interval of that sum, by the standard errors of both, holds 0 (Fieller, 1954): Student's t
    with the smaller degrees of freedom of the two. It is bounded where `steady` is told apart from nothing, and then told as far as it lies above 0; where `upfront`
    is, too, and they have different signs, it lies above 0 as a whole, and the number itself is told.
    """
    from scipy import special

    if None in (upfront.standard_error, upfront.freedom, steady.standard_error, steady.freedom):
        return Even()
    freedom = min(upfront.freedom or 0.0, steady.freedom or 0.0)
    quantile = float(special.stdtrit(freedom, (1 + level) / 2))
    square = steady.location**2 - (quantile * (steady.standard_error or 0.0)) ** 2
    middle = upfront.location * steady.location - quantile**2 * covariance
    constant = upfront.location**2 - (quantile * (upfront.standard_error or 0.0)) ** 2
    if square <= 0:
        return Even()
    half = math.sqrt(max(0.0, middle**2 - square * constant))
    low, high = (-middle - half) / square, (-middle + half) / square
    if high <= 0:
        return Even()
    is_told = constant > 0 and low > 0
    return Even(requests=-upfront.location / steady.location if is_told else None, low=max(0.0, low), high=high)


def covariance(init: Mapping[int, float], steady: Mapping[int, float]) -> float:
    """That of the means of two quantities over workers, each by worker: of what the workers in both share.

    Of m workers in both, whose values have the covariance c, the sums share m c; 0 where so few are in both that there is no c.
    """
    workers = sorted(init.keys() & steady.keys())
    if len(workers) < MIN_WORKERS:
        return 0.0
    both = np.array([[found[worker] for worker in workers] for found in (init, steady)])
    return float(np.cov(both, ddof=1)[0, 1]) * len(workers) / (len(init) * len(steady))


def starts(evidence: Evidence, refused: Mapping[str, str], outcomes: Sequence[Control]) -> Iterator[StartEffect]:
    """What is to be said of each optimization where more than steady requests was measured; of those in `refused` why not.

    No number of requests is told where the controls among `outcomes` that vouch for it did not pass.
    """
    if evidence.run.plan.limits or not {INIT, FIRST} & set(evidence.metric_names):
        return
    for optimization, reference, arm in evidence.run.plan.pairs:
        told = StartEffect(device=evidence.device, optimization=optimization, reference_arm=reference, arm=arm)
        reason = refused.get(optimization, "")
        if not reason and not evidence.is_timed(arm):
            reason = "the design does not time this optimization alone"
        yield replace(told, reason=reason) if reason else _with_figures(evidence, told, outcomes)


def _with_figures(evidence: Evidence, told: StartEffect, outcomes: Sequence[Control]) -> StartEffect:
    level = 1 - ERROR * evidence.part_of_error(told.optimization)
    steady, init = (_effect(evidence, told, name, level) for name in (LATENCY, INIT))
    start = _effect(evidence, told, START, level)
    upfront = init if start is None else start
    found = replace(
        told, level=level,
        init=_phase(evidence, told, INIT, init),
        first=_phase(evidence, told, FIRST, _effect(evidence, told, FIRST, level)),
        steady=_phase(evidence, told, LATENCY, steady),
        upfront=_phase(evidence, told, INIT if start is None else START, upfront),
        basis=None if upfront is None else "init" if start is None else "start",
    )  # fmt: skip
    if upfront is None or steady is None:
        return found
    if untold := _why_untold(evidence, outcomes, INIT if start is None else START):
        return replace(found, untold=untold)
    if start is None:
        number = even(upfront, steady, covariance=_covariance(evidence, told), level=level)
    else:  # the first request is in what is paid before: of n requests, n - 1 are steady ones
        number = even(upfront, steady, level=level).later(1)
    return replace(found, even=number.requests, even_low=number.low, even_high=number.high)


def _why_untold(evidence: Evidence, outcomes: Sequence[Control], upfront: str) -> Untold | None:
    """Why no number of requests may be told, though both its sides were measured; None where it may."""
    if any(together > 1 for together in evidence.run.plan.concurrency.values()):
        return "requests overlap"
    passed = calibrated(list(outcomes))
    return None if all(passed[family(name)] for name in (upfront, LATENCY)) else "controls failed"


def _effect(evidence: Evidence, told: StartEffect, name: str, level: float) -> Effect | None:
    return evidence.effect(name, told.reference_arm, told.arm, level=level, form=difference)


def _phase(evidence: Evidence, told: StartEffect, name: str, effect: Effect | None) -> PhaseChange | None:
    if effect is None:
        return None
    before_s, _ = evidence.typical(name, told.reference_arm, told.arm)
    return PhaseChange(
        before_s=before_s, change_s=effect.location, low_s=effect.low, high_s=effect.high, workers=effect.workers
    )


def _covariance(evidence: Evidence, told: StartEffect) -> float:
    """That of the estimates of init and of a request: the workers that built pipelines are some or all of those that measured latency."""
    group = evidence.group_of(told.reference_arm, told.arm)
    strata = {INIT: {INIT}, LATENCY: set(evidence.strata(LATENCY))}
    init, steady = (
        evidence.changes_in(name, told.reference_arm, group, strata[name]).get(told.arm, {}) for name in (INIT, LATENCY)
    )
    return covariance(init, steady)
