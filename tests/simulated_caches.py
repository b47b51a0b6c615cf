"""How often intervals of the break-even hit rate hold it, by simulation: `python -m tests.simulated_caches`.

Workers of a run share part of their noise. Hits and misses of the first arm change by what is planted; two other arms change
nothing, and lend their noise where workers are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.caches import Kinds, break_even

RUNS = 2000
NOISE_S = 0.01
CASES = {"clear": (-0.1, 0.05), "even": (-0.03, 0.03), "near 0": (-0.05, 0.005), "near the noise": (-0.01, 0.01)}
"""Name -> what a hit and a miss change, in seconds."""
WORKERS = (3, 6, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of runs whose interval holds the rate; that answer with a rate at all; and the median width of intervals."""

    held: float
    answered: float
    width: float


def simulate(hit: float, miss: float, workers: int, runs: int = RUNS, seed: int = 7) -> Shares:
    """Runs of one case."""
    rng = np.random.default_rng(seed)
    truth = miss / (miss - hit)
    found = [break_even(_kinds(rng, hit, miss, workers), blocks=60, level=0.95) for _ in range(runs)]
    ends = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
    return Shares(
        held=sum(low <= truth <= high for low, high in ends) / runs,
        answered=sum(one.rate is not None for one in found) / runs,
        width=float(np.median([high - low for low, high in ends])),
    )


def _kinds(rng: np.random.Generator, hit: float, miss: float, workers: int) -> Kinds:
    shared = rng.normal(0, NOISE_S, (workers, 1))
    hits, misses = (rng.normal(0, NOISE_S, (workers, 3)) + shared for _ in range(2))
    hits[:, 0] += hit
    misses[:, 0] += miss
    return Kinds(hits=hits, misses=misses)


def main() -> None:
    """Print the table of decision 29."""
    print("| hit, miss | workers | held | a rate is told | median width |")  # noqa: T201
    print("|---|---|---|---|---|")  # noqa: T201
    for name, (hit, miss) in CASES.items():
        for workers in WORKERS:
            found = simulate(hit, miss, workers)
            cells = (f"{1e3 * hit:+g} ms, {1e3 * miss:+g} ms ({name})", str(workers), f"{100 * found.held:.1f} %",
                     f"{100 * found.answered:.1f} %", f"{100 * found.width:.1f} points")  # fmt: skip
            print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
