"""How often crossings and bands are right, by simulation: `python -m tests.simulated_crossings [PART OF A CASE'S NAME [PARTS]]`.

With PARTS 2, curves are straight lines: what decision 30 compares with.

A worker's changes have noise in proportion to a request's time: a part that its arm has at every value of the axis, a part of
each value, and as much of both that all arms share, because the reference is noisy, too. Two other arms change nothing, and lend
their noise where workers are few.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness import crossings
from harness.crossings import Changes, Curve, Judging
from harness.results import Crossing, Edge

Numbers = NDArray[np.float64]
RUNS = 500
WORKERS = (3, 6, 10)
MARGIN = 0.01
NOISE = 0.002
"""Standard deviation of each part of the noise, as a share of a request."""
EDGES: dict[Edge, float] = {"zero": 0.0, "gain": -MARGIN, "loss": MARGIN}
LENGTHS = (1.0, 3.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is planted: the change in seconds at a value of the axis, and what a request takes there."""

    change_s: Callable[[Numbers], Numbers]
    at: tuple[float, ...] = LENGTHS
    before_s: Callable[[Numbers], Numbers] = lambda x: 0.2 + 0.1 * x
    whole: bool = False
    heavy: bool = False

    def crossing(self, share: float) -> float | None:
        """Where the change is this share of a request, between the smallest value and the largest."""
        at = np.linspace(self.at[0], self.at[-1], 100_001)
        heights = self.change_s(at) - share * self.before_s(at)
        places = np.flatnonzero(heights[:-1] * heights[1:] < 0)
        return float(at[places[0]]) if len(places) else None


