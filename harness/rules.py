"""The rules that verdicts and controls are judged by: an interval against a margin. Pure numbers in, words out.

Whatever measures, be it a run, a gate or a test's pair of callables, is judged here (contract: docs/method.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.metrics import Metric
from harness.results import Verdict

ERROR = 0.05
"""Chance that the interval of a contrast misses the truth, whenever the run stops; its intervals by kind of request share
it. Also the share of verdicts that may be false on average, in each family of contrasts of a device."""
FAMILY_ERROR = 0.01
"""Chance that any control of a device fails in a run without fault, shared equally among its controls."""
DOSE_IN_MARGINS = 2.0
"""Length of a dose: this many times the margin of the median latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a ratio below 1 and one above 1 are called."""

    lower: Verdict
    higher: Verdict


TIME = Words(lower="faster", higher="slower")
MEMORY = Words(lower="less", higher="more")
RATE = Words(lower="slower", higher="faster")


def words_of(facts: Metric) -> Words:
    """How the sides of a metric are called."""
    if facts.is_memory:
        return MEMORY
    return RATE if facts.better == "higher" else TIME


def edges(margin: float) -> tuple[float, float]:
    """The log-ratios between which a difference does not matter."""
    return math.log1p(-margin), math.log1p(margin)


def verdict(low: float, high: float, margin: float, words: Words) -> tuple[Verdict, str]:
    """The verdict by the whole interval of log-ratios against the margin, and its reason where the figures do not say it."""
    below, above = edges(margin)
    if below <= low and high <= above:
        return "no material difference", ""
    if high < below:
        return words.lower, ""
    if low > above:
        return words.higher, ""
    return "inconclusive", "the interval reaches across the margin"


def control_level(controls: int) -> float:
    """The level of the interval of each of so many controls."""
    return 1 - FAMILY_ERROR / max(1, controls)


def placebo(low: float, high: float, bound: float) -> tuple[bool, str]:
    """Whether identical code, measured as this interval of log-ratios, lies wholly within ± `bound` (half the margin)."""
    below, above = edges(bound)
    passed = below <= low and high <= above
    if passed:
        return True, f"identical code measured {_percent(low, high)}, within half the margin (±{100 * bound:g} %)"
    if low > 0 or high < 0:
        return False, _told_apart(low, high)
    return (
        False,
        f"too noisy: identical code measured {_percent(low, high)}, more than half the margin (±{100 * bound:g} %)",
    )


def placebo_not_told_apart(low: float, high: float, of: str) -> tuple[bool, str]:
    """Whether two of identical code were not told apart, `of` being "processes" or "arms".

    The rule of a gate (docs/decisions/0014) and of joint designs (0025), whose verdicts rest on intervals that are narrow, or
    are none.
    """
    if low > 0 or high < 0:
        return False, _told_apart(low, high)
    return True, f"two {of} of identical code were not told apart: {_percent(low, high)}"


def dose(low_s: float, high_s: float, given_s: float) -> tuple[bool, str]:
    """Whether the interval of an added delay, in s, holds the delay that was given, and not zero."""
    interval = f"{1e3 * low_s:.3f} to {1e3 * high_s:.3f} ms"
    reason = f"an added delay of {1e3 * given_s:.3f} ms was measured as {interval}"
    return low_s <= given_s <= high_s and low_s > 0, reason


def _told_apart(low: float, high: float) -> str:
    interval = _percent(low, high)
    return f"identical code was told apart: {interval}; something other than the code differs between arms"


def _percent(low: float, high: float) -> str:
    return f"{100 * math.expm1(low):+.2f} to {100 * math.expm1(high):+.2f} %"
