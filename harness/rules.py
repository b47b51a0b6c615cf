"""The rules that verdicts and controls are judged by: an interval against a margin. Pure numbers in, words out.

Whatever measures, be it a run, a gate or a test's pair of callables, is judged here (contract: docs/method.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.metrics import Metric
from harness.results import Verdict
from harness.statistics import change_of, ratio_of

FROM_FIGURES: tuple[Verdict, ...] = ("faster", "slower", "less", "more", "no material difference")
"""Verdicts that rest on an interval."""
ERROR = 0.05
"""Chance that the interval of a contrast misses the truth, whenever the run stops; its intervals by kind of request share
it. Also the share of verdicts that may be false on average, in each family of contrasts of a device."""
FAMILY_ERROR = 0.01
"""Chance that any control of a device fails in a run without fault, shared equally among its controls."""
_IN_TIMES = 10.0
"""A ratio beyond it is told in times, not in per cent."""
DOSE_IN_MARGINS = 2.0
"""Length of a dose: this many times the margin of the median latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a ratio below 1 and one above 1 are called."""

    lower: Verdict
    higher: Verdict


IDLE: tuple[Verdict, ...] = ("inert", "already present", "not applicable")
"""The verdicts on a toggle whose figures are of something else: it changed nothing here."""
GAINS, LOSSES = frozenset(("faster", "less")), frozenset(("slower", "more"))
"""The verdicts that a change is for the better, and for the worse, whatever the metric."""
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


Ends = tuple[float, float]
"""The ends of an interval of log-ratios."""


def verdict(
    low: float, high: float, margin: float, words: Words, *, twin: Ends | None = None, allowance: float = 0.0
) -> tuple[Verdict, str]:
    """The verdict by the whole interval of log-ratios against the margin, and its reason where the figures do not say it.

    `twin` is the interval of the same arm against the reference's twin, where that stood in the same blocks: a verdict has to be that
    of both (docs/decisions/0034-against-either-twin.md). `allowance` is what the placebo leaves open (`Placebo`), where its blocks
    are others: the interval is that much longer at either end.
    """
    found = _by_interval(low - allowance, high + allowance, margin, words)
    if found != "inconclusive":
        if twin is None or _by_interval(*twin, margin, words) == found:
            return found, ""
        return (
            "inconclusive",
            f"the interval alone would decide, but against the reference's twin it is {_percent(*twin)}",
        )
    if allowance and _by_interval(low, high, margin, words) != "inconclusive":
        return (
            found,
            f"the interval alone would decide, but the placebo leaves {100 * change_of(allowance):.2g} % open",
        )
    return found, "the interval reaches across the margin"


def _by_interval(low: float, high: float, margin: float, words: Words) -> Verdict:
    below, above = edges(margin)
    if below <= low and high <= above:
        return "no material difference"
    if high < below:
        return words.lower
    return words.higher if low > above else "inconclusive"


def control_level(controls: int) -> float:
    """The level of the interval of each of so many controls."""
    return 1 - FAMILY_ERROR / max(1, controls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebo:
    """What a placebo says of a run. `allowance` is a log-ratio: how much more than half the margin it leaves open, which
    verdicts that cannot be formed against it as well allow for (docs/decisions/0026-what-a-placebo-leaves-open.md).
    """

    passed: bool
    reason: str
    allowance: float = 0.0


def placebo(low: float, high: float, margin: float) -> Placebo:
    """What identical code, measured as this interval of log-ratios, says of a run with this `margin`.

    Within half the margin it passes. Beyond that it passes with an allowance, unless it was told apart. How noisy a run may
    be is not its to say but the dose's, which has to be told from nothing, and that of the verdicts, which it has to bear out.
    """
    measured = f"identical code measured {_percent(low, high)}"
    half = f"half the margin (±{100 * margin / 2:g} %)"
    excess = left_open(low, high, margin)
    if not excess:
        return Placebo(passed=True, reason=f"{measured}, within {half}")
    if low > 0 or high < 0:
        return Placebo(passed=False, reason=_told_apart(low, high), allowance=excess)
    beyond = max(-change_of(low), change_of(high)) - margin / 2
    told = f"{measured}, {100 * beyond:.2g} % beyond {half}: verdicts have to allow for it"
    return Placebo(passed=True, reason=told, allowance=excess)


def left_open(low: float, high: float, margin: float) -> float:
    """How far an interval of a placebo reaches beyond half the margin, as a log-ratio; 0 where it lies within."""
    below, above = edges(margin / 2)
    return max(below - low, high - above, 0.0)


def placebo_not_told_apart(low: float, high: float, of: str) -> Placebo:
    """Whether two of identical code were not told apart, `of` being "processes" or "arms".

    The rule of a gate (docs/decisions/0014) and of joint designs (0025), whose verdicts rest on intervals that are narrow, or
    are none.
    """
    if low > 0 or high < 0:
        return Placebo(passed=False, reason=_told_apart(low, high))
    return Placebo(passed=True, reason=f"two {of} of identical code were not told apart: {_percent(low, high)}")


def dose(low_s: float, high_s: float, given_s: float) -> tuple[bool, str]:
    """Whether the interval of an added delay, in s, holds the delay that was given, and not zero."""
    interval = f"{1e3 * low_s:.3f} to {1e3 * high_s:.3f} ms"
    reason = f"an added delay of {1e3 * given_s:.3f} ms was measured as {interval}"
    return low_s <= given_s <= high_s and low_s > 0, reason


def _told_apart(low: float, high: float) -> str:
    interval = _percent(low, high)
    return f"identical code was told apart: {interval}; something other than the code differs between arms"


def _percent(low: float, high: float) -> str:
    if high > math.log(_IN_TIMES):
        return f"{100 * change_of(low):+.2f} % to {ratio_of(high):.2g} times as much"
    return f"{100 * change_of(low):+.2f} to {100 * change_of(high):+.2f} %"