CASES = {
    "nothing": Case(change_s=lambda x: 0 * x),
    "nothing, two lengths": Case(change_s=lambda x: 0 * x, at=(1.0, 10.0)),
    "nothing, five lengths": Case(change_s=lambda x: 0 * x, at=(1.0, 2.0, 4.0, 8.0, 16.0)),
    "nothing, heavy tails": Case(change_s=lambda x: 0 * x, heavy=True),
    "the same share: -3 % at any length": Case(change_s=lambda x: -0.03 * (0.2 + 0.1 * x)),
    "fixed: -10 ms": Case(change_s=lambda x: -0.010 + 0 * x),
    "sign-changing: -10 ms, +2.5 ms a second": Case(change_s=lambda x: -0.010 + 0.0025 * x),
    "sign-changing, two lengths": Case(change_s=lambda x: -0.010 + 0.0025 * x, at=(1.0, 10.0)),
    "sign-changing, five lengths": Case(change_s=lambda x: -0.010 + 0.0025 * x, at=(1.0, 2.0, 4.0, 8.0, 16.0)),
    "sign-changing, heavy tails": Case(change_s=lambda x: -0.010 + 0.0025 * x, heavy=True),
    "sign-changing, near the noise": Case(change_s=lambda x: -0.003 + 0.0006 * x),
    "cache-like: +30 ms, -10 ms a second of the prompt": Case(change_s=lambda x: 0.030 - 0.010 * x, at=(2.0, 8.0)),
    "sub-additive: +15 ms, less 7 ms a root of a second": Case(change_s=lambda x: 0.015 - 0.007 * np.sqrt(x)),
    "super-additive: -10 ms, +0.4 ms a square second": Case(change_s=lambda x: -0.010 + 0.0004 * x**2),
    "bent a little: -10 ms, +1.5 ms a second, +0.1 ms a square second": Case(
        change_s=lambda x: -0.010 + 0.0015 * x + 0.0001 * x**2
    ),
    "concurrency: +18 ms, -6 ms each": Case(
        change_s=lambda x: 0.018 - 0.006 * x, at=(1.0, 2.0, 4.0, 8.0), before_s=lambda x: 0.15 + 0.15 * x, whole=True
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of runs, by edge where one is named.

    `held`: a part of the axis that is given holds the crossing, told or not; None where none is planted. `told`: a crossing is
    told. `false`: one is told where none is planted, or one that does not hold it. `band`: the band misses the planted change
    anywhere. `stretch`: a verdict on any stretch is false. `width` is the median width of told intervals.
    """

    held: dict[Edge, float | None]
    told: dict[Edge, float]
    width: dict[Edge, float | None]
    false: dict[Edge, float]
    band: float
    stretch: float


def simulate(case: Case, workers: int, runs: int = RUNS, seed: int = 11) -> Shares:
    """Runs of one case."""
    rng = np.random.default_rng(seed)
    truth = {edge: case.crossing(share) for edge, share in EDGES.items()}
    held: dict[Edge, int] = dict.fromkeys(EDGES, 0)
    widths: dict[Edge, list[float]] = {edge: [] for edge in EDGES}
    false: dict[Edge, int] = dict.fromkeys(EDGES, 0)
    wrong = {"band": 0, "stretch": 0}
    for _ in range(runs):
        curve = Curve(_changes(rng, case, workers), Judging(margin=MARGIN))
        for edge in EDGES:
            found, planted = [one for one in curve.crossings if one.edge == edge], truth[edge]
            held[edge] += planted is not None and any(holds(one, planted) for one in found)
            told = [one for one in found if one.told]
            widths[edge] += [_width(told[0], case)] if told else []
            false[edge] += any(planted is None or not holds(one, planted) for one in told)
        wrong["band"] += _misses(curve, case)
        wrong["stretch"] += _is_false(curve, case)
    return Shares(
        held={edge: None if truth[edge] is None else held[edge] / runs for edge in EDGES},
        told={edge: len(widths[edge]) / runs for edge in EDGES},
        false={edge: count / runs for edge, count in false.items()},
        width={edge: float(np.median(widths[edge])) if widths[edge] else None for edge in EDGES},
        **{name: count / runs for name, count in wrong.items()},
    )


def holds(found: Crossing, planted: float) -> bool:
    """Whether a part of the axis, open where it is not bounded, has the planted crossing in it."""
    return (found.low is None or found.low <= planted) and (found.high is None or planted <= found.high)


def _width(found: Crossing, case: Case) -> float:
    low, high = found.low or case.at[0], found.high or case.at[-1]
    return high - low


def _changes(rng: np.random.Generator, case: Case, workers: int) -> Changes:
    at = np.array(case.at)
    before_s = case.before_s(at)
    draw = (
        (lambda shape: rng.standard_t(3, shape) / np.sqrt(3)) if case.heavy else (lambda shape: rng.normal(0, 1, shape))
    )
    arms, values = 3, len(at)
    noise = (
        draw((workers, arms, 1)) + draw((workers, arms, values)) + draw((workers, 1, 1)) + draw((workers, 1, values))
    )
    seconds = NOISE * noise * before_s
    seconds[:, 0, :] += case.change_s(at)
    return Changes(at=at, before_s=before_s, seconds=seconds, blocks=60, whole=case.whole)


def _misses(curve: Curve, case: Case) -> bool:
    """Whether the planted change lies outside of the band anywhere."""
    at = np.array([point.at for point in curve.points])
    truth = 1 + case.change_s(at) / case.before_s(at)
    low, high = (np.array([getattr(point, end) or np.nan for point in curve.points]) for end in ("low", "high"))
    return bool(np.any((truth < low - 1e-12) | (truth > high + 1e-12)))


def _is_false(curve: Curve, case: Case) -> bool:
    """Whether the planted change is not what the verdict of a stretch says, at either of its ends."""
    for stretch in curve.stretches:
        for at in np.array([stretch.start, stretch.end]):
            share = float(case.change_s(at) / case.before_s(at))
            fits = {"faster": share < -MARGIN, "slower": share > MARGIN, "no material difference": abs(share) <= MARGIN}
            if not fits.get(stretch.verdict, True):
                return True
    return False


def main(part: str = "", parts: str = "") -> None:
    """Print the table of docs/lengths.md, or the rows whose case has `part` in its name; of curves of so many `parts`."""
    crossings.MOST_PARTS = int(parts or crossings.MOST_PARTS)
    head = (
        "planted",
        "workers",
        "crossing of",
        "held",
        "told",
        "median width",
        "told falsely",
        "band missed",
        "false verdicts",
    )
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")  # noqa: T201
    for name, case in CASES.items():
        for workers in WORKERS if part in name else ():
            for row in _rows(name, workers, simulate(case, workers)):
                print(f"| {' | '.join(row)} |", flush=True)  # noqa: T201


def _rows(name: str, workers: int, found: Shares) -> list[tuple[str, ...]]:
    """A row for each edge that is crossed; one where none is."""
    whole = tuple(f"{100 * share:.1f} %" for share in (found.band, found.stretch))
    edges = [edge for edge in EDGES if found.held[edge] is not None]
    if not edges:
        most = (f"{100 * max(shares.values()):.1f} %" for shares in (found.told, found.false))
        return [(name, str(workers), "none", "", next(most), "", next(most), *whole)]
    return [
        (name, str(workers), edge, f"{100 * (found.held[edge] or 0):.1f} %", f"{100 * found.told[edge]:.1f} %",
         "" if found.width[edge] is None else f"{found.width[edge]:.2f}", f"{100 * found.false[edge]:.1f} %", *whole)
        for edge in edges
    ]  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
