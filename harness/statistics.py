"""Pure numbers: paired differences, robust location, intervals across workers.

The unit of inference is the worker process. Samples within one process share its address layout, its caches and the
minutes in which it ran, so that more of them do not make the answer more certain beyond a point (docs/method.md). Each
worker therefore gives one estimate per arm, and the intervals come from the spread of these estimates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

MIN_WORKERS = 2
"""Fewer workers than this give an estimate and no interval."""
UNEQUAL = 0.95
"""An arm whose own spread lies above this quantile of what equal spreads would give is judged by its own spread."""

Differences = Mapping[int, Mapping[str, Sequence[float]]]
"""Paired differences of one arm from the reference: worker -> stratum -> one per block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A robust location of paired differences, with its interval at `level`; None where there is too little to tell."""

    location: float
    low: float | None
    high: float | None
    level: float
    blocks: int
    workers: int


def hodges_lehmann(values: Sequence[float]) -> float:
    """Median of all pairwise means, each value paired with itself as well (Hodges and Lehmann, 1963).

    Nearly as precise as the mean for normal noise, and unmoved by up to 29 % of wild values. Raises ValueError if empty.
    """
    if not values:
        message = "no values"
        raise ValueError(message)
    array = np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(array))
    return float(np.median((array[first] + array[second]) / 2))


def location(strata: Mapping[str, Sequence[float]], weights: Mapping[str, float]) -> float | None:
    """One worker's estimate: the Hodges-Lehmann location of each stratum, averaged with `weights`.

    Averaging keeps a mixture of short and long texts from being decided by whichever the median falls into. None where
    a stratum is missing.
    """
    if not all(strata.get(name) for name in weights):
        return None
    total = sum(weights.values())
    return sum(weight / total * hodges_lehmann(strata[name]) for name, weight in weights.items())


def joint_effects(
    arms: Mapping[str, Differences], weights: Mapping[str, float], *, level: float = 0.95
) -> dict[str, Effect]:
    """Effects of several arms that were measured in the same blocks against the same reference.

    The estimates form a randomised complete block design with workers as its blocks (Fisher, 1935): estimate of worker w
    for arm k = effect of k + noise of (w, k) - noise of (w, reference), all noise of one variance. That variance is
    pooled over the arms, which gives (workers - 1) x arms degrees of freedom instead of workers - 1; the interval is
    Student's t with it. An arm whose own spread is larger than equal variances would let it be (F test) is judged by its
    own spread and its own degrees of freedom, so that a restless arm does not borrow the calm of the others.

    Arms that no worker measured completely are absent from the answer; an arm that not all workers measured stands alone.
    """
    estimates = {
        arm: {
            worker: value for worker, strata in differences.items() if (value := location(strata, weights)) is not None
        }
        for arm, differences in arms.items()
    }
    estimates = {arm: values for arm, values in estimates.items() if values}
    shared = sorted(set.intersection(*(set(values) for values in estimates.values()))) if estimates else []
    pooled = _pooled([[values[worker] for values in estimates.values()] for worker in shared])
    return {
        arm: _effect(values, pooled if len(values) == len(shared) else None, _count(arms[arm], values), level)
        for arm, values in estimates.items()
    }


def _pooled(rows: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Variance of one difference, and its degrees of freedom, pooled over arms; rows are workers, columns arms.

    With noise of variance v the differences of a worker have covariance v (I + J), J all ones, because they share the
    reference; weighting their sample covariance by the inverse (I - J / (arms + 1)) gives v with all its freedom.
    """
    if len(rows) < MIN_WORKERS:
        return None
    table = np.asarray(rows, dtype=np.float64)
    workers, count = table.shape
    centred = table - table.mean(axis=0)
    squares = np.sum(centred**2) - np.sum(centred.sum(axis=1) ** 2) / (count + 1)
    freedom = (workers - 1) * count
    return 2 * float(squares) / freedom, float(freedom)


def _effect(values: Mapping[int, float], pooled: tuple[float, float] | None, blocks: int, level: float) -> Effect:
    from scipy import stats

    array = np.asarray(list(values.values()), dtype=np.float64)
    low: float | None = None
    high: float | None = None
    if len(array) >= MIN_WORKERS:
        own = float(np.var(array, ddof=1)), float(len(array) - 1)
        variance, freedom = own
        if pooled is not None and own[0] <= pooled[0] * stats.f.ppf(UNEQUAL, own[1], pooled[1]):
            variance, freedom = pooled
        half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance / len(array))
        low, high = float(array.mean()) - half, float(array.mean()) + half
    return Effect(location=float(array.mean()), low=low, high=high, level=level, blocks=blocks, workers=len(array))


def _count(differences: Differences, complete: Mapping[int, float]) -> int:
    return sum(len(values) for worker in complete for values in differences[worker].values())


def repeat_effect(differences: Sequence[float], *, level: float = 0.95) -> Effect | None:
    """The mean difference between repeats of whole processes, with Student's t; a point where all repeats agree."""
    if not differences:
        return None
    effect = _effect(dict(enumerate(differences)), None, len(differences), level)
    if len(differences) > 1 and len(set(differences)) == 1:
        effect = replace(effect, low=effect.location, high=effect.location)
    return effect


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of the values, linearly interpolated; empty where there are none."""
    if not values:
        return {}
    p50, p95, p99 = np.quantile(np.asarray(values, dtype=np.float64), [0.5, 0.95, 0.99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}
