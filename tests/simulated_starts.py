"""How often intervals of the number of requests after which a start is paid back hold it, by simulation:
`python -m tests.simulated_starts`.

Rounds of fresh processes give what is paid before, workers what each request wins; in the cases of one process, the same
workers give both, and share part of their noise. In the unequal ones only some of the workers that gave the latter gave the former.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.starts import covariance, even
from harness.statistics import repeat_effect

RUNS = 1000
UPFRONT_S, STEADY_S, SHARED_S = 0.006, 0.002, 0.001
"""Standard deviations between workers: of what is paid, of what a request wins, and of what both share in one process."""
EQUAL, UNEQUAL = ((3, 3), (6, 6), (10, 10)), ((3, 9), (6, 9))
"""How many workers measured what is paid, and how many what a request wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is paid before and what a request changes, in seconds; and whether the `same` workers measured both, with `SHARED_S`
    in both or with that correlation of their noise.
    """

    paid_s: float
    won_s: float
    same: bool = False
    correlation: float | None = None
    workers: tuple[tuple[int, int], ...] = EQUAL


def _unequal(paid_s: float, won_s: float, correlation: float) -> Case:
    return Case(paid_s=paid_s, won_s=won_s, same=True, correlation=correlation, workers=UNEQUAL)


CASES = {
    "clear": Case(paid_s=0.04, won_s=-0.012),
    "near the noise": Case(paid_s=0.008, won_s=-0.004),
    "wins, then loses": Case(paid_s=-0.04, won_s=0.012),
    "one process, clear": Case(paid_s=0.04, won_s=-0.012, same=True),
    "one process, near the noise": Case(paid_s=0.008, won_s=-0.004, same=True),
    "one process, correlation -0.8, clear": _unequal(0.04, -0.012, -0.8),
    "one process, correlation -0.8, near the noise": _unequal(0.008, -0.004, -0.8),
    "one process, correlation +0.8, clear": _unequal(0.04, -0.012, 0.8),
    "one process, correlation +0.8, near the noise": _unequal(0.008, -0.004, 0.8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of the runs that bound the number the share whose interval holds it; shares of all runs that bound it, and that tell it."""

    held: float
    bounded: float
    told: float
    width: float


def simulate(case: Case, built: int, measured: int, runs: int = RUNS, seed: int = 11) -> Shares:
    """Runs of one case, with so many workers that give what is paid and what a request wins. An interval that is bounded by nothing
    holds the number.
    """
    rng, truth = np.random.default_rng(seed), -case.paid_s / case.won_s
    found = []
    for _ in range(runs):
        upfront, steady = _drawn(rng, case, built, measured)
        effects = [repeat_effect(list(values), level=0.95) for values in (upfront, steady)]
        assert effects[0] is not None
        assert effects[1] is not None
        by_worker = [{number: float(value) for number, value in enumerate(values)} for values in (upfront, steady)]
        between = covariance(by_worker[0], by_worker[1]) if case.same else 0.0
        found.append(even(effects[0], effects[1], covariance=between, level=0.95))
    bounded = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
    return Shares(
        held=sum(low <= truth <= high for low, high in bounded) / max(1, len(bounded)),
        bounded=len(bounded) / runs,
        told=sum(one.requests is not None for one in found) / runs,
        width=float(np.median([high - low for low, high in bounded])) if bounded else float("nan"),
    )


def _drawn(
    rng: np.random.Generator, case: Case, built: int, measured: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each of the first `built` workers finds paid, and each of the `measured` won."""
    if case.correlation is not None:
        both, own = rng.normal(0, 1, (2, measured))
        apart = math.sqrt(1 - case.correlation**2)
        steady = case.won_s + STEADY_S * (case.correlation * both + apart * own)
        return case.paid_s + UPFRONT_S * both[:built], steady
    shared = rng.normal(0, SHARED_S, measured) if case.same else np.zeros(measured)
    upfront = case.paid_s + rng.normal(0, UPFRONT_S, built) + shared[:built]
    return upfront, case.won_s + rng.normal(0, STEADY_S, measured) + shared


def main() -> None:
    """Print the table of decision 31."""
    print("| paid before, won a request | workers | held | bounded | told | median width |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for name, case in CASES.items():
        for built, measured in case.workers:
            found = simulate(case, built, measured)
            workers = str(built) if built == measured else f"{built} of {measured}"
            cells = (f"{1e3 * case.paid_s:+g} ms, {1e3 * case.won_s:+g} ms ({name})", workers, f"{100 * found.held:.1f} %",
                     f"{100 * found.bounded:.1f} %", f"{100 * found.told:.1f} %", f"{found.width:.1f} requests")  # fmt: skip
            print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
