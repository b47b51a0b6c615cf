"""When a run may look at its figures, and what looking costs.

A run looks a few times, at fixed shares of its budget, and stops measuring what is decided. Whoever looks often enough sees
anything once: so each look has a part of the error alone, and the parts add up to the whole (the union bound), whatever
the looks have in common. That is alpha spending (Lan and DeMets, 1983) with the spending function error * share^2 of Kim
and DeMets (1987), which keeps most for the last look. At each look the unit is the worker process: an interval of its own
(`statistics.joint_effects`), Student's t over the workers' estimates, which stays valid where workers did unequal work
(Ibragimov and Mueller, 2010). Between looks nothing is concluded, so that the interval of a contrast at the look at which
it was decided, or at the last one, holds the truth with the probability that it states.

Over the many contrasts of a run the share of false ones among the verdicts is held by the step-up rule of Benjamini and
Hochberg (1995); the interval that a verdict rests on is then that of Benjamini and Yekutieli (2005).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.statistics import Effect

LOOKS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of the budget at which a run looks."""
_POWER = 2.0


def part(look: int, looks: Sequence[float] = LOOKS) -> float:
    """The part of the error that look number `look`, counted from 0, may spend; the parts of all looks add up to 1."""
    before = looks[look - 1] if look else 0.0
    return float((looks[look] ** _POWER - before**_POWER) / looks[-1] ** _POWER)


def smallest_error(effect: Effect, below: float, above: float, allowance: float = 0.0) -> float:
    """The smallest error at which the interval of `effect` lies wholly below `below`, above `above`, or between them.

    Two-sided, like the interval; 1 where there is no interval. An effect on an edge can be told to neither side; only where
    both edges are one, an exact effect may lie on it. The interval must lie so much farther as `allowance` says.
    """
    from scipy import special

    if effect.standard_error is None or effect.freedom is None:
        return 1.0
    beyond, within = (
        max(effect.location - above, below - effect.location),
        min(above - effect.location, effect.location - below),
    )
    distance = max(beyond, within) - allowance
    if effect.standard_error == 0:
        return 0.0 if distance > 0 or (below == effect.location == above and not allowance) else 1.0
    return 2.0 * float(special.stdtr(effect.freedom, -max(0.0, distance) / effect.standard_error))


def allowed_error(errors: Sequence[float], rate: float) -> float:
    """The largest error at which a verdict may stand, so that at most a share `rate` of all verdicts is false on average.

    `errors` are the smallest errors of a family of contrasts (Benjamini and Hochberg, 1995; holds for independent ones and
    for ones that rise together, as those that share a reference do). 0 where none may stand.
    """
    for rank, error in reversed(list(enumerate(sorted(errors), start=1))):
        if error <= rate * rank / len(errors):
            return rate * rank / len(errors)
    return 0.0


def shares_left(spent: float, budget: float, looks: Sequence[float] = LOOKS) -> list[tuple[int, float]]:
    """Looks still to come after `spent` of `budget`, as (number, when), both in the unit of `budget`."""
    return [(number, share * budget) for number, share in enumerate(looks) if share * budget > spent + math.ulp(budget)]
