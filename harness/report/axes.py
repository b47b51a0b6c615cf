"""The log-ratio axis that plots of effects share: equal distances are equal factors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from harness import units
from harness.report.words import say

_PERCENT_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_SHARES = (-0.75, -0.5, -0.25, 0.0, 0.5, 1.0, 2.0, 3.0)
_FEW = 3
_FAR = 20.0
"""Log-ratios beyond this, a factor of half a billion, have no ticks."""


def ratio_axis(plot: Axes, low: float, high: float, parts: int = 7) -> None:
    """At most some `parts` ticks at round percentages, or at powers of two where the axis spans more than a factor of two."""
    if low < math.log(0.5) or high > math.log(2):
        powers = range(math.ceil(low / math.log(2)), math.floor(high / math.log(2)) + 1)
        every = 1 + len(powers) // 6
        powers = range(powers.start - powers.start % every, powers.stop, every)
        shown = [power for power in powers if low <= power * math.log(2) <= high]
        if len(shown) <= _FEW:
            shares = [share for share in _SHARES if low <= math.log1p(share) <= high]
            plot.set_xticks([math.log1p(share) for share in shares], [units.signed_percent(s, 0) for s in shares])
            return
        plot.set_xticks([p * math.log(2) for p in shown], [_factor(p) for p in shown])
        return
    shares, step = round_shares(low, high, _PERCENT_STEPS, parts)
    decimals = max(0, -math.floor(math.log10(step)))
    plot.set_xticks([math.log1p(share) for share in shares], [units.signed_percent(s, decimals) for s in shares])


def round_shares(low: float, high: float, steps: Sequence[float], parts: int) -> tuple[list[float], float]:
    """Round changes between two log-ratios, as shares, some `parts` of them at most, and the percentage between two of them.

    That is the first of `steps` that will do, or of an axis that is longer than these are for, a power of ten.
    """
    low, high = max(low, -_FAR), min(high, _FAR)
    span = 100 * (math.exp(high) - math.exp(low))
    step = next((step for step in steps if span / step <= parts), steps[-1])
    if span / step > 2 * parts:
        step = 10.0 ** math.ceil(math.log10(span / parts))
    first, last = math.ceil(100 * math.expm1(low) / step), math.floor(100 * math.expm1(high) / step)
    return [number * step / 100 for number in range(first, last + 1) if number * step > -100], step  # noqa: PLR2004  per cent


def _factor(power: int) -> str:
    """Equal distances are equal factors: "4×" is four times as much, "¼×" a quarter."""
    if power == 0:
        return say("no change")
    return f"{2**power}\u00d7" if power > 0 else f"1/{2**-power}\u00d7"
