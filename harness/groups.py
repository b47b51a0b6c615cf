"""How a gate divides its budget among groups of fresh processes: those that measure, and further ones that confirm a regression.

What processes of the same code differ by goes away with more groups, not with longer ones; but each has to start, which is not
in the budget. So a group measures no longer than it took to start, where that leaves enough of them (docs/decisions/0014).
"""

from __future__ import annotations

LEAST = 24
"""Groups that a gate measures with, at least, whatever they take to start."""
LEAST_FURTHER = 4
"""Groups that confirm a regression, at least."""
FOR_CONFIRMATION = 0.2
"""Share of the budget that is kept for confirming a regression."""
SHORTEST_S = 2.0
"""No group measures for less because it started fast: its processes have a few requests in which they are not level yet."""


def part_s(for_all_s: float, least: int, start_s: float) -> float:
    """How many of `for_all_s` seconds of measuring a group gets that took `start_s` to start: so few that there are `least` groups."""
    return min(for_all_s / least, max(SHORTEST_S, start_s))
