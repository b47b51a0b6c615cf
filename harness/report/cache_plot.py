"""What a cache changes of a request, over the hit rate."""

from __future__ import annotations

from harness import units
from harness.report import canvas
from harness.report.caches import CacheRow
from harness.report.canvas import FONT_PT

_HEIGHT_PT = 250.0


def curve(row: CacheRow, device: str) -> str:
    """The change in seconds with its band; the break-even rate with its interval, and the workload's own rate."""
    effect = row.effect
    drawn = canvas.figure(_HEIGHT_PT)
    plot = canvas.axes(drawn, left=90, right=30, top=14, bottom=48)
    rates = [100 * found.rate for found in effect.at]
    plot.set_xlim(0, 100)
    plot.axhline(0, color=canvas.RULE, lw=1, zorder=0)
    if effect.break_even_low is not None and effect.break_even_high is not None:
        plot.axvspan(100 * effect.break_even_low, 100 * effect.break_even_high, color=canvas.BAND, lw=0, zorder=0)
    banded = [found for found in effect.at if found.low_s is not None and found.high_s is not None]
    if banded:
        plot.fill_between([100 * f.rate for f in banded], [f.low_s or 0.0 for f in banded], [f.high_s or 0.0 for f in banded],
                          color=canvas.ACCENT, alpha=0.25, lw=0, zorder=1)  # fmt: skip
    plot.plot(rates, [found.change_s for found in effect.at], color=canvas.ACCENT, lw=2, zorder=2)
    stated = next(found for found in effect.at if found.rate == effect.stated_rate)
    plot.plot([100 * stated.rate], [stated.change_s], marker="o", ms=8, color=canvas.INK, zorder=3, clip_on=False)
    if effect.break_even is not None:
        plot.plot([100 * effect.break_even], [0], marker="D", ms=8, color=canvas.ACCENT, zorder=3)
    plot.set_xticks([0, 25, 50, 75, 100], [units.percent(rate / 100, 0) for rate in (0, 25, 50, 75, 100)])
    plot.yaxis.set_major_formatter(lambda value, _: units.signed_seconds(value, 2))
    plot.set_xlabel("requests that find their entry", color=canvas.MUTED, size=FONT_PT - 1)
    return canvas.svg(drawn, f"{row.title}: change of a request over the hit rate, on {device}")
