"""The intervals of each run, one group for each optimization, on the log-ratio axis of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from harness import units
from harness.report import canvas, rows
from harness.report.axes import ratio_axis
from harness.report.canvas import FONT_PT
from harness.report.comparing.model import Line, Part
from harness.report.model import Row, Tone
from harness.report.words import say
from harness.results import TOGETHER

_TONES: Mapping[Tone, str] = {
    "good": canvas.GOOD, "bad": canvas.BAD, "level": canvas.ACCENT, "open": canvas.OPEN, "invalid": canvas.MUTED,
}  # fmt: skip
_ROW_PT = 23.0
_NAME, _GAP = 0.95, 0.6
"""Height of the name of a group, and of the space between two groups, in rows."""
_LEFT_PT, _RIGHT_PT, _TOP_PT, _BOTTOM_PT = 96, 145, 26, 38
_NEAR_PT, _BETWEEN_PT = 150, 22
_NEAR_MARGINS, _PRESSED = 3.0, 2.5
"""A second panel reaches so many margins to either side, where the farthest effect lies so many times beyond it."""
_LONGEST_NAME = 60
_LONGEST_LABEL = 10


def intervals(part: Part, labels: Sequence[str]) -> str:
    """An SVG document, "" where there is nothing to draw."""
    groups = [(line, drawn) for line in part.lines if (drawn := _drawable(line, labels))]
    if not groups:
        return ""
    places = sum(_NAME + len(drawn) for _, drawn in groups) + _GAP * (len(groups) - 1)
    with canvas.style():
        figure = canvas.figure(66 + _ROW_PT * places)
        shown = [row for _, drawn in groups for _, row in drawn]
        reaches = [_reach(shown), *_near(shown)]
        room = _RIGHT_PT + (_NEAR_PT + _BETWEEN_PT) * (len(reaches) - 1)
        plot = canvas.axes(figure, left=_LEFT_PT, right=room, top=_TOP_PT, bottom=_BOTTOM_PT)
        panels = [plot]
        if len(reaches) > 1:
            left = canvas.WIDTH_PT - _RIGHT_PT - _NEAR_PT
            panels.append(canvas.axes(figure, left=left, right=_RIGHT_PT, top=_TOP_PT, bottom=_BOTTOM_PT))
        for number, (panel, (low, high)) in enumerate(zip(panels, reaches, strict=True)):
            panel.set_xlim(low, high)
            panel.set_ylim(places - 0.4, -0.6)
            panel.axvline(0, color=canvas.MUTED, lw=1, zorder=1)
            _groups(panel, groups, named=number == 0, told=number == len(panels) - 1)
            ratio_axis(panel, low, high, parts=7 if number == 0 else 4)
            _heading(panel, rows.direction(rows.describe(part.metric)), near=number == 1)
        return canvas.svg(
            figure, say("Change of {metric} by optimization, in each run, with intervals", metric=part.title.lower())
        )


def _heading(plot: Axes, words: units.Direction, *, near: bool) -> None:
    """Which side is which; over the second panel, what it shows."""
    texts = (
        [(0.5, say("near to no change"), "center")]
        if near
        else [(0.0, f"\u2190 {words.below}", "left"), (1.0, f"{words.above} \u2192", "right")]
    )
    for side, text, align in texts:
        plot.annotate(text, (side, 1), (0, 8), "axes fraction", "offset points", color=canvas.MUTED, ha=align,
                      size=FONT_PT - 1)  # fmt: skip


def _drawable(line: Line, labels: Sequence[str]) -> list[tuple[str, Row]]:
    pairs = zip(labels, line.cells, strict=True)
    return [(label, row) for label, row in pairs if row is not None and row.ratio is not None and row.ratio > 0]


def _groups(plot: Axes, groups: Sequence[tuple[Line, Sequence[tuple[str, Row]]]], *, named: bool, told: bool) -> None:
    """For each optimization its name on a line, and below it a row for each run, with its change where that is `told`."""
    ticks: dict[float, str] = {}
    place = 0.0
    for number, (line, drawn) in enumerate(groups):
        if number:
            plot.axhline(place - _GAP / 2 - 0.5, color=canvas.RULE, lw=1, zorder=0)
        if named:
            weight = "bold" if line.name == TOGETHER else "normal"
            name = line.title if line.name == TOGETHER else line.name
            plot.annotate(_clipped(name, _LONGEST_NAME), (0, place), (6 - _LEFT_PT, 0), ("axes fraction", "data"),
                          "offset points", va="center", color=canvas.INK, annotation_clip=False, weight=weight)  # fmt: skip
        place += _NAME
        for label, row in drawn:
            _effect(plot, place, row)
            if told:
                plot.annotate(row.change, (1, place), (12, 0), ("axes fraction", "data"), "offset points", va="center",
                              color=canvas.INK, annotation_clip=False)  # fmt: skip
            ticks[place] = _clipped(label, _LONGEST_LABEL) if named else ""
            place += 1
        place += _GAP
    plot.set_yticks(list(ticks), list(ticks.values()))
    plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.MUTED, labelsize=FONT_PT)


def _effect(plot: Axes, place: float, row: Row) -> None:
    """A row, as far as it lies in the panel; an arrow at the side on which it does not."""
    colour, (first, last) = _TONES[row.verdict.tone], plot.get_xlim()
    ends = _ends(row)
    if ends[-1] < first or ends[0] > last:
        side, marker = (first, "<") if ends[-1] < first else (last, ">")
        plot.plot([side], [place], marker=marker, ms=6, color=colour, clip_on=False)
        return
    if len(ends) > 1:
        span = [min(max(end, first), last) for end in (ends[0], ends[-1])]
        plot.plot(span, [place, place], color=colour, lw=2.4, solid_capstyle="butt")
    centre = math.log(row.ratio or 1.0)
    if first <= centre <= last:
        plot.plot([centre], [place], marker="o", ms=8, color=colour, mec=canvas.SURFACE, mew=1.6, zorder=3)


def _ends(row: Row) -> list[float]:
    """The estimate and the ends of its interval as log-ratios, lowest first."""
    return sorted(math.log(end) for end in (row.low, row.ratio, row.high) if end)


def _near(drawn: Sequence[Row]) -> list[tuple[float, float]]:
    """The reach of a second panel, some margins to either side, where effects reach so far that it would press these into a
    point; none where that is not so, or nothing lies there.
    """
    reach = _NEAR_MARGINS * max(math.log1p(row.margin) for row in drawn)
    sizes = [abs(math.log(row.ratio or 1.0)) for row in drawn]
    return [(-reach, reach)] if reach * _PRESSED < max(sizes) and min(sizes) <= reach else []


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}\u2026"


def _reach(drawn: Sequence[Row]) -> tuple[float, float]:
    marks = [end for row in drawn for end in _ends(row)]
    low, high = min(*marks, -0.002), max(*marks, 0.002)
    pad = 0.05 * (high - low)
    return low - pad, high + pad
