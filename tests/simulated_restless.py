"""What it is worth that wild values are judged over all workers: `python -m tests.simulated_restless` prints the table of decision 33.

Each run has workers with so many blocks each, and no effect. Compared are the estimate of `statistics.worker_locations`, and
that of the rule before: the Hodges-Lehmann location of each worker by itself. Both have Student's t across workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics import effects_of, hodges_lehmann, worker_locations

Rng = np.random.Generator
Noise = Callable[[Rng, int, int], NDArray[np.float64]]
"""Log-ratios [workers, blocks] of a run without effect; one block's standard deviation is 1 where nothing else is said."""


def _restless(rng: Rng, workers: int, blocks: int) -> NDArray[np.float64]:
    return rng.normal(size=(workers, blocks)) * np.where(rng.random((workers, 1)) < 0.3, 5, 1)


def _uneven(rng: Rng, workers: int, blocks: int) -> NDArray[np.float64]:
    return rng.normal(size=(workers, blocks)) * np.exp(rng.normal(0, 0.7, (workers, 1)))


def _two_sorts(between: float, within: float) -> Noise:
    def draw(rng: Rng, workers: int, blocks: int) -> NDArray[np.float64]:
        sorts = np.where(rng.random((workers, 1)) < 0.5, between, -between)
        return within * rng.normal(size=(workers, blocks)) + sorts

    return draw


KINDS: Mapping[str, Noise] = {
    "normal": lambda rng, workers, blocks: rng.normal(size=(workers, blocks)),
    "heavy tails (t, 2 degrees of freedom)": lambda rng, workers, blocks: rng.standard_t(2, (workers, blocks)),
    "three of ten workers five times as noisy": _restless,
    "each worker its own noise (log-normal, 0.7)": _uneven,
    "workers differ by 0.8, blocks by 0.3": lambda rng, workers, blocks: (
        0.3 * rng.normal(size=(workers, blocks)) + rng.normal(0, 0.8, (workers, 1))
    ),
    "two sorts of workers, 0.8 either side, blocks 1": _two_sorts(0.8, 1.0),
    "two sorts of workers, 0.8 either side, blocks 0.1": _two_sorts(0.8, 0.1),
}
SIZES = ((16, 1), (16, 4), (16, 15), (10, 8), (6, 5), (6, 40))
"""Workers, and blocks of each."""
LEVELS = (0.95, 0.995)


@dataclass(frozen=True, slots=True)
class Found:
    """Shares of runs whose interval misses zero, before and now, at each of `LEVELS`; root mean square errors and mean
    widths, now relative to before.
    """

    missed: Mapping[float, tuple[float, float]]
    error: float
    width: float


def compared(noise: Noise, workers: int, blocks: int, runs: int, seed: int = 7) -> Found:
    """Both rules on the same runs."""
    rng = np.random.default_rng(seed)
    tables = [noise(rng, workers, blocks) for _ in range(runs)]
    before = np.array([[hodges_lehmann(row.tolist()) for row in table] for table in tables])
    now = np.array([_now(table) for table in tables])
    return Found(
        missed={level: (_missed(before, level), _missed(now, level)) for level in LEVELS},
        error=math.sqrt(float((now.mean(axis=1) ** 2).mean() / (before.mean(axis=1) ** 2).mean())),
        width=float(now.std(axis=1, ddof=1).mean() / before.std(axis=1, ddof=1).mean()),
    )


def _now(table: NDArray[np.float64]) -> list[float]:
    return list(
        worker_locations({"x": {w: {"": row} for w, row in enumerate(table.tolist())}}, {"": 1.0})["x"].values()
    )


def _missed(estimates: NDArray[np.float64], level: float) -> float:
    found = [effects_of(row[:, None], blocks=0, level=level)[0] for row in estimates]
    return float(np.mean([not (effect.low or 0.0) <= 0 <= (effect.high or 0.0) for effect in found]))


if __name__ == "__main__":
    for name, kind in KINDS.items():
        for size in SIZES:
            row = compared(kind, *size, runs=2000)
            misses = " | ".join(f"{100 * was:.1f} -> {100 * by:.1f} %" for was, by in row.missed.values())
            print(f"| {name} | {size[0]} x {size[1]} | {misses} | {row.error:.2f} | {row.width:.2f} |", flush=True)  # noqa: T201  what it is for
