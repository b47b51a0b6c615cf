"""How often intervals miss the truth, by simulation: `python -m tests.simulated_noise` prints the table of decision 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics import Effect, joint_effects


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Variances of the noise between workers, of the reference and of each arm; none of the arms has an effect.

    `allowed` is the largest share of misses of any kind of arm that the quick test lets pass.
    """

    name: str
    workers: int
    reference: float
    arms: tuple[float, ...]
    heavy: bool = False
    level: float = 0.95
    allowed: float = 0.075


CASES = (
    *(Case(name=f"equal noise, {w} workers", workers=w, reference=1, arms=(1,) * 7) for w in (2, 3, 6, 10)),
    Case(name="equal noise, 6 workers, heavy tails", workers=6, reference=1, arms=(1,) * 7, heavy=True),
    *(Case(name=f"noisy reference, {w} workers", workers=w, reference=4, arms=(1,) * 7) for w in (2, 3, 6, 10)),
    Case(name="noisy reference, 6 workers, heavy tails", workers=6, reference=4, arms=(1,) * 7, heavy=True),
    Case(name="noisy reference, two arms", workers=6, reference=1, arms=(0.1, 0.1)),
    Case(name="noisy reference and placebo", workers=10, reference=1, arms=(0.1, 0.1, 1)),
    Case(
        name="control among calmer arms, 99.8 %", workers=10, reference=1, arms=(0.1, 0.1, 1), level=0.998, allowed=0.01
    ),
    *(Case(name=f"one noisy arm, {w} workers", workers=w, reference=1, arms=(3, *(1,) * 7)) for w in (3, 6, 10)),
    *(
        Case(name=f"one very noisy arm, {w} workers", workers=w, reference=1, arms=(9, *(1,) * 7), allowed=0.11)
        for w in (2, 3, 4)
    ),
    Case(name="one very noisy arm, 6 workers", workers=6, reference=1, arms=(9, *(1,) * 7), allowed=0.085),
)


def missed(case: Case, runs: int, seed: int = 2) -> list[float]:
    """The share of runs whose interval misses the truth, for each different variance among the arms."""
    found = simulated(case, runs, seed)
    arms = np.array([[not (effect.low or 0.0) <= 0 <= (effect.high or 0.0) for effect in run] for run in found])
    return [float(arms[:, np.array(case.arms) == variance].mean()) for variance in dict.fromkeys(case.arms)]


def width(case: Case, runs: int, seed: int = 3) -> float:
    """How wide intervals are on average, relative to those of each arm by its own spread alone."""
    found = simulated(case, runs, seed)
    together = sum((effect.high or 0.0) - (effect.low or 0.0) for run in found for effect in run)
    return together / sum((effect.high or 0.0) - (effect.low or 0.0) for effect in alone(case, runs, seed))


def simulated(case: Case, runs: int, seed: int) -> list[list[Effect]]:
    """The effects of the arms, in order, in each of `runs`."""
    return [_effects(table, case.level) for table in _tables(case, runs, seed)]


def alone(case: Case, runs: int, seed: int) -> list[Effect]:
    """The same effects, each estimated as if its arm were the only one."""
    tables = _tables(case, runs, seed)
    return [_effects(table[:, [arm]], case.level)[0] for table in tables for arm in range(len(case.arms))]


def _tables(case: Case, runs: int, seed: int) -> list[NDArray[np.float64]]:
    """Differences from the reference as [workers, arms], for each run."""
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> NDArray[np.float64]:
        return rng.standard_t(4, shape) / math.sqrt(2) if case.heavy else rng.normal(size=shape)

    return [
        draw((case.workers, len(case.arms))) * np.sqrt(case.arms) - draw((case.workers, 1)) * math.sqrt(case.reference)
        for _ in range(runs)
    ]


def _effects(table: NDArray[np.float64], level: float) -> list[Effect]:
    arms = {
        str(arm): {worker: {"": [value]} for worker, value in enumerate(column)}
        for arm, column in enumerate(table.T.tolist())
    }
    return list(joint_effects(arms, {"": 1.0}, level=level).values())


if __name__ == "__main__":
    for chosen in CASES:
        shares = " and ".join(f"{100 * share:.1f} %" for share in missed(chosen, 4000))
        print(f"| {chosen.name} | {shares} | {width(chosen, 1000):.2f} |", flush=True)  # noqa: T201  what it is for
