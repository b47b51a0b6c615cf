"""Pure numbers: paired differences, robust location, intervals across workers.

The unit of inference is the worker process. Samples within one process share its address layout, its caches and the
minutes in which it ran, so that more of them do not make the answer more certain beyond a point (docs/method.md). Each
worker therefore gives one estimate per arm, and the intervals come from the spread of these estimates. What counts as a
wild value is judged over all workers together (`Reach`), so that a worker that had restless seconds is no louder than the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_WORKERS = 2
"""Fewer workers than this give an estimate and no interval."""
UNEQUAL = 0.95
"""An arm whose own spread lies above this quantile of what equal spreads would give (F distribution, against the mean of
the other arms) has its own degrees of freedom alone."""
ALONE_FROM = 4
"""With fewer workers, an arm's own one or two degrees of freedom widen its interval several times and make it miss hardly
less often (docs/decisions/0001)."""
OWN_FROM = 6
"""With this many workers each arm shows its own noise well enough: nothing is borrowed, and nothing assumed alike."""
SYMMETRIC = range(7, 15)
"""With so many workers an interval is no narrower than one that assumes symmetric noise alone. Of fewer, that interval is the
extreme of too few values; of more, Student's does not need it (docs/decisions/0001)."""
_SYMMETRIC_LEVEL = 0.95

SHARED_AT_LEAST = 0.5
"""Least correlation that two arms' differences from one reference are taken to have."""

BROKEN_OFF = 0.1
"""A worker with less than this share of the blocks of the median worker is left out: it was killed early, and its estimate
is far noisier than those that it would stand among as an equal."""

HUBER = 1.5
"""How far a value counts in full, in standard deviations of the bulk of all blocks (Huber, 1964): where noise is normal, that
costs 3.6 % of the precision of the mean."""
BETWEEN = 4.0
"""The same in standard deviations of what workers differ by beyond what their blocks explain: a worker that differs as
processes do is no wild value."""
_MAD = 1.4826
"""A normal distribution's standard deviation is this times its median absolute deviation."""
_LOCATION_VARIANCE = math.pi / 3
"""The variance of a Hodges-Lehmann location, times the number of values, over that of normal values."""
_MAX_STEPS = 60
_PAIRS_AT_ONCE = 2_000_000
"""Pairs of values, or means of subsets of them, that are held in memory at once, all workers and columns together."""

Figures = NDArray[np.float64]

Differences = Mapping[int, Mapping[Any, Sequence[float]]]
"""Paired differences of one arm from the reference: worker -> stratum (or a part of one, by any key) -> one per block."""


_LARGEST_LOG = 700.0
"""Beyond 709 its exp overflows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A robust location of paired differences, with its interval at `level`; None where there is too little to tell.

    `standard_error` and `freedom` (degrees of freedom) are what the interval, Student's t, was made of.
    """

    location: float
    low: float | None
    high: float | None
    level: float
    blocks: int
    workers: int
    standard_error: float | None = None
    freedom: float | None = None


def ratio_of(log_ratio: float) -> float:
    """The ratio of a log-ratio; of one that no float holds, as few noisy workers may give as a bound, the largest or smallest."""
    return math.exp(_held(log_ratio))


def change_of(log_ratio: float) -> float:
    """The change by a log-ratio, as a share: 0.01 for one per cent more; bounded as `ratio_of` is."""
    return math.expm1(_held(log_ratio))


def _held(log_ratio: float) -> float:
    return max(-_LARGEST_LOG, min(_LARGEST_LOG, log_ratio))


def hodges_lehmann(values: Sequence[float]) -> float:
    """Median of all pairwise means, each value paired with itself as well (Hodges and Lehmann, 1963).

    Nearly as precise as the mean for normal noise, and unmoved by up to 29 % of wild values. Raises ValueError if empty.
    """
    if not values:
        message = "no values"
        raise ValueError(message)
    return float(_hodges_lehmann(np.array(values, dtype=np.float64)[None, :, None])[0, 0])


