"""The plot of time against peak: a panel for each concurrency, all on one scale of time, each on its own of memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from harness import units
from harness.report import canvas
from harness.report.axes import round_shares
from harness.report.canvas import FONT_PT
from harness.report.labels import clipped
from harness.report.model import Frontier, Panel, Point

_HEIGHT_PT = 236.0
_LABELS_PT = 160.0
_LONGEST_LABEL = 22
_COLUMNS = 2
_LEFT_PT, _TOP_PT, _BOTTOM_PT, _GAP_PT = 62.0, 30.0, 44.0, 14.0
_LINE_PT = 14.0
_PERCENT_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000)
_TICKS = 5


def drawable(entry: Frontier) -> bool:
    """Whether there is anything to see: two points with both figures, in some panel."""
    return any(len(_placed(panel)) > 1 for panel in entry.panels)


def draw(entry: Frontier, device: str) -> str:
    """The frontier of one toggle as an SVG document."""
    panels = [panel for panel in entry.panels if len(_placed(panel)) > 1]
    columns = min(_COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    drawn = canvas.figure(_HEIGHT_PT * lines)
    width = (canvas.WIDTH_PT - _LEFT_PT - _GAP_PT * (columns - 1)) / columns - _LABELS_PT
    low, high = _reach([point for panel in panels for point in _placed(panel)])
    for number, panel in enumerate(panels):
        line, column = divmod(number, columns)
        left = _LEFT_PT + column * (width + _LABELS_PT + _GAP_PT)
        top = _TOP_PT + line * _HEIGHT_PT
        plot = canvas.axes(
            drawn, left=left, right=canvas.WIDTH_PT - left - width, top=top,
            bottom=_HEIGHT_PT * (lines - line - 1) + _BOTTOM_PT,
        )  # fmt: skip
        plot.set_ylim(low, high)
        _panel(plot, panel, entry.peak_title)
        _time_ticks(plot, low, high, named=column == 0)
    return canvas.svg(drawn, f"{entry.title} on {device}, a panel for each number of requests at the same moment")


def _placed(panel: Panel) -> list[Point]:
    return [point for point in panel.points if point.ratio and point.peak_bytes is not None]


def _panel(plot: Axes, panel: Panel, peak_title: str) -> None:
    points = _placed(panel)
    left, right = _memory_reach(points)
    plot.set_xlim(left, right)
    plot.axhline(0, color=canvas.RULE, lw=1, zorder=0)
    joined = sorted((p.peak_bytes or 0.0, math.log(p.ratio or 1.0)) for p in points if p.efficient)
    plot.plot([peak for peak, _ in joined], [time for _, time in joined], color=canvas.ACCENT, lw=1.4, zorder=1)
    for place, point in enumerate(points):
        _mark(plot, point, before=place == 0)
    _labels(plot, points, right)
    _memory_ticks(plot, points)
    plot.annotate(panel.title, (0, 1), (0, 10), "axes fraction", "offset points", color=canvas.INK, weight="bold")
    plot.set_xlabel(peak_title.lower(), color=canvas.MUTED, size=FONT_PT - 1)


def _mark(plot: Axes, point: Point, *, before: bool) -> None:
    peak, time = point.peak_bytes or 0.0, math.log(point.ratio or 1.0)
    colour = canvas.MUTED if before else canvas.ACCENT if point.efficient else canvas.OPEN
    if point.low and point.high:
        plot.plot([peak, peak], [math.log(point.low), math.log(point.high)], color=colour, lw=1.6, zorder=2)
    if point.peak_low_bytes is not None and point.peak_high_bytes is not None:
        plot.plot([point.peak_low_bytes, point.peak_high_bytes], [time, time], color=colour, lw=1.6, zorder=2)
    face = colour if point.efficient else canvas.SURFACE
    plot.plot([peak], [time], marker="s" if before else "o", ms=7.5, mfc=face, mec=colour, mew=1.6, zorder=3)


def _labels(plot: Axes, points: Sequence[Point], right: float) -> None:
    """Names in a column beside the panel, in the order of their points and never on one another, each with a thread."""
    low, high = plot.get_ylim()
    per_point = (high - low) / (_HEIGHT_PT - _TOP_PT - _BOTTOM_PT)
    ordered = sorted(points, key=lambda point: -(point.ratio or 1.0))
    places = _apart([math.log(point.ratio or 1.0) for point in ordered], _LINE_PT * per_point, low, high)
    for point, place in zip(ordered, places, strict=True):
        at = (point.peak_bytes or 0.0, math.log(point.ratio or 1.0))
        lines = {"arrowstyle": "-", "color": canvas.RULE, "lw": 0.9, "shrinkA": 2, "shrinkB": 5}
        plot.annotate(
            clipped(point.name, _LONGEST_LABEL), at, (right + 0.05 * (right - plot.get_xlim()[0]), place), "data", "data", va="center",
            color=canvas.INK, size=FONT_PT - 1.5, annotation_clip=False, arrowprops=lines,
        )  # fmt: skip


def _apart(wanted: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Places near `wanted` (falling), at least `least` apart, within the axis as far as they fit."""
    places: list[float] = []
    for value in wanted:
        places.append(min(value, places[-1] - least) if places else min(value, high))
    lift = max(0.0, low - places[-1])
    lifted = [place + lift for place in places]
    for index in range(len(lifted) - 2, -1, -1):
        lifted[index] = max(places[index], lifted[index + 1] + least)
    return lifted


def _reach(points: Sequence[Point]) -> tuple[float, float]:
    ends = [math.log(end) for point in points for end in (point.low, point.ratio, point.high) if end]
    low, high = min(*ends, -0.005), max(*ends, 0.005)
    pad = 0.1 * (high - low)
    return low - pad, high + pad


def _memory_reach(points: Sequence[Point]) -> tuple[float, float]:
    ends = [
        end
        for point in points
        for end in (point.peak_low_bytes, point.peak_bytes, point.peak_high_bytes)
        if end is not None
    ]
    span = max(max(ends) - min(ends), 2.0**20)
    return min(ends) - 0.1 * span, max(ends) + 0.1 * span


def _memory_ticks(plot: Axes, points: Sequence[Point]) -> None:
    """The lowest and the highest peak, by their figures."""
    peaks = [point.peak_bytes for point in points if point.peak_bytes is not None]
    labels = {units.size(peak, 3): peak for peak in (min(peaks), max(peaks))}
    plot.set_xticks(list(labels.values()), list(labels))


def _time_ticks(plot: Axes, low: float, high: float, *, named: bool) -> None:
    shares, step = round_shares(low, high, _PERCENT_STEPS, _TICKS)
    labels = ["before" if share == 0 else units.signed_percent(share, 0 if step >= 1 else 1) for share in shares]
    plot.set_yticks([math.log1p(share) for share in shares], labels if named else [""] * len(labels))
