"""An effect along an axis: its curve, its band, where it crosses an edge, and on which stretches it has which verdict.

Pure numbers: each worker gives a change in seconds at each value of the axis. Why this form, why seconds, and how often the
intervals are right: docs/decisions/0030-lengths.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from harness import rules
from harness.results import AtLength, Crossing, CurveForm, Edge, Stretch
from harness.rules import ERROR, TIME
from harness.statistics import OWN_FROM, Effect, effects_of, ratio_of

Numbers = NDArray[np.float64]
STEPS = 120
"""Steps between the smallest and the largest value, in equal factors. An end of an interval is rounded outwards to one."""
KEPT = 5
"""One in so many of them is kept in a run, beside the values that were measured."""
MOST_PARTS = 3
"""Parts of a change, at most: a fixed one, one for each unit, and one for each square of it."""
MISFIT_ERROR = 0.01
"""Chance that a form is given up that holds: small, because intervals are off in those runs."""
_LEAST = math.log(1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What arms change at each value of an axis: `seconds` is [workers, arms, values], the first arm the one asked for.

    `at` [values] rises; `before_s` [values] is what a request takes there without the toggle. `whole` says that there is nothing
    between one whole number and the next.
    """

    at: Numbers
    before_s: Numbers
    seconds: Numbers
    blocks: int
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How a curve is judged: the margin, by how much a band is lengthened for verdicts (decision 26), and the errors of an
    interval and of the whole band. Where it is not `trusted`, nothing is told.
    """

    margin: float
    allowance: float = 0.0
    error: float = ERROR
    band_error: float = ERROR
    trusted: bool = True


class Curve:
    """The curve of the first arm, its band, and what they say."""

    def __init__(self, changes: Changes, judging: Judging) -> None:
        self.changes = changes
        self.judging = judging
        self._parts = min(MOST_PARTS, len(changes.at))
        self.checked = len(changes.at) > self._parts
        self.form: CurveForm = "between neighbours" if self.checked and self._is_misfit() else _FORMS[self._parts]
        self.grid = _grid(changes)
        self.before_s = np.interp(self.grid, changes.at, changes.before_s)

    @cached_property
    def parts_s(self) -> tuple[float, ...]:
        """The fixed part of the change, that for each unit of the axis, and that for each square of it; none of no form."""
        return tuple(float(part.location) for part in self._found_parts)

    @cached_property
    def parts_between_s(self) -> tuple[tuple[float, float], ...]:
        """The interval of each part alone; none of one worker."""
        return tuple((e.low, e.high) for e in self._found_parts if e.low is not None and e.high is not None)

    @cached_property
    def measured(self) -> tuple[AtLength, ...]:
        """What was measured at each value alone, with an interval of its own."""
        found = self._effects(np.eye(len(self.changes.at)), self.judging.error)
        pairs = zip(self.changes.at, self.changes.before_s, found, strict=True)
        return tuple(_at(at, before, e.location, e.low, e.high) for at, before, e in pairs)

    @cached_property
    def points(self) -> tuple[AtLength, ...]:
        """The curve with its band: some of the grid, and every value that was measured."""
        kept = set(range(0, len(self.grid), KEPT)) | {len(self.grid) - 1}
        if self.changes.whole:
            kept = set(range(len(self.grid)))
        kept |= {int(np.argmin(abs(self.grid - at))) for at in self.changes.at}
        low, high = self._band
        ends = [(None, None) if math.isnan(low[i]) else (low[i], high[i]) for i in range(len(self.grid))]
        return tuple(_at(self.grid[i], self.before_s[i], self._intervals[0][i], *ends[i]) for i in sorted(kept))

    @cached_property
    def crossings(self) -> tuple[Crossing, ...]:
        """Every part of the axis in which the curve may cross no change, or the margin on either side."""
        if math.isnan(self._band[0][0]):
            return ()  # one worker: there is no interval
        margin = self.judging.margin
        edges: Sequence[tuple[Edge, float]] = (("zero", 0.0), ("gain", -margin), ("loss", margin))
        return tuple(found for edge, share in edges for found in self._crossings_of(edge, share))

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """The verdict of the band against the margin, from the smallest value to the largest."""
        if not self.judging.trusted or math.isnan(self._band[0][0]):
            return ()
        low, high = (_log(ends, self.before_s) for ends in self._band)
        margin, allowance = self.judging.margin, self.judging.allowance
        told = [rules.verdict(a, b, margin, TIME, allowance=allowance)[0] for a, b in zip(low, high, strict=True)]
        groups = [[place for place, _ in group] for _, group in groupby(enumerate(told), key=lambda item: item[1])]
        return tuple(
            Stretch(start=float(self.grid[group[0]]), end=float(self.grid[group[-1]]), verdict=told[group[0]])
            for group in groups
        )

    def _crossings_of(self, edge: Edge, share: float) -> Iterator[Crossing]:
        """Runs of the grid whose intervals hold the edge, and places between two points at which its side changes."""
        means, low, high = self._intervals
        sides = _sides(low, high, share * self.before_s)
        for first, last, told in _joined(_open_runs(sides), sides, self._clear_of(share)):
            before, after = first - 1, last + 1
            left, right = (int(sides[place]) if 0 <= place < len(sides) else 0 for place in (before, after))
            yield Crossing(
                edge=edge, told=told, rises=right > left if left * right < 0 else None,
                at=self._zero(means - share * self.before_s, max(before, 0), min(after, len(self.grid) - 1)),
                low=float(self.grid[before]) if before >= 0 else None,
                high=float(self.grid[after]) if after < len(self.grid) else None,
            )  # fmt: skip

    def _clear_of(self, share: float) -> NDArray[np.int64]:
        """On which side of an edge the band lies, lengthened as for verdicts; 0 where it holds it, or nothing may be told."""
        if not self.judging.trusted:
            return np.zeros(len(self.grid), dtype=np.int64)
        low, high = (_log(ends, self.before_s) for ends in self._band)
        allowance = self.judging.allowance
        return _sides(low - allowance, high + allowance, np.full(len(self.grid), math.log1p(share)))

    def _zero(self, heights: Numbers, first: int, last: int) -> float | None:
        """Where a curve of these heights on the grid is zero between two of its points; None where it is not, or more than once."""
        found = []
        for left in range(first, last):
            one, other = heights[left], heights[left + 1]
            if one * other < 0 or (other == 0 and one != 0):
                found.append(float(self.grid[left] + (self.grid[left + 1] - self.grid[left]) * one / (one - other)))
        return found[0] if len(found) == 1 else None

    @cached_property
    def _found_parts(self) -> list[Effect]:
        return [] if self.form == "between neighbours" else self._effects(self._fit(), self.judging.error)

    @cached_property
    def _intervals(self) -> tuple[Numbers, Numbers, Numbers]:
        """On the grid: the curve, and the ends of the interval at each point alone, in seconds; NaN where there is none."""
        error = self.judging.error
        if self.form == "between neighbours":
            means, low, high = _arrays(self._effects(np.eye(len(self.changes.at)), error))
            return np.interp(self.grid, self.changes.at, means), *self._hull(low, high)
        return _arrays(self._effects(self._weights(self.grid), error))

    @cached_property
    def _band(self) -> tuple[Numbers, Numbers]:
        """Ends of the band on the grid, in seconds, made of intervals that hold together; NaN where there is none.

        A straight line is what its two ends are, and a parabola what three of its points are: where these are right, so is
        all of it, and lies as far from its estimate, at most, as theirs lie from theirs, weighed as Lagrange's polynomials do.
        """
        if self.form == "between neighbours":
            values = np.eye(len(self.changes.at))
            _, low, high = _arrays(self._effects(values, self.judging.band_error / len(values)))
            return self._hull(low, high)
        knots = self.changes.at[[0, -1]] if self.form == _FORMS[2] else self._three_points()
        _, low, high = _arrays(self._effects(self._weights(knots), self.judging.band_error / len(knots)))
        powers = np.arange(len(knots))
        of_knots = self.grid[:, None] ** powers @ np.linalg.inv(knots[:, None] ** powers)
        half = np.abs(of_knots) @ ((high - low) / 2)
        return self._intervals[0] - half, self._intervals[0] + half

    def _three_points(self) -> Numbers:
        """The ends of the axis and the value nearest to its middle."""
        at = self.changes.at
        middle = 1 + int(np.argmin(abs(at[1:-1] - (at[0] + at[-1]) / 2)))
        return np.asarray(at[[0, middle, -1]])

    def _hull(self, low: Numbers, high: Numbers) -> tuple[Numbers, Numbers]:
        """Between two values measured all that the intervals of both hold, at one its own."""
        after = np.searchsorted(self.changes.at, self.grid)
        before = np.where(self.changes.at[after] == self.grid, after, after - 1)
        return np.minimum(low[before], low[after]), np.maximum(high[before], high[after])

    def _effects(self, weights: Numbers, error: float) -> list[Effect]:
        """Effects of the first arm with these weights of the values, [effects, values].

        Where workers are so few that noise is pooled, it is pooled over arms, for each effect apart.
        """
        blocks, seconds = self.changes.blocks, self.changes.seconds
        if len(seconds) >= OWN_FROM:
            return effects_of(seconds[:, 0] @ weights.T, blocks=blocks, level=1 - error)
        return [effects_of(seconds @ one, blocks=blocks, level=1 - error)[0] for one in weights]

    def _weights(self, at: Numbers) -> Numbers:
        """What each measured value weighs in the curve at `at`: [at, values]."""
        return np.asarray(at[:, None] ** np.arange(self._parts) @ self._fit())

    def _fit(self) -> Numbers:
        """What each measured value weighs in each part of the change [parts, values]: least squares of the shares of a request,
        because noise grows with its length.
        """
        scale = self.changes.at[-1] ** np.arange(self._parts)
        return np.asarray(np.linalg.pinv(self._design()) / self.changes.before_s / scale[:, None])

    def _design(self) -> Numbers:
        at, before_s = self.changes.at, self.changes.before_s
        return np.asarray((at / at[-1])[:, None] ** np.arange(self._parts) / before_s[:, None])

    def _is_misfit(self) -> bool:
        """Whether what the parts leave over is told from nothing."""
        bases, _, _ = np.linalg.svd(self._design(), full_matrices=True)
        left = bases[:, self._parts :].T / self.changes.before_s
        found = self._effects(left, MISFIT_ERROR / len(left))
        return any(e.low is not None and e.high is not None and not e.low <= 0 <= e.high for e in found)


_FORMS: Mapping[int, CurveForm] = {2: "fixed and per unit", 3: "fixed, per unit and per square"}


def _grid(changes: Changes) -> Numbers:
    first, last = float(changes.at[0]), float(changes.at[-1])
    if changes.whole:
        return np.arange(round(first), round(last) + 1, dtype=np.float64)
    return np.unique(np.concatenate([np.geomspace(first, last, STEPS + 1)[1:-1], changes.at]))


def _arrays(effects: Sequence[Effect]) -> tuple[Numbers, Numbers, Numbers]:
    """Locations and ends of intervals; NaN where there is none."""
    low, high = (
        np.array([math.nan if end is None else end for end in ends])
        for ends in ([effect.low for effect in effects], [effect.high for effect in effects])
    )
    return np.array([effect.location for effect in effects]), low, high


def _at(at: float, before_s: float, change_s: float, low_s: float | None, high_s: float | None) -> AtLength:
    ratio, low, high = (None if s is None else ratio_of(_log_of(s / before_s)) for s in (change_s, low_s, high_s))
    return AtLength(at=float(at), before_s=float(before_s), ratio=ratio or 0.0, low=low, high=high)


def _log(seconds: Numbers, before_s: Numbers) -> Numbers:
    return np.array([_log_of(share) for share in seconds / before_s])


def _log_of(share: float) -> float:
    """The log-ratio of a change by a share of what there was; an end of an interval that leaves less than nothing is cut off."""
    return math.log1p(share) if share > math.expm1(_LEAST) else _LEAST


def _sides(low: Numbers, high: Numbers, edge: Numbers) -> NDArray[np.int64]:
    """-1 where an interval lies below the edge, 1 where above, 0 where it holds it."""
    return np.where(high < edge, -1, np.where(low > edge, 1, 0))


def _open_runs(sides: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First and last place of each run of zeros. Where the side changes from one place to the next, a run of none: its last
    place comes before its first.
    """
    place = 0
    while place < len(sides):
        if sides[place] == 0:
            first = place
            while place + 1 < len(sides) and sides[place + 1] == 0:
                place += 1
            yield first, place
        elif place + 1 < len(sides) and sides[place] * sides[place + 1] < 0:
            yield place + 1, place
        place += 1


def _joined(
    runs: Iterable[tuple[int, int]], sides: NDArray[np.int64], clear: NDArray[np.int64]
) -> Iterator[tuple[int, int, bool]]:
    """Open runs, and whether a crossing is told of each: the nearest clear places left and right lie on opposite sides of the edge,
    and so do the intervals beside it. Runs between the same two such places are one, for nothing says in which of them it crosses.
    """
    for (left, right), group in groupby(runs, key=lambda run: _clear_beside(clear, *run)):
        found = list(group)
        first, last = found[0][0], found[-1][1]
        is_between = left is not None and right is not None and clear[left] * clear[right] < 0
        if is_between and sides[first - 1] * sides[last + 1] < 0:
            yield first, last, True
        else:
            yield from ((*run, False) for run in found)


def _clear_beside(clear: NDArray[np.int64], first: int, last: int) -> tuple[int | None, int | None]:
    """The nearest clear places on both sides of a run, None where there is none."""
    left = next((place for place in range(first - 1, -1, -1) if clear[place]), None)
    return left, next((place for place in range(last + 1, len(clear)) if clear[place]), None)
