"""How often an arm of identical code is refused on a device that does not repeat itself: `python -m tests.simulated_twins`.

Each output differs from the reference's by nothing, by its last bits, or in a stretch by 1e-5 to 5e-4 of full scale (as
seen on an H200 with CosyVoice2 at full size), this with a given probability. Shares by the rule of `harness/passes/examination.py`, and by
simpler ones.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from harness.equivalence import as_the_same_code
from harness.passes.examination import MORE_TWINS, ROUNDS

RUNS, ARMS, REQUESTS = 2000, 7, 2
HEARD = (1 / 32, 1 / 8, 1 / 2, 7 / 8)
"""Probabilities of a stretch."""
SMALLEST, LARGEST = 1e-5, 5e-4
"""Differences of stretches, uniform in their logarithm."""
PLANTED = (1, 2, 4)
"""What a toggle that changes the sound adds to every output's difference, as multiples of the largest stretch."""
FEWER = {
    "one twin": (0, 0, False),
    "three more, once": (MORE_TWINS, 1, False),
    "eight times": (MORE_TWINS, ROUNDS, False),
}
"""Simpler rules: further twins, how often each speaks, and whether arms do again."""


def drawn(rng: np.random.Generator, heard: float, count: int, planted: float = 0.0) -> list[float]:
    """Differences of `count` outputs from the reference's, of identical code unless something is `planted`."""
    logs = rng.uniform(np.log10(SMALLEST), np.log10(LARGEST), count)
    small = rng.choice([0.0, 2e-8], count)
    return list(np.where(rng.random(count) < heard, 10**logs, small) + planted)


def refused(
    rng: np.random.Generator,
    heard: float,
    more: int = MORE_TWINS,
    rounds: int = ROUNDS,
    *,
    arms_again: bool = True,
    arms: int = ARMS,
    planted: float = 0.0,
) -> bool:
    """Whether an arm is refused for any request."""
    said = {(arm, request): drawn(rng, heard, 1, planted) for arm in range(arms) for request in range(REQUESTS)}
    twins = [drawn(rng, heard, 1) for _ in range(REQUESTS)]
    heard_again: set[int] = set()
    for spoken in range(more + 1):
        late = _refused(said, twins)
        if arms_again and spoken and any(map(any, twins)):
            for arm, request in said:
                if arm in late - heard_again:
                    said[arm, request] += drawn(rng, heard, rounds, planted)
            heard_again |= late
            late = _refused(said, twins)
        if not late:
            return False
        if spoken < more:
            twins = [one + drawn(rng, heard, rounds) for one in twins]
    return True


def _refused(said: Mapping[tuple[int, int], list[float]], twins: list[list[float]]) -> set[int]:
    """Arms that are refused so far; of a reference that repeats itself each that differs at all."""
    steady = not any(map(any, twins))
    return {
        arm
        for (arm, request), outputs in said.items()
        if any(outputs) and (steady or not as_the_same_code(outputs, twins[request], sound=True))
    }


def main() -> None:
    rng = np.random.default_rng(0)
    sys.stdout.write(
        f"{RUNS} runs of {ARMS} identical arms and {REQUESTS} requests: share in which any arm is refused\n"
    )
    for heard in HEARD:
        told = [
            f"{name} {np.mean([refused(rng, heard, more, rounds, arms_again=again) for _ in range(RUNS)]):.1%}"
            for name, (more, rounds, again) in FEWER.items()
        ]
        told.append(f"the rule {np.mean([refused(rng, heard) for _ in range(RUNS)]):.2%}")
        told += [
            f"of one arm that adds {times} times the largest "
            f"{np.mean([refused(rng, heard, arms=1, planted=times * LARGEST) for _ in range(RUNS)]):.1%}"
            for times in PLANTED
        ]
        sys.stdout.write(f"  a stretch in {heard:.3g} of the outputs: {', '.join(told)}\n")


if __name__ == "__main__":
    main()
