"""The log-ratio axis that plots of effects share: equal distances are equal factors."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from harness import units

_PERCENT_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


def ratio_axis(plot: Axes, low: float, high: float, words: units.Direction) -> None:
    """Ticks at round percentages, or at powers of two where the axis spans more than a factor of two."""
    if low < math.log(0.5) or high > math.log(2):
        powers = range(math.ceil(low / math.log(2)), math.floor(high / math.log(2)) + 1)
        labels = [_factor(p, words) for p in powers]
        plot.set_xticks([p * math.log(2) for p in powers], labels)
        return
    span = (math.exp(high) - math.exp(low)) * 100
    step = next((step for step in _PERCENT_STEPS if span / step <= 7), _PERCENT_STEPS[-1])  # noqa: PLR2004  # labels fit
    first, last = math.ceil(math.expm1(low) * 100 / step), math.floor(math.expm1(high) * 100 / step)
    decimals = max(0, -math.floor(math.log10(step)))
    shares = [n * step / 100 for n in range(first, last + 1)]
    plot.set_xticks([math.log1p(share) for share in shares], [units.signed_percent(s, decimals) for s in shares])


def _factor(power: int, words: units.Direction) -> str:
    if power == 0:
        return "no change"
    return f"{2 ** abs(power)}\u00d7 {words.below if power < 0 else words.above}"