def _hodges_lehmann(values: Figures) -> Figures:
    """The same along the middle axis of [workers, blocks, columns]: [workers, columns]."""
    first, second = np.triu_indices(values.shape[1])
    at_once = max(1, _PAIRS_AT_ONCE // (len(values) * len(first)))
    parts = [values[:, :, column : column + at_once] for column in range(0, values.shape[2], at_once)]
    return np.concatenate([np.median((part[:, first] + part[:, second]) / 2, axis=1) for part in parts], axis=1)


@dataclass(frozen=True, slots=True)
class Reach:
    """Huber's location (1964) of the values of all workers, each worker weighing the same, and how far from it values count.

    Beyond `reach` on either side of `center` a value counts as if it lay there; `inside` is the share of values within. Each is
    an array [columns], as several quantities of the same blocks are located at once.
    """

    center: Figures
    reach: Figures
    inside: Figures

    def parts(self, values: Figures) -> Figures:
        """Values [blocks, columns] as they count: their mean over a worker's blocks is its estimate, and over workers the center."""
        return np.asarray(self.center + np.clip(values - self.center, -self.reach, self.reach) / self.inside)


def reach_of(values: Figures, lengths: Sequence[int]) -> Reach:
    """Center and reach of `values` [blocks, columns], one worker's blocks after the other's, so many of each.

    The reach is `HUBER` standard deviations of the bulk of all values (by their median absolute deviation), or `BETWEEN`
    standard deviations of what is between workers and not explained by their values, whichever is more.
    Raises ValueError where there is no worker, or one without blocks.
    """
    if not lengths or not all(lengths):
        message = "no values"
        raise ValueError(message)
    middle = np.median(values, axis=0)
    bulk = _MAD * np.median(abs(values - middle), axis=0)
    reach = np.maximum(HUBER * bulk, BETWEEN * _between(values, lengths))
    shares = np.repeat([1 / (len(lengths) * length) for length in lengths], lengths)
    return _solved(values, shares, middle, reach)


def _between(values: Figures, lengths: Sequence[int]) -> Figures:
    """The standard deviation of the workers' locations that their own values do not explain: [columns]."""
    if len(lengths) < MIN_WORKERS:
        return np.zeros(values.shape[1])
    ends = np.cumsum(lengths)
    locations, explained = [], []
    for length in sorted(set(lengths)):
        workers = np.array(
            [values[end - length : end] for end, own in zip(ends, lengths, strict=True) if own == length]
        )
        at = _hodges_lehmann(workers)
        deviations = _MAD * np.median(abs(workers - at[:, None]), axis=1)
        locations.append(at)
        explained.append(_LOCATION_VARIANCE * deviations**2 / length)
    found = np.concatenate(locations)
    spread = np.where(np.ptp(found, axis=0) > 0, found.var(axis=0, ddof=1), 0.0)
    return np.asarray(np.sqrt(np.maximum(0.0, spread - np.concatenate(explained).mean(axis=0))))


def _solved(values: Figures, shares: Figures, center: Figures, reach: Figures) -> Reach:
    """Where the clipped deviations cancel: Newton's steps, halved into the bracket where one would leave it.

    A column whose reach is nothing, which is the same value over and over but for some wild ones, stays where it is.
    """
    low, high, inside = values.min(axis=0), values.max(axis=0), np.ones_like(center)
    for _ in range(_MAX_STEPS):
        away = values - center
        pull = shares @ np.clip(away, -reach, reach)
        within = shares @ (abs(away) <= reach)
        inside = np.where(within > 0, within, inside)
        low, high = np.where(pull > 0, center, low), np.where(pull > 0, high, center)
        ahead = center + pull / inside
        ahead = np.where((low <= ahead) & (ahead <= high), ahead, (low + high) / 2)
        ahead = np.where(reach > 0, ahead, center)
        if np.all(abs(ahead - center) <= 1e-12 * reach):
            break
        center = ahead
    return Reach(center, reach, inside)


def location(strata: Mapping[Any, Sequence[float]], weights: Mapping[Any, float]) -> float | None:
    """The location of one worker that stands alone: that of Hodges and Lehmann in each stratum, averaged with `weights`.

    Averaging keeps a mixture of short and long texts from being decided by whichever the median falls into. None where
    a stratum is missing.
    """
    if not _has_all(strata, weights):
        return None
    total = sum(weights.values())
    return sum(weight / total * hodges_lehmann(strata[name]) for name, weight in weights.items())


def _has_all(strata: Mapping[Any, Sequence[float]], weights: Mapping[Any, float]) -> bool:
    return all(strata.get(name) for name in weights)


def joint_effects(
    arms: Mapping[str, Differences], weights: Mapping[Any, float], *, level: float = 0.95
) -> dict[str, Effect]:
    """Effects of several arms that were measured in the same blocks against the same reference.

    With `OWN_FROM` workers or more, each arm is judged by its own variance over workers (Student's t), which is taken to be
    larger where noise may be far from normal and workers are few (`_widening`). With fewer, noise is pooled: the estimates
    form a randomised complete block design with workers as its blocks (Fisher, 1935), whose differences are correlated,
    because they share the reference. The variance is the mean of the arms' own variances over
    workers; its degrees of freedom are those that the correlation leaves (`_pooled`); the interval is Student's t with
    them. So the noise of the reference, which is in every difference, counts whole, be it larger than the arms' or smaller.
    An arm is judged by its own variance where that is the larger, and of `ALONE_FROM` workers by its own degrees of freedom
    as well where it is larger than equal noise would let it be (F test, `UNEQUAL`): no arm borrows the calm of the others.

    Pooled are the arms that have all workers of the most complete arm; one that lacks some, such as an arm that died,
    stands alone and takes nothing from the others. Arms that no worker measured completely are absent from the answer, and
    workers that were broken off early (`BROKEN_OFF`) count for none.
    """
    estimates = worker_locations(arms, weights)
    most = max(map(len, estimates.values()), default=0)
    workers = sorted(next((values for values in estimates.values() if len(values) == most), ()))
    complete = [arm for arm, values in estimates.items() if all(worker in values for worker in workers)]
    found = spreads(np.array([[estimates[arm][worker] for arm in complete] for worker in workers]))
    judged = dict(zip(complete, found, strict=True)) if found else {}
    return {
        arm: _effect(list(values.values()), judged.get(arm), _count(arms[arm], values), level)
        for arm, values in estimates.items()
    }


def worker_locations(arms: Mapping[str, Differences], weights: Mapping[Any, float]) -> dict[str, dict[int, float]]:
    """Each arm's location in each worker that measured every stratum of `weights`; arms without any are absent.

    In each stratum the mean of a worker's values as far as they count (`Reach`), averaged over strata with `weights`.
    Workers that were broken off early (`BROKEN_OFF`) count for none.
    """
    kept = _whole_workers(arms.values())
    alike: dict[_Shape, list[str]] = {}
    for arm, differences in arms.items():
        workers = [w for w, strata in differences.items() if w in kept and _has_all(strata, weights)]
        shape = tuple((w, tuple(len(differences[w][name]) for name in weights)) for w in sorted(workers))
        if shape:
            alike.setdefault(shape, []).append(arm)
    found: dict[str, dict[int, float]] = {}
    for shape, names in alike.items():
        table = _locations([arms[arm] for arm in names], shape, weights)
        found |= {
            arm: dict(zip((w for w, _ in shape), column, strict=True)) for arm, column in zip(names, table, strict=True)
        }
    return {arm: found[arm] for arm in arms if arm in found}


_Shape = tuple[tuple[int, tuple[int, ...]], ...]
"""Workers, and how many blocks of each stratum they have."""


def _locations(arms: Sequence[Differences], shape: _Shape, weights: Mapping[Any, float]) -> list[list[float]]:
    """The locations [arms, workers] of arms that share their blocks."""
    total, found = sum(weights.values()), np.zeros((len(shape), len(arms)))
    for place, (name, weight) in enumerate(weights.items()):
        lengths = [counts[place] for _, counts in shape]
        values = np.array(
            [[value for worker, _ in shape for value in arm[worker][name]] for arm in arms], dtype=np.float64
        ).T
        parts = reach_of(values, lengths).parts(values)
        found += (
            weight / total * np.add.reduceat(parts, [0, *np.cumsum(lengths)[:-1]], axis=0) / np.array(lengths)[:, None]
        )
    return found.T.tolist()


def effects_of(values: NDArray[np.float64], *, blocks: int, level: float = 0.95) -> list[Effect]:
    """Effects of quantities of which each worker gives one value, as [workers, quantities].

    By the rule of `joint_effects`: with few workers the noise of the quantities is pooled, which takes them to be alike.
    """
    found = spreads(values)
    return [
        _effect(list(column), found[place] if found else None, blocks, level) for place, column in enumerate(values.T)
    ]


def _whole_workers(arms: Iterable[Differences]) -> set[int]:
    blocks: dict[int, int] = {}
    for differences in arms:
        for worker, strata in differences.items():
            blocks[worker] = max(blocks.get(worker, 0), sum(map(len, strata.values())))
    typical = float(np.median(list(blocks.values()))) if blocks else 0.0
    return {worker for worker, count in blocks.items() if count >= BROKEN_OFF * typical}


Spread = tuple[float, float]
"""A variance over workers and its degrees of freedom."""


def spreads(table: NDArray[np.float64]) -> list[Spread]:
    """By what spread each arm is judged; `table` holds estimates as [workers, arms]. Empty where there are too few."""
    from scipy import special

    if len(table) < MIN_WORKERS:
        return []
    own, alone = table.var(axis=0, ddof=1), float(len(table) - 1)
    if len(table) >= OWN_FROM:
        return [(float(variance), alone) for variance in own * _widening(table) ** 2]
    pooled = _pooled(table)
    if len(own) == 1:
        return [pooled]
    if len(table) < ALONE_FROM:
        return [(max(float(variance), pooled[0]), pooled[1]) for variance in own]
    others = (own.sum() - own) / (len(own) - 1)
    limits = others * special.fdtri(alone, pooled[1], UNEQUAL)
    return [
        (max(float(variance), pooled[0]), alone if variance > limit else pooled[1])
        for variance, limit in zip(own, limits, strict=True)
    ]


def _widening(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much each arm's Student interval is widened, at least 1: `table` holds estimates as [workers, arms].

    To the length, at 95 %, of the interval of Hartigan (1969), which holds for whatever symmetric noise: the means of all
    subsets of the workers, sorted, cut the line into parts that hold the truth equally often. Where processes are of two
    sorts, and all but one happen to be of the same, Student's interval takes their small spread for certainty; this one
    does not. One factor serves all levels, so that a verdict and its interval agree.
    """
    from scipy import special

    workers = len(table)
    own = table.std(axis=0, ddof=1)
    if workers not in SYMMETRIC:
        return np.ones_like(own)
    cut, subsets, away = int((1 - _SYMMETRIC_LEVEL) / 2 * 2**workers), _subsets(workers), (table - table.mean(axis=0)).T
    half = np.empty_like(own)
    for some in np.array_split(np.arange(len(own)), 1 + len(own) * len(subsets) // _PAIRS_AT_ONCE):
        means = np.partition(away[some] @ subsets.T, (cut - 1, -cut), axis=1)
        half[some] = np.maximum(-means[:, cut - 1], means[:, -cut])
    student = float(special.stdtrit(workers - 1, (1 + _SYMMETRIC_LEVEL) / 2)) * own / math.sqrt(workers)
    factor: NDArray[np.float64] = np.divide(half, student, out=np.ones_like(own), where=student > 0)
    return factor.clip(min=1.0)


@cache
def lengthened(workers: int) -> float:
    """By how much so many workers' Student interval is lengthened (`joint_effects`) on average where noise is normal."""
    return float(_widening(np.random.default_rng(workers).normal(size=(workers, 1000))).mean())


@cache
def _subsets(count: int) -> NDArray[np.float64]:
    """What makes of values the means of all subsets but the empty one: [2^count - 1, count]."""
    members = (np.arange(1, 2**count)[:, None] >> np.arange(count)) & 1
    return np.asarray(members / members.sum(axis=1, keepdims=True), dtype=np.float64)


def _pooled(table: NDArray[np.float64]) -> Spread:
    """The mean of the arms' own variances, with degrees of freedom matched to its variance (Satterthwaite, 1946).

    For differences of normal noise that correlate by r, two sample variances correlate by r squared, so that the mean of
    K has (workers - 1) K / (1 + (K - 1) r^2). r is estimated over all pairs of arms, and taken to be at least one half:
    that is what equal noise gives, and so few workers cannot show that it is less.
    """
    workers, count = table.shape
    covariance = np.cov(table, rowvar=False, ddof=1).reshape(count, count)
    mean = float(np.trace(covariance)) / count
    shared = 1.0
    if count > 1 and mean > 0:
        between = float(covariance.sum() - np.trace(covariance)) / (count * (count - 1))
        shared = min(1.0, max(SHARED_AT_LEAST, between / mean))
    return mean, (workers - 1) * count / (1 + (count - 1) * shared**2)


def _effect(values: Sequence[float], spread: Spread | None, blocks: int, level: float) -> Effect:
    """The mean of the workers' estimates, with Student's t of `spread`, or of what they have alone where it is None."""
    from scipy import special

    array = np.asarray(values, dtype=np.float64)
    location = float(array.mean())
    if len(array) < MIN_WORKERS:
        return Effect(location=location, low=None, high=None, level=level, blocks=blocks, workers=len(array))
    variance, freedom = spread or spreads(array[:, None])[0]
    error = math.sqrt(variance / len(array))
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    return Effect(
        location=location, low=location - half, high=location + half, level=level, blocks=blocks, workers=len(array),
        standard_error=error, freedom=freedom,
    )  # fmt: skip


def _count(differences: Differences, complete: Mapping[int, float]) -> int:
    return sum(len(values) for worker in complete for values in differences[worker].values())


def repeat_effect(differences: Sequence[float], *, level: float = 0.95, rounding: float = 0.0) -> Effect | None:
    """The mean difference between repeats of whole processes, with Student's t.

    `rounding` is the standard deviation that the steps of a counter alone give a difference. Repeats that agree do not
    show less spread than that; they give a point only where readings are exact, with a rounding of 0.
    """
    if not differences:
        return None
    spread = None
    if len(differences) >= MIN_WORKERS:
        ((own, freedom),) = spreads(np.array(differences)[:, None])
        spread = max(own, rounding**2), freedom
    return _effect(differences, spread, len(differences), level)


def worker_estimates(differences: Differences, weights: Mapping[Any, float]) -> list[float]:
    """One estimate for each worker that has every stratum of `weights` and was not broken off early, in order of workers."""
    kept = _whole_workers([differences])
    found = (location(strata, weights) for worker, strata in sorted(differences.items()) if worker in kept)
    return [value for value in found if value is not None]


def unpaired_effect(
    stored: Sequence[Sequence[float]], now: Sequence[float], *, level: float = 0.95, rounding: float = 0.0
) -> Effect | None:
    """The mean of `now` less that of the stored runs, which share nothing with it; one value for each worker.

    The interval is Welch's t over workers (1947; degrees of freedom of Satterthwaite, 1946). Several stored runs of the same
    code also show how far a run lies from the next: a further one differs from the mean of k by their variance times
    1 + 1/k, with k - 1 degrees of freedom, and the wider of the two intervals stands. `rounding` is the standard deviation
    that the steps of a counter alone give one value. None where a side is empty.
    """
    from scipy import special

    sides = [*stored, now]
    if not stored or not all(sides):
        return None
    means = [float(np.mean(side)) for side in stored]
    found = Effect(
        location=float(np.mean(now)) - float(np.mean(means)), low=None, high=None, level=level,
        blocks=sum(map(len, sides)), workers=len(now),
    )  # fmt: skip
    if min(map(len, sides)) < MIN_WORKERS:
        return found
    candidates = [_welch(sides, rounding)]
    if len(stored) >= MIN_WORKERS:
        candidates.append((_variance(means) * (1 + 1 / len(stored)), len(stored) - 1.0))
    halves = [
        (float(special.stdtrit(freedom, (1 + level) / 2)) * math.sqrt(variance), math.sqrt(variance), freedom)
        for variance, freedom in candidates
    ]
    half, error, freedom = max(halves)
    return replace(found, low=found.location - half, high=found.location + half, standard_error=error, freedom=freedom)


def _welch(sides: Sequence[Sequence[float]], rounding: float) -> Spread:
    """The variance of the last side's mean less the mean of the others' means, and its degrees of freedom."""
    weights = [1 / (len(sides) - 1) ** 2] * (len(sides) - 1) + [1.0]
    parts = [
        (weight * max(_variance(side), rounding**2) / len(side), len(side) - 1.0)
        for weight, side in zip(weights, sides, strict=True)
    ]
    whole = sum(part for part, _ in parts)
    shares = sum(part**2 / freedom for part, freedom in parts)
    return whole, whole**2 / shares if shares else min(freedom for _, freedom in parts)


def _variance(values: Sequence[float]) -> float:
    """The sample variance; of values that agree exactly 0, which floating point need not give."""
    return float(np.var(values, ddof=1)) if len(set(values)) > 1 else 0.0


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of the values, linearly interpolated; empty where there are none."""
    if not values:
        return {}
    p50, p95, p99 = np.quantile(np.asarray(values, dtype=np.float64), [0.5, 0.95, 0.99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}


def share_interval(count: int, total: int, *, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share of which `count` of `total` were seen (Wilson, 1927); from 0 to 1 where nothing was."""
    from scipy import special

    if not total:
        return 0.0, 1.0
    quantile = float(special.ndtri((1 + level) / 2))
    share, spread = count / total, quantile**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = quantile * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return (0.0 if count == 0 else middle - half), (1.0 if count == total else middle + half)
