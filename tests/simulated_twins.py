"""How often an arm of identical code is refused on a device that does not repeat itself: `python -m tests.simulated_twins`.

Each output differs from the reference's by nothing, by its last bits, or in a stretch by 1e-5 to 5e-4 of full scale (as
seen on an H200 with CosyVoice2 at full size), this with a given probability. Shares by the rule of `harness/passes/examination.py`, and by
simpler ones.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from harness.equivalence import TOLERANCE, accepted
from harness.optimizations.registry import BITWISE
from harness.passes import examination
from harness.passes.examination import MORE_TWINS, ROUNDS
from harness.results import Grade

RUNS, ARMS, REQUESTS = 2000, 7, 2
HEARD = (1 / 32, 1 / 8, 1 / 2, 7 / 8)
"""Probabilities of a stretch."""
DB = 3.5
"""Log-mel distance of such a stretch, in dB, for each unit of its difference: 0.0004 dB at 1.1e-4."""


PLANTED = 2e-3
"""What a toggle that changes the sound adds to every output's difference: four times the largest stretch."""


def drawn(rng: np.random.Generator, heard: float, count: int, planted: float = 0.0) -> list[tuple[Grade, float | None]]:
    """What `count` outputs are graded, of identical code unless something is `planted`."""
    found: list[tuple[Grade, float | None]] = []
    for kind in rng.random(count):
        difference = float(10 ** rng.uniform(-5, np.log10(5e-4))) if kind < heard else float(rng.choice([0.0, 2e-8]))
        difference += planted
        if difference > TOLERANCE:
            found.append(("spectral", DB * difference * float(rng.lognormal(0, 0.2))))
        else:
            found.append(("tolerance", difference) if difference else ("bitwise", 0.0))
    return found


def refused(
    rng: np.random.Generator,
    heard: float,
    more: int,
    rounds: int,
    *,
    arms_again: bool,
    arms: int = ARMS,
    planted: float = 0.0,
) -> bool:
    """Whether an arm is refused for any request."""
    said = {(arm, request): drawn(rng, heard, 1, planted) for arm in range(arms) for request in range(REQUESTS)}
    twins = [drawn(rng, heard, 1) for _ in range(REQUESTS)]
    heard_again: set[int] = set()
    for spoken in range(more + 1):
        own = examination._Own({str(request): max(one, key=examination._badness) for request, one in enumerate(twins)})
        late = _refused(said, own)
        if arms_again and not own.repeats:
            for arm, request in said:
                if arm in late - heard_again:
                    said[arm, request] += drawn(rng, heard, rounds, planted)
            heard_again |= late
            late = _refused(said, own)
        if not late:
            return False
        if spoken < more:
            twins = [one + drawn(rng, heard, rounds) for one in twins]
    return True


def _refused(said: Mapping[tuple[int, int], list[tuple[Grade, float | None]]], own: examination._Own) -> set[int]:
    return {
        arm
        for (arm, request), outputs in said.items()
        if not accepted(*examination._middle(outputs), own.allows(BITWISE, str(request), sound=True))
    }


def main() -> None:
    rng = np.random.default_rng(0)
    rules = {"one twin": (0, 0, False), "3 more, once": (MORE_TWINS, 1, False), "3 more, 8 times": (MORE_TWINS, ROUNDS, False),
             "the rule": (MORE_TWINS, ROUNDS, True)}  # fmt: skip
    sys.stdout.write(
        f"{RUNS} runs of {ARMS} identical arms and {REQUESTS} requests; share in which any arm is refused\n"
    )
    for heard in HEARD:
        told = []
        for name, (more, rounds, arms_again) in rules.items():
            found = [refused(rng, heard, more, rounds, arms_again=arms_again) for _ in range(RUNS)]
            told.append(f"{name} {np.mean(found):.1%}")
        changed = [
            refused(rng, heard, MORE_TWINS, ROUNDS, arms_again=True, arms=1, planted=PLANTED) for _ in range(RUNS)
        ]
        told.append(f"and by it one arm that adds {PLANTED:g} to every output {np.mean(changed):.1%}")
        sys.stdout.write(f"  a stretch in {heard:.3g} of the outputs: {', '.join(told)}\n")


if __name__ == "__main__":
    main()
