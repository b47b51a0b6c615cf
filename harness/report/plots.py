"""The plots of what time and memory go into: stages, peaks of memory, its course over requests."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from harness import units
from harness.report import canvas
from harness.report.canvas import FONT_PT
from harness.report.labels import clipped
from harness.report.model import Course, MemoryBar, Stage, StagePeak
from harness.report.words import say

_SIDES = (canvas.BEFORE, canvas.ACCENT)
_SHIFTS = (-0.19, 0.19)
_STAGE_PT = 38.0
_COURSE_PT = 164.0
_LONGEST_NAME = 22
_MOODS = {"good": canvas.GOOD, "bad": canvas.BAD}


def stages(entries: Sequence[Stage], totals: tuple[float, float], device: str) -> str:
    """Where the time of a request goes: a row for each stage, before above after, each beginning where the one before ended. Last the
    request, whose `totals` need not be where the last stage ends: all are medians.
    """
    drawn = canvas.figure(94 + _STAGE_PT * len(entries))
    plot = canvas.axes(drawn, left=130, right=150, top=30, bottom=34)
    longest = max(*totals, sum(s.before_s for s in entries), sum(s.after_s for s in entries))
    plot.set_xlim(0, longest)
    plot.set_ylim(len(entries) + 0.55, -0.6)
    starts = [0.0, 0.0]
    for place, stage in enumerate(entries):
        for side, length in enumerate((stage.before_s, stage.after_s)):
            _stage_bar(plot, stage, place, side, starts[side], length)
            starts[side] += length
        _at_right(plot, place, stage.change, _MOODS.get(stage.tone, canvas.MUTED))
    for side, total in enumerate(totals):
        place_of_total = len(entries) + _SHIFTS[side]
        plot.barh(place_of_total, total, 0.32, color=_SIDES[side], lw=0)
        _at_right(plot, place_of_total, units.seconds(total, 3), canvas.INK)
    plot.axhline(len(entries) - 0.5, color=canvas.RULE, lw=1)
    _legend(plot, [(say("before"), canvas.BEFORE), (say("after"), canvas.ACCENT)])
    _time_axis(plot, longest)
    plot.set_yticks(
        range(len(entries) + 1), [*(clipped(stage.name, _LONGEST_NAME) for stage in entries), say("the request")]
    )
    plot.tick_params(axis="y", length=0, pad=8, labelcolor=canvas.INK, labelsize=FONT_PT)
    return canvas.svg(drawn, say("Stages of a request on {device}, before and after, in seconds", device=device))


def _stage_bar(plot: Axes, stage: Stage, place: int, side: int, start: float, length: float) -> None:
    (bar,) = plot.barh(place + _SHIFTS[side], length, 0.32, left=start, color=_SIDES[side], lw=0)
    canvas.tip(bar, f"{stage.name}\n{say('before')} {stage.before} ({stage.share_before})\n"
                    f"{say('after')} {stage.after} ({stage.share_after})\n{stage.change}")  # fmt: skip


def _at_right(plot: Axes, place: float, text: str, colour: str) -> None:
    plot.annotate(text, (1, place), (10, 0), ("axes fraction", "data"), "offset points", va="center", color=colour,
                  size=FONT_PT - 1, annotation_clip=False)  # fmt: skip


def _legend(plot: Axes, entries: Sequence[tuple[str, str]]) -> None:
    """Names in one line above the plot, each after a square of its colour, spaced by their lengths."""
    place = 0.0
    for name, fill in entries:
        plot.annotate("\u25a0", (0, 1), (place, 7), "axes fraction", "offset points", color=fill, size=FONT_PT + 2)
        plot.annotate(name, (0, 1), (place + 16, 8), "axes fraction", "offset points", color=canvas.MUTED,
                      size=FONT_PT - 1)  # fmt: skip
        place += 16 + 7.2 * len(name) + 18


def _time_axis(plot: Axes, longest_s: float) -> None:
    ticks = [tick for tick in nice_ticks(0, longest_s) if tick <= longest_s]
    plot.set_xticks(ticks, [units.seconds(tick, 2) for tick in ticks])


def nice_ticks(low: float, high: float, parts: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, some `parts` of them."""
    raw = (high - low) / parts
    power = 10 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def memory(bars: Sequence[MemoryBar], device: str) -> str:
    """Peaks of memory before and after, a pair of bars for each metric that could be read."""
    title = say("Memory on {device}, before and after", device=device)
    return _pairs([(bar.title, (bar.before_bytes, bar.after_bytes), (bar.before, bar.after)) for bar in bars], title)


def stage_peaks(peaks: Sequence[StagePeak], device: str) -> str:
    """Peaks of allocated memory by stage, before and after; of the outermost stages."""
    title = say("Peak of allocated memory by stage on {device}, before and after", device=device)
    known = [(peak, before, after) for peak in peaks for before, after in [peak.allocated]
             if before is not None and after is not None and "." not in peak.stage]  # fmt: skip
    return _pairs([(peak.stage, (before, after), peak.figures[:2]) for peak, before, after in known], title)


