"""What a gate says against stored runs where the machine moves: `python -m tests.simulated_baselines` prints decision 17's table."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from harness import gate, unpaired
from harness.metrics import metric
from harness.statistics import unpaired_effect
from tests.report.sample_gates import contrast

LIMIT = 0.01
WORKERS, OF_WORKERS = 6, 0.005
"""Workers of every run, and the standard deviation of the log of their times within a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """So many stored runs of a machine whose runs lie apart by a standard deviation of `shift`, in logs.

    `alone` leaves the rule for a single stored run out: what the interval across workers would say by itself.
    """

    stored: int
    shift: float
    alone: bool = False

    @property
    def name(self) -> str:
        runs = "one stored run" if self.stored == 1 else f"{self.stored} stored runs"
        return f"{runs}{', the interval across workers alone' if self.alone else ''}"


CASES = tuple(
    Case(stored=stored, shift=shift, alone=alone)
    for stored, alone in ((1, True), (1, False), (3, False), (5, False), (10, False))
    for shift in (0.0, 0.005, 0.02, 0.05)
)


def outcomes(case: Case, change: float, runs: int, seed: int = 17) -> Counter[str]:
    """How often each outcome of one limit comes of code that is slower by `change`."""
    rng = np.random.default_rng(seed)

    def run(centre: float) -> list[float]:
        return [float(value) for value in centre + rng.normal(0.0, OF_WORKERS, WORKERS)]

    found: Counter[str] = Counter()
    for _ in range(runs):
        stored = [run(rng.normal(0.0, case.shift)) for _ in range(case.stored)]
        centre = math.log1p(change) + rng.normal(0.0, case.shift)
        found[_outcome(case, stored, run(centre), run(centre))] += 1
    return found


def _outcome(case: Case, stored: list[list[float]], now: list[float], again: list[float]) -> str:
    effect = unpaired_effect(stored, now)
    if effect is None or effect.low is None or effect.high is None:
        message = "every run has workers"
        raise RuntimeError(message)
    single = case.stored == 1 and not case.alone
    verdict, reason = unpaired._verdict(effect, metric("latency"), LIMIT, single=single)
    ends = math.exp(effect.location), math.exp(effect.low), math.exp(effect.high)
    outcome, _ = gate._by_interval(contrast("none", "latency", ends, verdict, reason=reason), *ends[1:], LIMIT)
    second = unpaired_effect(stored, again)
    confirmed = second is not None and second.location > math.log1p(LIMIT)
    return "inconclusive" if outcome == "regressed" and not confirmed else outcome


def row(case: Case, runs: int) -> str:
    """A row of the table: of equal code, what regressed; of slower code, what passed and what regressed."""
    equal, slower, much = (outcomes(case, change, runs) for change in (0.0, 0.05, 0.2))
    held = equal["pass"] + equal["improved"]
    wrong = slower["pass"] + slower["improved"]
    figures = (equal["regressed"], held, wrong, slower["regressed"], much["regressed"])
    told = " | ".join(f"{100 * count / runs:.1f} %" for count in figures)
    return f"| {case.name} | {100 * case.shift:g} % | {told} |"


if __name__ == "__main__":
    for chosen in CASES:
        print(row(chosen, 2000), flush=True)  # noqa: T201  what it is for
