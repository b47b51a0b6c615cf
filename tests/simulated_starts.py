"""How often intervals of the number of requests after which a start is paid back hold it, by simulation:
`python -m tests.simulated_starts`.

Rounds of fresh processes give what is paid before, workers what each request wins; in the cases of one process, the same
workers give both, and share part of their noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.starts import even
from harness.statistics import repeat_effect

RUNS = 1000
UPFRONT_S, STEADY_S, SHARED_S = 0.006, 0.002, 0.001
"""Standard deviations between workers: of what is paid, of what a request wins, and of what both share in one process."""
CASES = {
    "clear": (0.04, -0.012, False), "near the noise": (0.008, -0.004, False), "wins, then loses": (-0.04, 0.012, False),
    "one process, clear": (0.04, -0.012, True), "one process, near the noise": (0.008, -0.004, True),
}  # fmt: skip
"""Name -> what is paid before, what a request changes, in seconds; and whether the same workers measured both."""
WORKERS = (3, 6, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of the runs that bound the number the share whose interval holds it; shares of all runs that bound it, and that tell it."""

    held: float
    bounded: float
    told: float
    width: float


def simulate(paid_s: float, won_s: float, same: bool, workers: int, runs: int = RUNS, seed: int = 11) -> Shares:  # noqa: FBT001  a column of CASES
    """Runs of one case. An interval that is bounded by nothing holds the number."""
    rng, truth = np.random.default_rng(seed), -paid_s / won_s
    found = []
    for _ in range(runs):
        shared = rng.normal(0, SHARED_S, workers) if same else np.zeros(workers)
        upfront = paid_s + rng.normal(0, UPFRONT_S, workers) + shared
        steady = won_s + rng.normal(0, STEADY_S, workers) + shared
        effects = [repeat_effect(list(values), level=0.95) for values in (upfront, steady)]
        assert effects[0] is not None
        assert effects[1] is not None
        covariance = float(np.cov(upfront, steady, ddof=1)[0, 1]) / workers if same else 0.0
        found.append(even(effects[0], effects[1], covariance=covariance, level=0.95))
    bounded = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
    return Shares(
        held=sum(low <= truth <= high for low, high in bounded) / max(1, len(bounded)),
        bounded=len(bounded) / runs,
        told=sum(one.requests is not None for one in found) / runs,
        width=float(np.median([high - low for low, high in bounded])) if bounded else float("nan"),
    )


def main() -> None:
    """Print the table of decision 31."""
    print("| paid before, won a request | workers | held | bounded | told | median width |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for name, (paid_s, won_s, same) in CASES.items():
        for workers in WORKERS:
            found = simulate(paid_s, won_s, same, workers)
            cells = (f"{1e3 * paid_s:+g} ms, {1e3 * won_s:+g} ms ({name})", str(workers), f"{100 * found.held:.1f} %",
                     f"{100 * found.bounded:.1f} %", f"{100 * found.told:.1f} %", f"{found.width:.1f} requests")  # fmt: skip
            print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
