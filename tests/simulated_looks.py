"""How often a run that looks several times is wrong, by simulation: `python -m tests.simulated_looks` prints the table.

Each simulated run has workers whose paired log-ratios come from one of `NOISES`, looks as a run looks
(`sequential.LOOKS`), and stops where its contrast is decided. Counted are the runs in which any interval that was ever
shown misses the truth, and those whose verdict is false.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness import sequential
from harness.statistics import joint_effects

Noise = Callable[[np.random.Generator, int, int], NDArray[np.float64]]
"""Makes log-ratios [workers, blocks] without an effect."""

MARGIN = 0.01
WORKERS, BLOCKS = 10, 96
LEVEL = 0.95


def normal(rng: np.random.Generator, workers: int, blocks: int) -> NDArray[np.float64]:
    """Between workers 0.25 %, as was measured of two copies in one process; between blocks 1 %."""
    return rng.normal(0, 0.0025, (workers, 1)) + rng.normal(0, 0.01, (workers, blocks))


def heavy_tails(rng: np.random.Generator, workers: int, blocks: int) -> NDArray[np.float64]:
    """Student's t with two degrees of freedom between blocks, with three between workers."""
    return 0.0025 * rng.standard_t(3, (workers, 1)) + 0.01 * rng.standard_t(2, (workers, blocks))


def drift(rng: np.random.Generator, workers: int, blocks: int) -> NDArray[np.float64]:
    """The difference between arms itself drifts along each worker, by a slope of its own."""
    slope = rng.normal(0, 0.006, (workers, 1)) * np.linspace(0, 1, blocks)
    return normal(rng, workers, blocks) + slope


def autocorrelated(rng: np.random.Generator, workers: int, blocks: int) -> NDArray[np.float64]:
    """Blocks of a worker resemble their neighbours (first order, 0.8), as where a neighbour comes and goes."""
    steps = rng.normal(0, 0.006, (workers, blocks))
    found = np.empty_like(steps)
    found[:, 0] = steps[:, 0] / math.sqrt(1 - 0.8**2)
    for block in range(1, blocks):
        found[:, block] = 0.8 * found[:, block - 1] + steps[:, block]
    return found


def bimodal_processes(rng: np.random.Generator, workers: int, blocks: int) -> NDArray[np.float64]:
    """A worker is of one of two sorts, 0.8 % either side of the truth, whatever its blocks say."""
    return 0.008 * rng.choice([-1.0, 1.0], (workers, 1)) + rng.normal(0, 0.01, (workers, blocks))


def lopsided_processes(rng: np.random.Generator, workers: int, blocks: int) -> NDArray[np.float64]:
    """One worker in five lies 0.8 % above the truth and the others 0.2 % below: no interval from so few workers holds for it."""
    return np.where(rng.random((workers, 1)) < 0.2, 0.008, -0.002) + rng.normal(0, 0.01, (workers, blocks))


NOISES: dict[str, Noise] = {
    "normal": normal,
    "heavy tails": heavy_tails,
    "drift": drift,
    "autocorrelated": autocorrelated,
    "bimodal processes": bimodal_processes,
}


SIMULATED = NOISES | {"lopsided processes": lopsided_processes}
"""With one that shows where the intervals end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Shares of simulated runs: with an interval that missed the truth, by verdict, and of the budget that was spent."""

    missed: float
    slower: float
    equal: float
    faster: float
    spent: float


def simulate(noise: Noise, effect: float, runs: int, *, workers: int = WORKERS, seed: int = 7) -> Outcome:
    """What comes of `runs` runs of which the true log-ratio is `effect`."""
    rng = np.random.default_rng(seed)
    below, above = math.log1p(-MARGIN), math.log1p(MARGIN)
    missed = slower = equal = faster = 0
    spent = 0.0
    for _ in range(runs):
        table = noise(rng, workers, BLOCKS) + effect
        decided = False
        wrong = False
        for look, share in enumerate(sequential.LOOKS):
            part = table[:, : max(1, round(share * BLOCKS))]
            level = 1 - (1 - LEVEL) * sequential.part(look)
            found = joint_effects({"x": {w: {"": list(row)} for w, row in enumerate(part)}}, {"": 1.0}, level=level)[
                "x"
            ]
            low, high = found.low or -math.inf, found.high or math.inf
            wrong |= not low <= effect <= high
            if decided:
                continue  # what would have been shown, had the run gone on: peeking must not matter
            decided = sequential.smallest_error(found, below, above) <= 1 - level
            if decided or look == len(sequential.LOOKS) - 1:
                spent += share
            if decided:
                slower += low > above
                faster += high < below
                equal += below <= low and high <= above
        missed += wrong
    return Outcome(
        missed=missed / runs, slower=slower / runs, equal=equal / runs, faster=faster / runs, spent=spent / runs
    )


EFFECTS = (0.0, 0.01, 0.02, 0.05)
CASES = (*((name, WORKERS) for name in NOISES), *(("bimodal processes", workers) for workers in (6, 7, 8, 9, 11, 12, 13, 14, 16)),
         ("lopsided processes", 8), ("lopsided processes", 16))  # fmt: skip


if __name__ == "__main__":
    for name, count in CASES:
        for ratio in EFFECTS:
            got = simulate(SIMULATED[name], math.log1p(ratio), 2000, workers=count)
            print(f"| {name}, {count} workers | {100 * ratio:+.0f} % | {100 * got.missed:.1f} % | {100 * got.faster:.1f} / "  # noqa: T201
                  f"{100 * got.equal:.1f} / {100 * got.slower:.1f} % | {100 * got.spent:.0f} % |", flush=True)  # fmt: skip
