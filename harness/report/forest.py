"""Effects on one log-ratio axis: dots with their intervals, the margin, and what the controls found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unicodedata import east_asian_width

from matplotlib.axes import Axes

from harness import units
from harness.report import canvas, labels
from harness.report import rows as rows_of
from harness.report.axes import ratio_axis
from harness.report.canvas import FONT_PT
from harness.report.model import Device, KindsTable, Row, Tone
from harness.report.words import say
from harness.results import TOGETHER

_TONES: Mapping[Tone, str] = {
    "good": canvas.GOOD, "bad": canvas.BAD, "level": canvas.ACCENT, "open": canvas.OPEN, "invalid": canvas.MUTED,
}  # fmt: skip
_TOP_PT, _BOTTOM_PT, _GAP_PT = 40.0, 34.0, 22.0
_ZOOM_PT = 150.0
_ZOOM_FROM = 8.0
"""A second panel shows what is near to no change where the effects reach this many times as far as the margin."""
_ZOOMED = 3.0
"""It reaches this many margins to either side."""
_LONGEST_LABEL = 26
_TOLD_PT = 12.0
"""What a row says begins so far from the axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How wide a plot is, what is left of and right of its axes, how high a row is, all in points, and how many ticks there are.

    `above` says that the words of a row stand above it, as there is no room beside it.
    """

    width: float
    left: float
    right: float
    row: float
    ticks: int
    above: bool = False


_WIDE = _Shape(width=canvas.WIDTH_PT, left=206.0, right=128.0, row=28.0, ticks=7)
_NARROW = _Shape(width=canvas.NARROW_PT, left=12.0, right=12.0, row=46.0, ticks=3, above=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One row of the plot. Log-ratios; `low` and `high` are None where there is no interval, `known` is the true value of a
    control. `told` stands at the right, `hint` is said when the reader points at the row.
    """

    label: str
    centre: float | None
    low: float | None
    high: float | None
    colour: str
    told: str
    hint: str
    bold: bool = False
    known: float | None = None


def effects(device: Device, *, narrow: bool = False) -> str:
    """All optimizations on a device, below them its controls; `narrow` for a phone."""
    rows = [row for row in device.headline.rows if row.ratio is not None and row.ratio > 0]
    title = say("Change of {metric} on {device}, by optimization, with 95 % intervals",
                metric=device.headline.title.lower(), device=device.name)  # fmt: skip
    marks = list(map(_of_row, rows, labels.of_rows(rows, _LONGEST_LABEL)))
    return _forest(marks, _of_controls(device), device, title, _NARROW if narrow else _WIDE)


def kinds(table: KindsTable, device: Device) -> str:
    """One optimization by kind of request, below its effect over the whole workload."""
    title = say("Change of {metric} by {name} on {device}, by kind of request, with intervals",
                metric=device.headline.title.lower(), name=table.name, device=device.name)  # fmt: skip
    return _forest(
        [_of_row(row, labels.clipped(row.kind, _LONGEST_LABEL)) for row in table.plotted], [], device, title, _WIDE
    )


def _of_row(row: Row, label: str) -> Mark:
    ends = [math.log(end) if end else None for end in (row.low, row.high)]
    hint = f"{label}\n{row.before} \u2192 {row.after}\n{row.change} ({row.interval})\n{row.verdict.text}"
    return Mark(label=label, centre=math.log(row.ratio or 1.0), low=ends[0], high=ends[1], colour=_TONES[row.verdict.tone],
                told=row.change, hint=hint, bold=row.name == TOGETHER and not row.kind)  # fmt: skip


def _of_controls(device: Device) -> list[Mark]:
    """The placebo and the host's dose of the headline metric as rows: where each lies, and where it must."""
    found = []
    for control in device.controls:
        if control.log_low is None or control.log_high is None or control.metric != device.headline.title:
            continue
        told = say("passed") if control.passed else say("failed")
        found.append(Mark(label=control.name, centre=None, low=control.log_low, high=control.log_high, colour=canvas.MUTED,
                          told=told, hint=f"{control.name}: {control.reason}", known=control.log_known))  # fmt: skip
    return found


