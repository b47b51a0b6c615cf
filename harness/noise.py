"""What identical code shows of a machine's noise, and what a run can then be expected to tell apart.

A calibrating run (design `controls`) has three arms of the same code in every block. Their paired log-ratios are the noise
of a contrast whose true effect is known. From them runs are resampled: workers are drawn with replacement, the blocks of a
worker in contiguous stretches (the moving-block bootstrap, Kuensch, 1989, here on a circle), so that neighbours stay
neighbours. Each resampled run is judged as a run is: `statistics.spreads` across workers, at the looks of `sequential`, by
the margin, with a placebo that has to pass. Which of the three arms is reference, candidate and placebo is drawn as well.
A gate is foreseen from the same: its workers are groups of fresh processes that come one after the other, so that it looks
after so many of them, and what looks like a regression has to be shown again by further ones.

Drawing blocks anew within a worker adds the noise of its blocks a second time to what its estimate already holds. So the
workers' estimates are shrunk about their mean until the spread that is left between them is the one that the blocks do
not explain (Davison and Hinkley, 1997, section 3.8); where nothing is left, nothing is drawn.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from harness import groups, rules, sequential
from harness.designs import PLACEBO, TWIN
from harness.errors import MeasureError
from harness.evidence import Evidence, log_ratio
from harness.results import Foresight, Run
from harness.rules import ERROR
from harness.statistics import BROKEN_OFF, MIN_WORKERS, OWN_FROM, change_of, reach_of, spreads

RUNS = 2000
"""Resampled runs: 0 false alarms among them leave at most 0.2 % (95 %, Wilson), as far as so few workers can show it."""
POWER = 0.95
"""Share of the runs in which a slow-down must be called slower to be called detectable."""
LARGEST = math.log(1.5)
"""The largest slow-down, as a log-ratio, that is looked for."""
_SEQUENCES = 64
"""Resampled sequences of blocks of each worker; a run draws one for each of its workers."""
_AT_ONCE = 4_000_000
"""Workers of resampled runs that are held in memory at once."""
_SEED = 11
_STEPS = 24
"""Halvings in the search for the smallest slow-down: to a millionth of a per cent."""

Log = NDArray[np.float64]
Told = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Paired log-ratios of the placebo and of the twin to the reference: one mapping per worker, stratum -> one pair a block.

    `weights` are the strata's shares of the workload.
    """

    weights: Mapping[str, float]
    workers: tuple[Mapping[str, tuple[tuple[float, float], ...]], ...]

    @property
    def blocks(self) -> int:
        """Blocks of all workers together."""
        return sum(len(pairs) for worker in self.workers for pairs in worker.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a gate keeps to measure a regression again: a `share` of its budget, for so many `groups` of processes at least. Any
    group takes `start_s` to start.
    """

    groups: int
    share: float
    start_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The run that is foreseen: its margin, its workers, the blocks that each makes in a second of the budget, the level of its
    placebo's interval, and the share of runs in which a slow-down has to be found (`power`).

    With a `confirmation` it is a gate: its workers come in turn, so many of them at least, its placebo must not be told apart,
    however vague it is, and what is slower has to be so again.
    """

    margin: float
    workers: int
    blocks_per_s: float
    placebo_level: float
    power: float = POWER
    confirmation: Confirmation | None = None


def noise_of(run: Run, device: str, twin: str = TWIN) -> Noise:
    """The noise that a run shows on `device`, whose reference, placebo and `twin` are the same code, as in one of design
    `controls`. Raises MeasureError where it shows none.
    """
    evidence = Evidence(run, device)
    blocks: dict[tuple[int, int], dict[str, float]] = defaultdict(dict)
    strata: dict[tuple[int, int], str] = {}
    for trial in evidence.trials:
        latency_s = trial.values.get("latency")
        if (trial.pass_, trial.kind, trial.group) == ("latency", "request", "request") and latency_s:
            blocks[trial.worker, trial.block][trial.arm] = latency_s
            strata[trial.worker, trial.block] = trial.stratum
    workers: dict[int, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for place, arms in sorted(blocks.items()):
        if {evidence.reference, PLACEBO, twin} <= arms.keys():
            before = arms[evidence.reference]
            workers[place[0]][strata[place]].append((log_ratio(before, arms[PLACEBO]), log_ratio(before, arms[twin])))
    weights = dict(run.plan.strata)
    made = {number: sum(map(len, found.values())) for number, found in workers.items()}
    typical = float(np.median(list(made.values()))) if made else 0.0
    whole = [
        {stratum: tuple(found[stratum]) for stratum in weights}
        for number, found in workers.items()
        if set(weights) <= found.keys() and made[number] >= BROKEN_OFF * typical
    ]
    if len(whole) < MIN_WORKERS:
        message = (
            f"{device}: {len(whole)} worker(s) measured every kind of request; a calibration needs {MIN_WORKERS} or "
            "more: give it a larger --budget, or --set measure.workers"
        )
        raise MeasureError(message)
    return Noise(weights=weights, workers=tuple(whole))


def foresee(noise: Noise, shape: Shape, budgets_s: Sequence[float]) -> list[Foresight]:
    """What runs of `shape` can be expected to tell apart in each of `budgets_s`. The same noise gives the same answer."""
    each = [_foreseen(noise, shape, budget_s) for budget_s in budgets_s]
    wanted = [sizes for found in each for sizes, _ in (*found.looks, *([found.again] if found.again else []))]
    library = _Library(noise, wanted)
    draws = _Draws(
        library,
        workers=max(workers for found in each for _, workers in found.looks),
        further=max((found.again[1] for found in each if found.again), default=0),
    )
    judged = {look: draws.judged(*look) for look in dict.fromkeys(look for found in each for look in found.looks)}
    return [
        _Resampled(
            [judged[look] for look in found.looks], shape, draws.shown_again(*found.again) if found.again else None
        ).foresight(budget_s, found.looks[-1])
        for budget_s, found in zip(budgets_s, each, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """How far processes of the same code differ, as the standard deviation of their log-ratios: what more blocks do not
    remove. `at_most` is the upper end of its one-sided 95 % interval.
    """

    estimate: float
    at_most: float


def between_workers(noise: Noise) -> Between:
    """The spread between workers that their blocks do not explain."""
    return _Library(noise, []).between


def spread_of_blocks(noise: Noise) -> float:
    """The standard deviation of a block's log-ratio within a worker and stratum, robust to wild blocks (by the median)."""
    deviations = [
        abs(value - float(np.median(column)))
        for worker in noise.workers
        for pairs in worker.values()
        for column in np.array(pairs).T
        for value in column
    ]
    return 1.4826 * float(np.median(deviations))


_Sizes = tuple[int, ...]
"""Blocks of each stratum that a worker has made, in the order of `Noise.weights`; at least one of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Foreseen:
    """One budget of a shape: at each look the blocks of each kind that a worker has made and how many workers there are, and
    the same of the further groups that show a regression again, where it has to be shown.
    """

    looks: tuple[tuple[_Sizes, int], ...]
    again: tuple[_Sizes, int] | None


def _foreseen(noise: Noise, shape: Shape, budget_s: float) -> _Foreseen:
    """Workers of a run live side by side, and have so many blocks at each look. Groups of a gate come in turn, each for its part
    (`groups.part_s`) or as long as a block of each kind takes; where that is longer, there are fewer of them.
    """
    kept = shape.confirmation
    if kept is None:
        sizes = [_blocks(noise, shape, share * budget_s) for share in sequential.LOOKS]
        return _Foreseen(looks=tuple((made, shape.workers) for made in sizes), again=None)
    block_s, again_s = 1 / (shape.blocks_per_s * shape.workers), kept.share * budget_s
    part_s = groups.part_s(budget_s - again_s, shape.workers, kept.start_s)
    again_part_s = groups.part_s(again_s, kept.groups, kept.start_s)
    made, again = _whole(noise, part_s / block_s), _whole(noise, again_part_s / block_s)
    fit = (budget_s - again_s) / max(part_s, sum(made) * block_s)
    return _Foreseen(
        looks=tuple((made, _up(share * fit)) for share in sequential.LOOKS),
        again=(again, max(kept.groups, _up(again_s / max(again_part_s, sum(again) * block_s)))),
    )


def _up(count: float) -> int:
    """The whole number of groups in which so many end; a rounding error is no group."""
    return math.ceil(count - 1e-9)


def _whole(noise: Noise, blocks: float) -> _Sizes:
    """Blocks of each kind in a group that stops with the block in which it has made so many, and has one of each kind."""
    whole, total = max(len(noise.weights), math.ceil(blocks)), sum(noise.weights.values())
    each = [max(1.0, whole * weight / total) for weight in noise.weights.values()]
    made = [math.floor(count) for count in each]
    short = sorted(range(len(each)), key=lambda place: made[place] - each[place])
    for place in short[: max(0, whole - sum(made))]:
        made[place] += 1
    return tuple(made)


def _blocks(noise: Noise, shape: Shape, spent_s: float) -> _Sizes:
    return _shared(noise, spent_s * shape.blocks_per_s)


def _shared(noise: Noise, blocks: float) -> _Sizes:
    total = sum(noise.weights.values())
    return tuple(max(1, round(blocks * weight / total)) for weight in noise.weights.values())


class _Library:
    """Resampled estimates of every worker: for given sizes, an array [workers, sequences, comparisons].

    Comparisons are placebo to reference, twin to reference, and twin to placebo.
    """

    def __init__(self, noise: Noise, wanted: Sequence[_Sizes]) -> None:
        self._strata = list(noise.weights)
        self._weights = np.array(list(noise.weights.values())) / sum(noise.weights.values())
        self._workers = _as_counted(
            [[_comparisons(np.array(worker[stratum])) for stratum in self._strata] for worker in noise.workers]
        )
        own = [tuple(len(values) for values in worker) for worker in self._workers]
        longest = [max(sizes[place] for sizes in (*wanted, *own)) for place in range(len(self._strata))]
        self._drawn = [
            [
                _stretches(values, length, np.random.default_rng((_SEED, number, place)))
                for place, (values, length) in enumerate(zip(worker, longest, strict=True))
            ]
            for number, worker in enumerate(self._workers)
        ]
        self._measured = np.stack(
            [self._average([values.mean(axis=0) for values in worker]) for worker in self._workers]
        )
        within = [self._of_worker(number, sizes).var(axis=0, ddof=1) for number, sizes in enumerate(own)]
        self._within = float(np.mean(within))
        self._spread = float(self._measured.var(axis=0, ddof=1).mean())

    @cached_property
    def between(self) -> Between:
        from scipy import special

        freedom = 2 * (len(self._workers) - 1)  # of three comparisons two are independent
        most = self._spread * freedom / float(special.chdtri(freedom, 0.95))
        left = max(0.0, self._spread - self._within)
        return Between(estimate=math.sqrt(left), at_most=math.sqrt(max(left, most - self._within)))

    def estimates(self, sizes: _Sizes) -> Log:
        """Estimates of resampled workers, centred on the mean of all: identical code has no effect."""
        centred = self._measured - self._measured.mean(axis=0)
        population = float((centred**2).mean())
        shrunk = centred * (self.between.estimate / math.sqrt(population) if population else 0.0)
        return np.stack(
            [
                self._of_worker(number, sizes) - self._measured[number] + shrunk[number]
                for number in range(len(self._workers))
            ]
        )

    def _of_worker(self, number: int, sizes: _Sizes) -> Log:
        return self._average(
            [drawn[:, :size].mean(axis=1) for drawn, size in zip(self._drawn[number], sizes, strict=True)]
        )

    def _average(self, strata: Sequence[Log]) -> Log:
        average: Log = np.tensordot(self._weights, np.stack(strata), axes=1)
        return average


def _comparisons(pairs: Log) -> Log:
    """From [blocks, 2] to [blocks, 3]."""
    return np.column_stack([pairs, pairs[:, 1] - pairs[:, 0]])


def _stretches(values: Log, length: int, rng: np.random.Generator) -> Log:
    """Sequences of `length` blocks [sequences, length, 3], of stretches as long as the root of what was measured.

    Longer ones begin as shorter ones do, so that an answer does not depend on what else was asked.
    """
    count = len(values)
    stretch = math.ceil(math.sqrt(count))
    starts = rng.integers(count, size=(math.ceil(length / stretch), _SEQUENCES)).T
    places = (starts[:, :, None] + np.arange(stretch)).reshape(_SEQUENCES, -1)[:, :length] % count
    return np.asarray(values[places])


def _as_counted(workers: Sequence[Sequence[Log]]) -> list[list[Log]]:
    """Values [blocks, 3] of each worker and stratum as they count in a location (`statistics.Reach`), which is then a mean."""
    reaches = [
        reach_of(np.concatenate(stratum), [len(values) for values in stratum]) for stratum in zip(*workers, strict=True)
    ]
    return [[reach.parts(values) for reach, values in zip(reaches, worker, strict=True)] for worker in workers]


_ARMS = range(3)
_COMPARED = {(0, 1): (0, 1.0), (0, 2): (1, 1.0), (1, 2): (2, 1.0)}
"""(from, to) among reference, placebo and twin -> the comparison and its sign."""


def _compared(before: int, after: int) -> tuple[int, float]:
    if (before, after) in _COMPARED:
        return _COMPARED[before, after]
    place, sign = _COMPARED[after, before]
    return place, -sign


_ROLES = [
    (_compared(before, after), _compared(before, placebo), _compared(placebo, after))
    for before, after, placebo in permutations(_ARMS)
]
"""Ways in which three equal arms are reference, candidate and placebo: how candidate and placebo are compared with the reference,
and the candidate with the placebo.
"""

_Judged = tuple[Log, Log, Log]
"""Of each run, for these three comparisons [runs, 3]: estimate, its standard error, and degrees of freedom."""


class _Draws:
    """Which workers, sequences and roles each resampled run has: the same at all of its looks and in all budgets."""

    def __init__(self, library: _Library, *, workers: int, further: int) -> None:
        self._library = library
        self._drawn = self._draw(workers, 1)
        roles = np.array(_ROLES)[np.random.default_rng((_SEED, 3)).integers(len(_ROLES), size=RUNS)]
        self._places, self._signs = roles[:, :, 0].astype(int), roles[:, :, 1]
        self._further = self._draw(further, 4)

    def _draw(self, workers: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Workers and sequences [runs, workers]; the first of them are the same however many there are."""
        numbers, sequences = (np.random.default_rng((_SEED, seed, place)) for place in range(2))
        own = len(self._library._workers)  # noqa: SLF001  they are of one piece
        return numbers.integers(own, size=(workers, RUNS)).T, sequences.integers(_SEQUENCES, size=(workers, RUNS)).T

    def judged(self, sizes: _Sizes, workers: int) -> _Judged:
        """The estimates of all runs by so many of their workers after so many blocks of each, and how they are judged."""
        drawn = [numbers[:, :workers] for numbers in self._drawn]
        means, judged = [], []
        for some in np.array_split(np.arange(RUNS), math.ceil(RUNS * workers / _AT_ONCE)):
            tables = self._tables(sizes, some, *drawn)
            means.append(tables.mean(axis=1))
            judged.append(_spreads(tables))
        found = np.concatenate(judged)
        return np.concatenate(means), np.sqrt(found[:, :, 0] / workers), found[:, :, 1]

    def shown_again(self, sizes: _Sizes, workers: int) -> Log:
        """What so many further workers of each run say of its candidate and reference [runs]."""
        drawn = [numbers[:, :workers] for numbers in self._further]
        return np.asarray(self._tables(sizes, np.arange(RUNS), *drawn)[:, :, 0].mean(axis=1))

    def _tables(
        self, sizes: _Sizes, runs: NDArray[np.int64], workers: NDArray[np.int64], sequences: NDArray[np.int64]
    ) -> Log:
        """The estimates [runs, workers, comparisons] of some `runs` in the roles that are drawn."""
        drawn = self._library.estimates(sizes)[workers[runs], sequences[runs]]
        places, signs = self._places[runs, None, :], self._signs[runs, None, :]
        return np.asarray(np.take_along_axis(drawn, places, axis=2) * signs)


def _spreads(tables: Log) -> Log:
    """`statistics.spreads` of each of some tables [runs, workers, comparisons], as [runs, comparisons, 2]."""
    runs, workers, comparisons = tables.shape
    if workers >= OWN_FROM:  # each comparison by itself: all runs at once
        return np.array(spreads(tables.transpose(1, 0, 2).reshape(workers, -1))).reshape(runs, comparisons, 2)
    return np.array([spreads(table) or [(math.inf, 1.0)] * comparisons for table in tables])


class _Resampled:
    """The resampled runs of one budget at their looks: arrays [runs, looks]."""

    def __init__(self, looks: Sequence[_Judged], shape: Shape, again: Log | None) -> None:
        from scipy import special

        parts = [sequential.part(look) for look in range(len(looks))]
        self._shape, self._again = shape, again
        self._edges = rules.edges(shape.margin)
        against_reference, self._by_twin = (
            (
                np.column_stack([estimate[:, comparison] for estimate, _, _ in looks]),
                np.column_stack(
                    [
                        special.stdtrit(freedom[:, comparison], 1 - ERROR * part / 2) * error[:, comparison]
                        for (_, error, freedom), part in zip(looks, parts, strict=True)
                    ]
                ),
            )
            for comparison in (0, 2)
        )
        self._estimate, self._half = against_reference
        halves = [special.stdtrit(f[:, 1], (1 + shape.placebo_level) / 2) * error[:, 1] for _, error, f in looks]
        self._passed = np.column_stack(
            [
                _not_told_apart(estimate[:, 1], half, shape.margin if again is None else 0.0)
                for (estimate, _, _), half in zip(looks, halves, strict=True)
            ]
        )

    def foresight(self, budget_s: float, whole: tuple[_Sizes, int]) -> Foresight:
        """What is told of these runs, which have so many blocks and workers if they end with the budget."""
        same, kept = self._verdicts(0.0), self._shape.confirmation
        return Foresight(
            budget_s=budget_s, margin=self._shape.margin, workers=whole[1],
            blocks=self._shape.blocks_per_s * budget_s if kept is None else sum(whole[0]), runs=RUNS, faster=same.faster, slower=same.slower,
            undecided=same.undecided, placebo_passed=same.placebo_passed, covered=same.covered,
            spent=same.spent * (1 - (kept.share if kept else 0.0)),
            power=self._shape.power, detectable=_ratio(self._smallest(lambda effect: self._verdicts(effect).slower)),
            detectable_by_interval=_ratio(self._smallest(self._called_by_interval)),
            is_gate=self._again is not None,
        )  # fmt: skip

    def _smallest(self, slower: Callable[[float], int]) -> float | None:
        """The smallest effect, as a log-ratio, of which enough runs are `slower`."""
        return _smallest(lambda effect: slower(effect) >= self._shape.power * RUNS, self._edges[1], LARGEST)

    def _called_by_interval(self, effect: float) -> int:
        """In how many runs `effect` is called slower, whatever the placebo says."""
        low, high = self._estimate + effect - self._half, self._estimate + effect + self._half
        below, above = self._edges
        slower, other = low > above, (high < below) | ((below <= low) & (high <= above))
        return int((slower.any(axis=1) & ~(_before(other, slower))).sum())

    def _verdicts(self, effect: float) -> _Verdicts:
        """The verdicts of runs whose candidate is changed by `effect`: those that it gets against the reference and against its
        twin alike. A run ends when all is decided and its placebo has passed; a verdict stands if that is so at its end.
        """
        low, high = self._estimate + effect - self._half, self._estimate + effect + self._half
        told = _told(low, high, *self._edges)
        if self._again is None:
            middle, half = self._by_twin
            told &= _told(middle + effect - half, middle + effect + half, *self._edges)
        if self._again is not None:
            return self._of_gate(told, (low <= effect) & (effect <= high), self._again + effect > self._edges[1])
        decided = np.logical_or.reduce(told)
        first = np.where(decided.any(axis=1), decided.argmax(axis=1), len(sequential.LOOKS) - 1)
        later = np.arange(len(sequential.LOOKS)) >= first[:, None]
        ends = later & self._passed & decided.any(axis=1, keepdims=True)
        stands = ends.any(axis=1)
        last = np.where(stands, ends.argmax(axis=1), len(sequential.LOOKS) - 1)
        runs = np.arange(len(first))
        return self._counted(told[:, runs, first] & stands, last, (low <= effect) & (effect <= high))

    def _of_gate(self, told: Told, holds: Told, again: Told) -> _Verdicts:
        """The same of gates. No arm drops out of one: it ends at the look at which it is decided and its placebo has passed, and is
        judged by what there is then. What is slower counts where it was so `again`.
        """
        ends = np.logical_or.reduce(told) & self._passed
        last = np.where(ends.any(axis=1), ends.argmax(axis=1), len(sequential.LOOKS) - 1)
        found = told[:, np.arange(len(last)), last] & ends.any(axis=1)
        found[0] &= again
        return self._counted(found, last, holds)

    def _counted(self, found: Told, last: NDArray[np.intp], holds: Told) -> _Verdicts:
        """Of verdicts [slower, faster or equal, runs] that stand, the look at which each run ended, and where intervals hold the truth."""
        slower, faster, equal = found
        return _Verdicts(
            faster=int(faster.sum()),
            slower=int(slower.sum()),
            undecided=int((~(slower | faster | equal)).sum()),
            placebo_passed=int(self._passed[np.arange(len(last)), last].sum()),
            covered=int(holds.all(axis=1).sum()),
            spent=float(np.array(sequential.LOOKS)[last].mean()),
        )


def _not_told_apart(estimate: Log, half: Log, margin: float) -> Told:
    """Which placebos pass, of (estimate, half length of the interval): `rules.placebo`."""
    below, above = rules.edges(margin / 2)
    low, high = estimate - half, estimate + half
    return ((below <= low) & (high <= above)) | ((low <= 0) & (high >= 0))


def _told(low: Log, high: Log, below: float, above: float) -> Told:
    """Which intervals are slower, faster, and no different."""
    return np.array([low > above, high < below, (below <= low) & (high <= above)])


def _before(some: Told, others: Told) -> Told:
    """Whether, run by run, there is one of `some` at an earlier look than the first of `others`."""
    looks = some.shape[1]
    first = [np.where(found.any(axis=1), found.argmax(axis=1), looks) for found in (some, others)]
    return np.asarray(np.less(first[0], first[1]))


def _ratio(effect: float | None) -> float | None:
    return None if effect is None else change_of(effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdicts:
    faster: int
    slower: int
    undecided: int
    placebo_passed: int
    covered: int
    spent: float


def _smallest(found: Callable[[float], bool], low: float, high: float) -> float | None:
    """The smallest value between `low` and `high` at which something is found, if it is found at all values above."""
    if not found(high):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
