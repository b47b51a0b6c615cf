"""What a placebo does to verdicts, by simulation: `python -m tests.simulated_placebos`.

A run has workers whose reference, candidate and placebo are equally noisy. Something that is not the code may make both arms
slower than the reference by the same `bias`, which is what a placebo is there to find. Counted are verdicts by the rule (that of both
twins, `rules.verdict`), and by the one before, in which what the placebo leaves open lengthens the interval against the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness import rules, sequential

MARGIN = 0.01
WORKERS = 10
CONTROLS = 2
RUNS = 20_000

Log = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of runs: called slower, faster or no different, and whose placebo passed."""

    slower: float
    faster: float
    equal: float
    passed: float


def _intervals(estimates: Log, level: float) -> tuple[Log, Log]:
    """Student's t over the workers' estimates [runs, workers]."""
    half = special.stdtrit(WORKERS - 1, (1 + level) / 2) * estimates.std(axis=1, ddof=1) / math.sqrt(WORKERS)
    middle = estimates.mean(axis=1)
    return middle - half, middle + half


def simulate(
    effect: float, bias: float, noise: float, *, lengthened: bool = False, runs: int = RUNS, seed: int = 11
) -> Shares:
    """Shares of runs with a true log-ratio of `effect`; an estimate over all workers has standard error `noise`.

    By the rule, or by the one before: intervals `lengthened` by what the placebo leaves open.
    """
    rng = np.random.default_rng(seed)
    arms = rng.normal(0, noise * math.sqrt(WORKERS / 2), (3, runs, WORKERS))
    candidate, placebo = arms[1] - arms[0] + bias + effect, arms[2] - arms[0] + bias
    looks = len(sequential.LOOKS)
    level = 1 - rules.ERROR * sequential.part(looks - 1)
    of_placebo = _intervals(placebo, rules.control_level(CONTROLS))
    ends = zip(*_intervals(candidate, level), *_intervals(candidate - placebo, level), *of_placebo, strict=True)
    counts = {"slower": 0, "faster": 0, "no material difference": 0, "passed": 0, "inconclusive": 0}
    for low, high, twin_low, twin_high, placebo_low, placebo_high in ends:
        found = rules.placebo(placebo_low, placebo_high, MARGIN)
        if not found.passed:
            continue
        counts["passed"] += 1
        by = {"allowance": found.allowance} if lengthened else {"twin": (twin_low, twin_high)}
        counts[rules.verdict(low, high, MARGIN, rules.TIME, **by)[0]] += 1
    return Shares(
        slower=counts["slower"] / runs, faster=counts["faster"] / runs, equal=counts["no material difference"] / runs,
        passed=counts["passed"] / runs,
    )  # fmt: skip


NOISES = (0.001, 0.0015, 0.002, 0.003, 0.004)
CASES = (
    *((0.0, bias) for bias in (0.0, 0.0025, 0.005, 0.01, 0.015, 0.03)),
    *((0.01, bias) for bias in (0.0, 0.0025, 0.005, 0.01)),
    (0.02, 0.0),
    (0.05, 0.0),
)


def main() -> None:
    """Print the table: of each case and noise, called slower by the rule before and by this one; then the most called faster."""
    faster = 0.0
    print("| true effect | bias | " + " | ".join(f"noise {100 * noise:g} %" for noise in NOISES) + " |")  # noqa: T201
    for effect, bias in CASES:
        cells = []
        for noise in NOISES:
            before, ours = (simulate(math.log1p(effect), bias, noise, lengthened=rule) for rule in (True, False))
            faster = max(faster, before.faster, ours.faster)
            cells.append(f"{100 * before.slower:.1f} -> {100 * ours.slower:.1f} %")
        print(f"| {100 * effect:+g} % | {100 * bias:g} % | {' | '.join(cells)} |", flush=True)  # noqa: T201
    print(f"called faster in at most {100 * faster:.2f} % of the runs of any case")  # noqa: T201


if __name__ == "__main__":
    main()