_FARTHEST_LIMIT = 1.0
"""The limit of the hardware is drawn where it lengthens the axis by no more than its own length."""


def _forest(marks: Sequence[Mark], controls: Sequence[Mark], device: Device, title: str, shape: _Shape) -> str:
    count = len(marks) + (len(controls) + 0.4 if controls else 0)
    drawn = canvas.figure(_TOP_PT + _BOTTOM_PT + shape.row * (count + 0.2), shape.width)
    margin = (math.log1p(-device.margin), math.log1p(device.margin)) if device.margin else None
    places = [*range(len(marks)), *(len(marks) + 0.4 + n for n in range(len(controls)))]
    everything = [*marks, *controls]
    shape = (
        shape
        if shape.above
        else replace(shape, right=max(shape.right, _TOLD_PT + max(map(_length_pt, everything), default=0)))
    )
    low, high = _reach(everything, margin, device.limit)
    zoom = (
        margin is not None
        and not shape.above
        and max(-low, high) > _ZOOM_FROM * margin[1]
        and _any_near(marks, _ZOOMED * margin[1])
    )
    right = shape.right + (_ZOOM_PT + _GAP_PT if zoom else 0)
    panels = [(canvas.axes(drawn, left=shape.left, right=right, top=_TOP_PT, bottom=_BOTTOM_PT), low, high)]
    if zoom and margin is not None:
        reach = _ZOOMED * margin[1]
        left = shape.width - shape.right - _ZOOM_PT
        panels.append((canvas.axes(drawn, left=left, right=shape.right, top=_TOP_PT, bottom=_BOTTOM_PT), -reach, reach))
    words = rows_of.direction(rows_of.describe(device.headline.metric))
    for number, (plot, first, last) in enumerate(panels):
        plot.set_xlim(first, last)
        plot.set_ylim(count - 0.3, -0.6)
        _grounds(plot, margin, device, controls=bool(controls))
        for place, mark in zip(places, everything, strict=True):
            _draw(plot, place, mark, first, last)
        ratio_axis(
            plot, first, last, parts=4 if number else 5 if zoom else shape.ticks
        )  # beside a zoom there is less room
        beside = number == 0 and not shape.above
        plot.set_yticks(places, [mark.label for mark in everything] if beside else [""] * len(places))
        plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.INK, labelsize=FONT_PT)
        _heading(plot, words, zoomed=number == 1)
    for place, mark in zip(places, everything, strict=True):
        _words(panels[-1][0], place, mark, above=shape.above)
    return canvas.svg(drawn, title)


def _length_pt(mark: Mark) -> float:
    """About how long what a row says is, in points, in the widest of the usual fonts."""
    of_em = (1.0 if east_asian_width(letter) in "WF" else 0.6 if mark.bold else 0.55 for letter in mark.told)
    return (FONT_PT - 0.5) * sum(of_em)


def _words(plot: Axes, place: float, mark: Mark, *, above: bool) -> None:
    """What a row says at its right; or above it, its label at the left of that."""
    style: dict[str, Any] = {
        "xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False,
        "weight": "bold" if mark.bold else "normal", "size": FONT_PT - 0.5,
    }  # fmt: skip
    colour = canvas.INK if mark.centre is not None else canvas.MUTED
    if not above:
        plot.annotate(mark.told, (1, place), (_TOLD_PT, 0), va="center", color=colour, **style)
        return
    plot.annotate(mark.label, (0, place), (0, 10), color=canvas.INK, **style)
    plot.annotate(mark.told, (1, place), (0, 10), ha="right", color=colour, **style)