def _pairs(bars: Sequence[tuple[str, tuple[float, float], Sequence[str]]], title: str) -> str:
    """(name, values before and after, the same as text) as pairs of bars on one scale."""
    drawn = canvas.figure(16 + 46.0 * len(bars))
    plot = canvas.axes(drawn, left=170, right=190, top=8, bottom=6)
    plot.set_xlim(0, max(max(values) for _, values, _ in bars) or 1.0)
    plot.set_ylim(len(bars) - 0.45, -0.5)
    plot.spines["bottom"].set_visible(False)
    for place, (_, values, texts) in enumerate(bars):
        for side, (length, text) in enumerate(zip(values, texts, strict=True)):
            label = say("after {size}", size=text) if side else say("before {size}", size=text)
            at = place + _SHIFTS[side]
            plot.barh(at, length, 0.32, color=_SIDES[side], lw=0)
            plot.annotate(label, (length, at), (8, 0), textcoords="offset points", va="center", color=canvas.INK,
                          size=FONT_PT - 1, annotation_clip=False)  # fmt: skip
    plot.set_xticks([])
    plot.set_yticks(range(len(bars)), [clipped(name, _LONGEST_NAME) for name, _, _ in bars])
    plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.INK, labelsize=FONT_PT)
    return canvas.svg(drawn, title)


def course(entries: Sequence[Course], device: str) -> str:
    """Memory over the requests of a cycle: allocated as a line, reserved as a thin one above; stages as bands."""
    drawn = canvas.figure(_COURSE_PT * len(entries) + 54)
    longest = max(point[0] for entry in entries for point in entry.allocated) or 1.0
    sizes = [point[1] for entry in entries for point in (*entry.allocated, *entry.reserved)]
    for place, entry in enumerate(entries):
        below = _COURSE_PT * (len(entries) - 1 - place)
        plot = canvas.axes(drawn, left=80, right=40, top=26 + _COURSE_PT * place, bottom=(58 if below else 44) + below)
        plot.set_xlim(0, longest)
        _size_axis(plot, min(sizes), max(sizes), room=0.25)  # for the names of stages
        _stage_bands(plot, entry.stages, longest)
        plot.plot(*zip(*entry.reserved, strict=True), color=canvas.MUTED, lw=1, drawstyle="steps-post")
        plot.plot(*zip(*entry.allocated, strict=True), color=canvas.ACCENT, lw=1.4)
        plot.annotate(entry.label, (0, 1), (0, 8), "axes fraction", "offset points", color=canvas.INK)
        _time_axis(plot, longest)
        if below:
            plot.set_xticklabels([])
    return canvas.svg(drawn, say("Memory over the requests of a cycle on {device}, before and after", device=device))


def _stage_bands(plot: Axes, stages: Sequence[tuple[str, float, float]], longest: float) -> None:
    """Every other stage as a band, and its name where there is room."""
    for place, (stage, start, end) in enumerate(stages):
        if place % 2 == 0:
            plot.axvspan(start, end, color=canvas.BAND, lw=0, zorder=0)
        if (end - start) / longest * (canvas.WIDTH_PT - 120) > 7.5 * len(stage):
            plot.annotate(stage, ((start + end) / 2, 1), (0, -12), ("data", "axes fraction"), "offset points",
                          ha="center", color=canvas.MUTED, size=FONT_PT - 2)  # fmt: skip


def held(points: Sequence[tuple[float, float]], title: str) -> str:
    """Bytes held by tensors over seconds."""
    drawn = canvas.figure(230)
    plot = canvas.axes(drawn, left=80, right=30, top=14, bottom=34)
    sizes, longest = [point[1] for point in points], points[-1][0] or 1.0
    plot.set_xlim(0, longest)
    _size_axis(plot, min(sizes), max(sizes))
    plot.plot(*zip(*points, strict=True), color=canvas.ACCENT, lw=1.2)
    _time_axis(plot, longest)
    return canvas.svg(drawn, say("Memory held by tensors over time: {title}", title=title))


def _size_axis(plot: Axes, least: float, most: float, *, room: float = 0.08) -> None:
    """Bytes, from nothing on, with the share `room` free above the most. Where more than half is held throughout, by weights
    mostly, from that on: or all lines are flat.
    """
    floor = least if least > most / 2 else 0.0
    above = max(most - floor, most / 50, 1.0)
    plot.set_ylim(floor - (0.05 * above if floor else 0.0), floor + (1 + room) * above)
    unit = max(1024.0 ** math.floor(math.log(above, 1024)), 1.0)
    rises = [rise * unit for rise in nice_ticks(0, above / unit, 3)]
    labels = [units.size(rise, 2) for rise in rises]
    if floor:
        labels = [units.size(floor), *(f"+{label}" for label in labels[1:])]
    plot.set_yticks([floor + rise for rise in rises], labels)
