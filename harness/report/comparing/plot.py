"""The intervals of each run, one group for each optimization, on the log-ratio axis of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from harness.report import canvas, rows
from harness.report.axes import ratio_axis
from harness.report.canvas import FONT_PT
from harness.report.comparing.model import Line, Part
from harness.report.model import Row, Tone

_TONES: Mapping[Tone, str] = {
    "good": canvas.GOOD, "bad": canvas.BAD, "level": canvas.ACCENT, "open": canvas.OPEN, "invalid": canvas.MUTED,
}  # fmt: skip
_ROW_PT = 23.0
_NAME, _GAP = 0.95, 0.6
"""Height of the name of a group, and of the space between two groups, in rows."""
_LEFT_PT = 96
_LONGEST_NAME = 60
_LONGEST_LABEL = 10


def intervals(part: Part, labels: Sequence[str]) -> str:
    """An SVG document, "" where there is nothing to draw."""
    groups = [(line, drawn) for line in part.lines if (drawn := _drawable(line, labels))]
    if not groups:
        return ""
    places = sum(_NAME + len(drawn) for _, drawn in groups) + _GAP * (len(groups) - 1)
    words = rows.direction(rows.describe(part.metric))
    with canvas.style():
        figure = canvas.figure(66 + _ROW_PT * places)
        plot = canvas.axes(figure, left=_LEFT_PT, right=145, top=26, bottom=38)
        low, high = _reach([row for _, drawn in groups for _, row in drawn])
        plot.set_xlim(low, high)
        plot.set_ylim(places - 0.4, -0.6)
        plot.axvline(0, color=canvas.MUTED, lw=1, zorder=1)
        _groups(plot, groups)
        ratio_axis(plot, low, high)
        for side, text, align in ((0, f"\u2190 {words.below}", "left"), (1, f"{words.above} \u2192", "right")):
            plot.annotate(text, (side, 1), (0, 8), "axes fraction", "offset points", color=canvas.MUTED, ha=align,
                          size=FONT_PT - 1)  # fmt: skip
        return canvas.svg(figure, f"Change of {part.title.lower()} by optimization, in each run, with intervals")


def _drawable(line: Line, labels: Sequence[str]) -> list[tuple[str, Row]]:
    pairs = zip(labels, line.cells, strict=True)
    return [(label, row) for label, row in pairs if row is not None and row.ratio is not None and row.ratio > 0]


def _groups(plot: Axes, groups: Sequence[tuple[Line, Sequence[tuple[str, Row]]]]) -> None:
    """For each optimization its name on a line, and below it a row for each run."""
    ticks: dict[float, str] = {}
    place = 0.0
    for number, (line, drawn) in enumerate(groups):
        if number:
            plot.axhline(place - _GAP / 2 - 0.5, color=canvas.RULE, lw=1, zorder=0)
        weight = "bold" if line.name == "all" else "normal"
        plot.annotate(_clipped(line.name, _LONGEST_NAME), (0, place), (6 - _LEFT_PT, 0), ("axes fraction", "data"),
                      "offset points", va="center", color=canvas.INK, annotation_clip=False, weight=weight)  # fmt: skip
        place += _NAME
        for label, row in drawn:
            _effect(plot, place, row)
            ticks[place] = _clipped(label, _LONGEST_LABEL)
            place += 1
        place += _GAP
    plot.set_yticks(list(ticks), list(ticks.values()))
    plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.MUTED, labelsize=FONT_PT)


def _effect(plot: Axes, place: float, row: Row) -> None:
    colour = _TONES[row.verdict.tone]
    if row.low is not None and row.high is not None and row.low > 0:
        plot.plot([math.log(row.low), math.log(row.high)], [place, place], color=colour, lw=2.4, solid_capstyle="butt")
    plot.plot(
        [math.log(row.ratio or 1.0)], [place], marker="o", ms=8, color=colour, mec=canvas.SURFACE, mew=1.6, zorder=3
    )
    plot.annotate(row.change, (1, place), (10, 0), ("axes fraction", "data"), "offset points", va="center",
                  color=canvas.INK, annotation_clip=False)  # fmt: skip


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}\u2026"


def _reach(drawn: Sequence[Row]) -> tuple[float, float]:
    marks = [math.log(end) for row in drawn for end in (row.low, row.ratio, row.high) if end]
    low, high = min(*marks, -0.002), max(*marks, 0.002)
    pad = 0.05 * (high - low)
    return low - pad, high + pad