def _any_near(marks: Sequence[Mark], reach: float) -> bool:
    """Whether any estimate lies within `reach` of no change."""
    return any(mark.centre is not None and abs(mark.centre) <= reach for mark in marks)


def _grounds(plot: Axes, margin: tuple[float, float] | None, device: Device, *, controls: bool) -> None:
    """The band of the placebo, no change, the margin, and the limit of the hardware where it is known."""
    if device.placebo is not None and controls:
        plot.axvspan(*device.placebo, color=canvas.BAND, zorder=0, lw=0)
    plot.axvline(0, color=canvas.MUTED, lw=1, zorder=1)
    for side in margin or ():
        plot.axvline(side, color=canvas.MUTED, lw=1, ls=(0, (2, 3)), zorder=1)
    if device.limit is not None and plot.get_xlim()[0] <= math.log(device.limit):
        plot.axvline(math.log(device.limit), color=canvas.OPEN, lw=1.4, ls=(0, (6, 2)), zorder=1)
        plot.annotate(say("limit"), (math.log(device.limit), 1), (0, 5), ("data", "axes fraction"), "offset points",
                      ha="center", color=canvas.OPEN, size=FONT_PT - 1.5)  # fmt: skip


def _draw(plot: Axes, place: float, mark: Mark, first: float, last: float) -> None:
    """A row, as far as it lies in the panel; an arrow at the side on which it does not."""
    ends = [end for end in (mark.low, mark.centre, mark.high) if end is not None]
    if ends and (max(ends) < first or min(ends) > last):
        side = first if max(ends) < first else last
        (arrow,) = plot.plot(
            [side], [place], marker="<" if side == first else ">", ms=6, color=mark.colour, clip_on=False
        )
        canvas.tip(arrow, mark.hint)
        return
    if mark.low is not None and mark.high is not None:
        span = [min(max(end, first), last) for end in (mark.low, mark.high)]
        thin = mark.centre is None
        (bar,) = plot.plot(span, [place, place], color=mark.colour, lw=5 if thin else 2.6, alpha=0.45 if thin else 1,
                           solid_capstyle="butt")  # fmt: skip
        canvas.tip(bar, mark.hint)
    if mark.known is not None and first <= mark.known <= last:
        (known,) = plot.plot(
            [mark.known], [place], marker="^", ms=8, color=canvas.INK, mec=canvas.SURFACE, mew=1, zorder=3
        )
        canvas.tip(known, mark.hint)
    if mark.centre is not None and first <= mark.centre <= last:
        (dot,) = plot.plot([mark.centre], [place], marker="o", ms=8.5, color=mark.colour, mec=canvas.SURFACE, mew=1.6,
                           zorder=3)  # fmt: skip
        canvas.tip(dot, mark.hint)


def _heading(plot: Axes, words: units.Direction, *, zoomed: bool) -> None:
    style: dict[str, Any] = {"color": canvas.MUTED, "size": FONT_PT - 1}
    if zoomed:
        plot.annotate(
            say("near to no change"), (0.5, 1), (0, 6), "axes fraction", "offset points", ha="center", **style
        )
        return
    plot.annotate(f"\u2190 {words.below}", (0, 1), (0, 6), "axes fraction", "offset points", **style)
    plot.annotate(f"{words.above} \u2192", (1, 1), (0, 6), "axes fraction", "offset points", ha="right", **style)


def _reach(marks: Sequence[Mark], margin: tuple[float, float] | None, limit: float | None) -> tuple[float, float]:
    ends = [end for mark in marks for end in (mark.low, mark.centre, mark.high, mark.known) if end is not None]
    ends += [1.5 * side for side in margin or ()]
    low, high = min(*ends, -0.001), max(*ends, 0.001)
    if limit is not None and math.log(limit) > low - _FARTHEST_LIMIT * (high - low):
        low = min(low, math.log(limit))  # farther away it would press all else together, and is told in words
    pad = 0.05 * (high - low)
    return low - pad, high + pad
