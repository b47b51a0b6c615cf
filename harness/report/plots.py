"""The plots of a report: effects on one log-ratio axis, stages, memory, latency in the order measured; frontiers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.axes import Axes

from harness import units
from harness.report import canvas
from harness.report import rows as rows_of
from harness.report.axes import ratio_axis
from harness.report.canvas import FONT_PT
from harness.report.model import Course, Device, KindsTable, Level, MemoryBar, Row, Stage, Tone

_TONES: Mapping[Tone, str] = {
    "good": canvas.GOOD, "bad": canvas.BAD, "level": canvas.ACCENT, "open": canvas.OPEN, "invalid": canvas.MUTED,
}  # fmt: skip
_ROW_PT = 30.0
_COURSE_PT = 142.0
_LONGEST_LABEL = 30


def effects(device: Device) -> str:
    """All arms on one log-ratio axis, with their intervals, the margin as lines and the placebo as a band."""
    rows = [row for row in device.headline.rows if row.ratio is not None and row.ratio > 0]
    noun = device.headline.title.lower()
    title = f"Change of {noun} on {device.name}, by optimization, with 95 % intervals"
    return _forest(rows, [_short(row) for row in rows], device, title, device.placebo)


def kinds(table: KindsTable, device: Device) -> str:
    """One optimization by kind of request, below its effect over the whole workload, on an axis as that of `effects`."""
    noun = device.headline.title.lower()
    title = f"Change of {noun} by {table.name} on {device.name}, by kind of request, with intervals"
    return _forest(table.plotted, [_clipped(row.kind) for row in table.plotted], device, title, None)


def _forest(
    rows: Sequence[Row], labels: Sequence[str], device: Device, title: str, placebo: tuple[float, float] | None
) -> str:
    """A row for each effect of the headline metric: dot, interval, and the change in words."""
    drawn = canvas.figure(62 + _ROW_PT * (len(rows) + 0.6))
    plot = canvas.axes(drawn, left=200, right=150, top=24, bottom=38)
    low, high = _reach(rows, device.margin, placebo)
    words = rows_of.direction(rows_of.describe(device.headline.metric))
    plot.set_xlim(low, high)
    plot.set_ylim(len(rows) - 0.4, -0.6)
    if placebo is not None:
        plot.axvspan(*placebo, color=canvas.BAND, zorder=0, lw=0)
    plot.axvline(0, color=canvas.MUTED, lw=1, zorder=1)
    for side in (math.log1p(-device.margin), math.log1p(device.margin)) if device.margin else ():
        plot.axvline(side, color=canvas.MUTED, lw=1, ls=(0, (2, 3)), zorder=1)
    for place, row in enumerate(rows):
        _effect(plot, place, row)
    ratio_axis(plot, low, high, words)
    plot.set_yticks(range(len(rows)), labels)
    plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.INK, labelsize=FONT_PT)
    plot.annotate(
        f"\u2190 {words.below}", (0, 1), (0, 6), "axes fraction", "offset points", color=canvas.MUTED, size=FONT_PT - 1
    )
    plot.annotate(f"{words.above} \u2192", (1, 1), (0, 6), "axes fraction", "offset points", color=canvas.MUTED, ha="right",
                  size=FONT_PT - 1)  # fmt: skip
    return canvas.svg(drawn, title)


def _effect(plot: Axes, place: int, row: Row) -> None:
    colour = _TONES[row.verdict.tone]
    centre = math.log(row.ratio or 1.0)
    if row.low is not None and row.high is not None:
        plot.plot([math.log(row.low), math.log(row.high)], [place, place], color=colour, lw=2.4, solid_capstyle="butt")
    weight = "bold" if row.name == "all" and not row.kind else "normal"
    plot.plot([centre], [place], marker="o", ms=8, color=colour, mec=canvas.SURFACE, mew=1.6, zorder=3)
    plot.annotate(row.change, (1, place), (10, 0), ("axes fraction", "data"), "offset points", va="center",
                  color=canvas.INK, annotation_clip=False, weight=weight)  # fmt: skip


def _short(row: Row) -> str:
    name = row.setting if row.setting and len(row.name) > _LONGEST_LABEL else row.name
    return _clipped(f"{name} (from {row.against})" if row.against else name)


def _clipped(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}\u2026"


def _reach(rows: Sequence[Row], margin: float, placebo: tuple[float, float] | None) -> tuple[float, float]:
    ends = [end for row in rows for end in (row.low, row.ratio, row.high) if end]
    marks = [math.log(end) for end in ends] + [math.log1p(margin * 1.5), math.log1p(-margin * 1.5)]
    marks += list(placebo or ())
    low, high = min(*marks, -0.001), max(*marks, 0.001)
    pad = 0.05 * (high - low)
    return low - pad, high + pad


def stages(entries: Sequence[Stage], device: str) -> str:
    """Where the time of a request goes: one bar before, one after, on one scale of seconds."""
    drawn = canvas.figure(178)
    plot = canvas.axes(drawn, left=70, right=90, top=44, bottom=34)
    totals = sum(s.before_s for s in entries), sum(s.after_s for s in entries)
    plot.set_xlim(0, max(totals))
    plot.set_ylim(1.55, -0.55)
    colours = [(canvas.STEPS[-1], canvas.ON_STEPS[-1]) if s.name == "other" else
               (canvas.STEPS[n % 5], canvas.ON_STEPS[n % 5]) for n, s in enumerate(entries)]  # fmt: skip
    for place, total in enumerate(totals):
        start = 0.0
        for stage, (fill, ink) in zip(entries, colours, strict=True):
            length = (stage.before_s, stage.after_s)[place]
            plot.barh(place, length, 0.62, left=start, color=fill, edgecolor=canvas.SURFACE, lw=1.5)
            if length / max(totals) * (canvas.WIDTH_PT - 160) > 7.5 * len(stage.name) + 10:
                plot.text(start + length / 2, place, stage.name, color=ink, ha="center", va="center", size=FONT_PT - 1)
            start += length
        plot.annotate(units.seconds(total, 3), (total, place), (8, 0), textcoords="offset points", va="center",
                      color=canvas.INK, annotation_clip=False)  # fmt: skip
    _legend(plot, [(stage.name, fill) for stage, (fill, _) in zip(entries, colours, strict=True)])
    _time_axis(plot, max(totals))
    plot.set_yticks([0, 1], ["before", "after"])
    plot.tick_params(axis="y", length=0, pad=8, labelcolor=canvas.INK, labelsize=FONT_PT)
    return canvas.svg(drawn, f"Stages of a request on {device}, before and after, in seconds")


def _legend(plot: Axes, entries: Sequence[tuple[str, str]]) -> None:
    """Names in one line above the plot, each after a square of its colour, spaced by their lengths."""
    place = 0.0
    for name, fill in entries:
        plot.annotate("\u25a0", (0, 1), (place, 14), "axes fraction", "offset points", color=fill, size=FONT_PT + 2)
        plot.annotate(name, (0, 1), (place + 16, 15), "axes fraction", "offset points", color=canvas.MUTED,
                      size=FONT_PT - 1)  # fmt: skip
        place += 16 + 7.2 * len(name) + 18


def _time_axis(plot: Axes, longest_s: float) -> None:
    ticks = [tick for tick in _nice_ticks(longest_s) if tick <= longest_s]
    plot.set_xticks(ticks, [units.seconds(tick, 2) for tick in ticks])


def _nice_ticks(longest: float, parts: int = 5) -> list[float]:
    raw = longest / parts
    power = 10 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
    return [n * step for n in range(int(longest / step) + 1)]


def memory(bars: Sequence[MemoryBar], device: str) -> str:
    """Peaks of memory before and after, a pair of bars for each metric that could be read."""
    drawn = canvas.figure(40 + 58.0 * len(bars))
    plot = canvas.axes(drawn, left=150, right=210, top=14, bottom=10)
    most = max(max(bar.before_bytes, bar.after_bytes) for bar in bars) or 1.0
    plot.set_xlim(0, most)
    plot.set_ylim(len(bars) - 0.45, -0.5)
    plot.spines["bottom"].set_visible(False)
    for place, bar in enumerate(bars):
        pairs = ((-0.19, bar.before_bytes, f"before {bar.before}", canvas.BEFORE),
                 (0.19, bar.after_bytes, f"after {bar.after}", canvas.ACCENT))  # fmt: skip
        for shift, length, label, fill in pairs:
            plot.barh(place + shift, length, 0.32, color=fill, lw=0)
            plot.annotate(label, (length, place + shift), (8, 0), textcoords="offset points", va="center",
                          color=canvas.INK, size=FONT_PT - 1, annotation_clip=False)  # fmt: skip
    plot.set_xticks([])
    plot.set_yticks(range(len(bars)), [bar.title for bar in bars])
    plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.INK, labelsize=FONT_PT)
    return canvas.svg(drawn, f"Memory on {device}, before and after")


def course(entries: Sequence[Course], device: str) -> str:
    """Memory over the requests of a cycle: allocated as a line, reserved as a thin one above; stages as bands."""
    drawn = canvas.figure(_COURSE_PT * len(entries) + 54)
    longest = max(point[0] for entry in entries for point in entry.allocated) or 1.0
    most = max(point[1] for entry in entries for point in (*entry.allocated, *entry.reserved)) * 1.08 or 1.0
    for place, entry in enumerate(entries):
        below = _COURSE_PT * (len(entries) - 1 - place)
        plot = canvas.axes(drawn, left=80, right=40, top=26 + _COURSE_PT * place, bottom=44 + below)
        plot.set_xlim(0, longest)
        plot.set_ylim(0, most)
        _stage_bands(plot, entry.stages, longest)
        plot.plot(*zip(*entry.reserved, strict=True), color=canvas.MUTED, lw=1, drawstyle="steps-post")
        plot.plot(*zip(*entry.allocated, strict=True), color=canvas.ACCENT, lw=1.4)
        plot.annotate(entry.label, (0, 1), (0, 8), "axes fraction", "offset points", color=canvas.INK)
        ticks = [tick for tick in _size_ticks(most) if tick <= most]
        plot.set_yticks(ticks, [units.size(tick, 2) for tick in ticks])
        _time_axis(plot, longest)
        if below:
            plot.set_xticklabels([])
    return canvas.svg(drawn, f"Memory over the requests of a cycle on {device}, before and after")


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
    longest, most = points[-1][0] or 1.0, max(point[1] for point in points) * 1.08 or 1.0
    plot.set_xlim(0, longest)
    plot.set_ylim(0, most)
    plot.plot(*zip(*points, strict=True), color=canvas.ACCENT, lw=1.2)
    ticks = _size_ticks(most)
    plot.set_yticks(ticks, [units.size(tick, 2) for tick in ticks])
    _time_axis(plot, longest)
    return canvas.svg(drawn, f"Memory held by tensors over time: {title}")


def _size_ticks(most: float) -> list[float]:
    unit = max(1024.0 ** math.floor(math.log(most, 1024)), 1.0)
    return [tick * unit for tick in _nice_ticks(most / unit, 3)]


def levels(entries: Sequence[Level], device: str) -> str:
    """Latency of each request in the order measured: warm-up as rings, timed requests as dots, a line at each worker."""
    drawn = canvas.figure(236)
    plot = canvas.axes(drawn, left=80, right=80, top=20, bottom=42)
    for arm, fill in (("before", canvas.BEFORE), ("after", canvas.ACCENT)):
        mine = [entry for entry in entries if entry.arm == arm]
        for warmup in (True, False):
            chosen = [entry for entry in mine if entry.warmup == warmup]
            face = "none" if warmup else fill
            plot.plot([e.order for e in chosen], [e.latency_s for e in chosen], ls="", marker="o", ms=4.5,
                      mfc=face, mec=fill, mew=1.3)  # fmt: skip
        if mine:
            plot.annotate(arm, (1, mine[-1].latency_s), (8, 0), ("axes fraction", "data"), "offset points",
                          va="center", color=canvas.INK, annotation_clip=False)  # fmt: skip
    for before, entry in pairwise(entries):
        if before.worker != entry.worker:
            plot.axvline(entry.order - 0.5, color=canvas.RULE, lw=1, zorder=0)
    top = max(entry.latency_s for entry in entries) * 1.06
    plot.set_ylim(0, top)
    ticks = _nice_ticks(top, 4)
    plot.set_yticks(ticks, [units.seconds(tick, 2) for tick in ticks])
    plot.set_xlabel("requests in the order measured", color=canvas.MUTED, size=FONT_PT - 1)
    return canvas.svg(drawn, f"Latency of each request on {device}, in the order measured")
