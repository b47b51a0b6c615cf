"""What a toggle changes, over a length or the requests at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from harness import units
from harness.report import canvas
from harness.report.axes import round_shares
from harness.report.canvas import FONT_PT
from harness.report.curves import CurveRow, short, value
from harness.report.rows import TONES
from harness.report.words import say
from harness.results import AtLength, EffectCurve

_HEIGHT_PT = 290.0
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_TICKS = 6
_COLOURS = {
    "good": canvas.GOOD,
    "bad": canvas.BAD,
    "level": canvas.BEFORE,
    "open": canvas.OPEN,
    "invalid": canvas.SURFACE,
}
_TEN = 10
_PAD = 0.02
"""Room beside the ends of the axis, as a share of its length."""


def curve(row: CurveRow, device: str) -> str:
    """The change with its band against the margin; what was measured; where a crossing is told; at the foot the verdicts."""
    found = row.curve
    drawn = canvas.figure(_HEIGHT_PT)
    plot = canvas.axes(drawn, left=90, right=40, top=14, bottom=64)
    plot.set_xscale("log")
    first, last = found.points[0].at, found.points[-1].at
    pad = (last / first) ** _PAD
    plot.set_xlim(first / pad, last * pad)
    low, high = _reach(found)
    plot.set_ylim(low, high)
    plot.axhspan(math.log1p(-found.margin), math.log1p(found.margin), color=canvas.BAND, lw=0, zorder=0)
    plot.axhline(0, color=canvas.RULE, lw=1, zorder=0)
    _line(plot, found.points)
    _measured(plot, found)
    _crossings(plot, found)
    _stretches(plot, found, low)
    _ticks(plot, found, low, high)
    plot.set_xlabel(row.axis, color=canvas.MUTED, size=FONT_PT - 1, labelpad=10)
    return canvas.svg(drawn, say("{title}: {metric} over {axis}, on {device}", title=row.title, metric=row.metric.lower(),
                                 axis=row.axis.lower(), device=device))  # fmt: skip


def _line(plot: Axes, points: Sequence[AtLength]) -> None:
    at = [point.at for point in points]
    banded = [(point.at, math.log(point.low), math.log(point.high)) for point in points if point.low and point.high]
    if banded:
        ats, lows, highs = zip(*banded, strict=True)
        plot.fill_between(ats, lows, highs, color=canvas.ACCENT, alpha=0.22, lw=0, zorder=1)
    plot.plot(at, [math.log(point.ratio) for point in points], color=canvas.ACCENT, lw=2, zorder=2)


def _measured(plot: Axes, found: EffectCurve) -> None:
    for point in found.measured:
        if point.low and point.high:
            plot.plot(
                [point.at] * 2,
                [math.log(point.low), math.log(point.high)],
                color=canvas.INK,
                lw=1.4,
                zorder=3,
            )
        (dot,) = plot.plot(
            [point.at], [math.log(point.ratio)], marker="o", ms=7, color=canvas.INK, zorder=4, clip_on=False
        )
        canvas.tip(dot, f"{value(found.axis, point.at)}: {units.signed_percent(point.ratio - 1, 1)}")


def _crossings(plot: Axes, found: EffectCurve) -> None:
    """A diamond where the sign changes, with its interval; the interval alone where the curve itself crosses more than once."""
    for crossing in found.crossings:
        if crossing.edge == "zero" and crossing.told and crossing.low and crossing.high:
            plot.plot(
                [crossing.low, crossing.high], [0, 0], color=canvas.ACCENT, lw=5, solid_capstyle="round", zorder=3
            )
        if crossing.edge == "zero" and crossing.told and crossing.at:
            plot.plot([crossing.at], [0], marker="D", ms=9, color=canvas.ACCENT, mec=canvas.SURFACE, mew=1, zorder=5)


def _stretches(plot: Axes, found: EffectCurve, foot: float) -> None:
    """The verdicts as a bar along the axis, each as far as halfway to the next."""
    ends = [found.points[0].at]
    for one, other in zip(found.stretches, found.stretches[1:], strict=False):
        ends.append(math.sqrt(one.end * other.start))
    ends.append(found.points[-1].at)
    for stretch, start, end in zip(found.stretches, ends, ends[1:], strict=False):
        (bar,) = plot.plot([start, end], [foot, foot], color=_COLOURS[TONES[stretch.verdict]], lw=9, solid_capstyle="butt",
                           zorder=6, clip_on=False)  # fmt: skip
        first, last = short(found.axis, stretch.start, up=True), short(found.axis, stretch.end, up=False)
        canvas.tip(bar, f"{first} \u2013 {last}: {say(stretch.verdict)}")


def _reach(found: EffectCurve) -> tuple[float, float]:
    """What the axis of changes shows: the band, or where that is very wide, some times what the curve and what was measured reach."""
    inner = [math.log(point.ratio) for point in (*found.points, *found.measured)]
    inner += [math.log1p(-found.margin), math.log1p(found.margin), 0.0]
    span = max(inner) - min(inner)
    ends = [math.log(end) for point in (*found.points, *found.measured) for end in (point.low, point.high) if end]
    low = max(min([*ends, *inner]), min(inner) - 2 * span)
    high = min(max([*ends, *inner]), max(inner) + 2 * span)
    return low - 0.12 * (high - low), high + 0.06 * (high - low)


def _ticks(plot: Axes, found: EffectCurve, low: float, high: float) -> None:
    shares, step = round_shares(low, high, _STEPS, _TICKS)
    decimals = max(0, -math.floor(math.log10(step)))
    plot.set_yticks(
        [math.log1p(share) for share in shares], [units.signed_percent(share, decimals) for share in shares]
    )
    at = (
        [point.at for point in found.measured]
        if len(found.measured) <= _TEN
        else [found.points[0].at, found.points[-1].at]
    )
    plot.set_xticks(at, [short(found.axis, one) for one in at])
    plot.xaxis.set_minor_locator(NullLocator())
    plot.tick_params(axis="x", pad=8)
