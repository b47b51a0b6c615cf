"""The plots of single samples: their distribution, their quantiles, and what they were in the order measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from harness import units
from harness.report import canvas
from harness.report.canvas import FONT_PT
from harness.report.labels import clipped
from harness.report.model import Tone
from harness.report.plots import nice_ticks
from harness.report.series import Course, Places, Spread, Values
from harness.report.words import say

_TONES: Mapping[Tone | None, str] = {
    None: canvas.BEFORE, "good": canvas.GOOD, "bad": canvas.BAD, "level": canvas.ACCENT, "open": canvas.OPEN,
    "invalid": canvas.MUTED,
}  # fmt: skip
_ROW_PT = 34.0
_LOG_FROM = 6.0
"""Values that reach so many times as far as the lowest are drawn on a logarithmic axis."""
_QUANTILES = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)


def distributions(spreads: Sequence[Spread], metric: str, device: str) -> str:
    """A row for each arm: every sample that is drawn, the half in the middle, the median, and p95 and p99."""
    drawn = canvas.figure(54 + _ROW_PT * len(spreads))
    plot = canvas.axes(drawn, left=206, right=88, top=16, bottom=36)
    low, high = min(s.values[0] for s in spreads), max(s.values[-1] for s in spreads)
    log = bool(low > 0 and high / low > _LOG_FROM)
    _value_axis(plot, low, high, log=log)
    plot.set_ylim(len(spreads) - 0.45, -0.6)
    for place, spread in enumerate(spreads):
        _row(plot, place, spread)
    plot.set_yticks(range(len(spreads)), [spread.label for spread in spreads])
    plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.INK, labelsize=FONT_PT)
    title = say("Every sample of {metric} on {device}, by arm", metric=metric.lower(), device=device)
    return canvas.svg(drawn, title, f'data-unit="s" {canvas.axis_of_values(plot, "x", log=log)}')


def _row(plot: Axes, place: int, spread: Spread) -> None:
    colour = _TONES[spread.tone]
    p25, p50, p75, p95, p99 = np.quantile(spread.values, (0.25, 0.5, 0.75, 0.95, 0.99))
    canvas.cloud(plot, spread.drawn, place + _swarm(spread.drawn), colour=colour, size_pt=3.2, opacity=0.55,
                 label=spread.label)  # fmt: skip
    told = f"{spread.label}\n" + "\n".join(
        f"{name} {units.seconds(float(value))}" for name, value in (("p50", p50), ("p95", p95), ("p99", p99))
    )
    (box,) = plot.plot([p25, p75], [place, place], color=canvas.INK, lw=4, alpha=0.55, solid_capstyle="butt")
    canvas.tip(box, told)
    for value, length, width in ((p50, 0.3, 2.2), (p95, 0.17, 1.2), (p99, 0.17, 1.2)):
        plot.plot([value, value], [place - length, place + length], color=canvas.INK, lw=width)
    plot.annotate(units.seconds(float(p50)), (1, place), (10, 0), ("axes fraction", "data"), "offset points", va="center",
                  color=canvas.INK, size=FONT_PT - 1, annotation_clip=False)  # fmt: skip


def _swarm(ascending: Values) -> Values:
    """Shifts by which points of one row stand beside one another: wider where there are many, the same every time."""
    if len(ascending) < 2 or ascending[0] == ascending[-1]:  # noqa: PLR2004
        return np.zeros(len(ascending))
    counts, edges = np.histogram(ascending, bins=max(8, min(60, len(ascending) // 6)))
    bins = np.clip(np.searchsorted(edges, ascending, side="right") - 1, 0, len(counts) - 1)
    spread = (np.arange(len(ascending)) * 0.6180339887) % 1 - 0.5
    return np.asarray(spread * 0.78 * np.sqrt(counts[bins] / counts.max()), dtype=float)


def quantiles(spreads: Sequence[Spread], metric: str, device: str) -> str:
    """Before and after: which share of the requests took no longer than what; the tail stretched."""
    drawn = canvas.figure(250)
    plot = canvas.axes(drawn, left=84, right=108, top=16, bottom=42)
    most = max(len(spread.values) for spread in spreads)
    reach = math.log10(max(most, 2))
    low, high = min(s.values[0] for s in spreads), max(s.values[-1] for s in spreads)
    log = bool(low > 0 and high / low > _LOG_FROM)
    plot.set_xlim(-0.02 * reach, reach)
    _value_axis(plot, low, high, log=log, vertical=True)
    ends = []
    for spread in spreads:
        steps = np.linspace(0, math.log10(len(spread.values)), 120)
        values = np.quantile(spread.values, 1 - 10.0**-steps)
        colour = _TONES[spread.tone] if spread.tone is None else canvas.ACCENT
        plot.plot(steps, values, color=colour, lw=2)
        canvas.cloud(plot, steps, values, colour=colour, size_pt=2, opacity=0, label=spread.label)
        ends.append((spread.label, float(values[-1])))
    _end_labels(plot, ends)
    shown = [q for q in _QUANTILES if -math.log10(1 - q) <= reach * 1.001]
    plot.set_xticks([-math.log10(1 - q) for q in shown], [say("lowest") if q == 0 else f"p{100 * q:g}" for q in shown])
    plot.set_xlabel(say("share of requests that took no longer"), color=canvas.MUTED, size=FONT_PT - 1)
    title = say("Quantiles of {metric} on {device}, before and after", metric=metric.lower(), device=device)
    return canvas.svg(drawn, title, f'data-unit="s" {canvas.axis_of_values(plot, "y", log=log)}')


def in_order(courses: Sequence[Course], device: str) -> str:
    """Latency in the order measured: warm-up as rings, timed requests as dots, a line of moving medians, processes apart."""
    drawn = canvas.figure(280)
    plot = canvas.axes(drawn, left=84, right=78, top=26, bottom=42)
    places = np.concatenate([np.concatenate([c.warmup[0], c.timed[0]]) for c in courses])
    values = np.concatenate([np.concatenate([c.warmup[1], c.timed[1]]) for c in courses])
    plot.set_xlim(places.min() - 1, places.max() + 1)
    timed = np.concatenate([c.timed[1] for c in courses if len(c.timed[1])] or [values])
    log = bool(values.min() > 0 and values.max() / timed.min() > _LOG_FROM)
    _value_axis(plot, values.min(), values.max(), log=log, vertical=True)
    size = 4.5 if len(places) < 600 else 3.0 if len(places) < 2500 else 2.2  # noqa: PLR2004  # as there is room
    numbers = {worker: place for place, worker in enumerate(dict.fromkeys(c.worker for c in courses), start=1)}
    for course in courses:
        fill = canvas.ACCENT if course.after else canvas.BEFORE
        told = say("{arm}, process {number}", arm=course.label, number=numbers[course.worker])
        canvas.cloud(plot, *course.timed, colour=fill, size_pt=size, opacity=0.7, label=told)
        canvas.cloud(plot, *course.warmup, colour=fill, size_pt=size + 1.5, opacity=0.9, ring=True,
                     label=say("{arm}, warm-up", arm=told))  # fmt: skip
        plot.plot(*course.moving, color=canvas.INK if course.after else canvas.MUTED, lw=1.6)
    _processes(plot, courses, numbers)
    last = {course.label: float(np.median(course.timed[1])) for course in courses if len(course.timed[1])}
    _end_labels(plot, list(last.items()))
    plot.set_xticks([])
    plot.set_xlabel(say("requests in the order measured \u2192"), color=canvas.MUTED, size=FONT_PT - 1)
    title = say("Latency of each request on {device}, in the order measured", device=device)
    return canvas.svg(drawn, title, f'data-unit="s" {canvas.axis_of_values(plot, "y", log=log)}')


def _processes(plot: Axes, courses: Sequence[Course], numbers: Mapping[int, int]) -> None:
    """A line where each process begins, and its number."""
    first: dict[int, float] = {}
    for course in courses:
        start = min([*course.warmup[0], *course.timed[0]], default=math.inf)
        first[course.worker] = min(first.get(course.worker, math.inf), start)
    for worker, start in first.items():
        plot.axvline(start - 0.5, color=canvas.RULE, lw=1, zorder=0)
        if len(first) <= 12:  # noqa: PLR2004  # numbers beyond would lie on one another
            plot.annotate(str(numbers[worker]), (start, 1), (2, 4), ("data", "axes fraction"), "offset points",
                          color=canvas.MUTED, size=FONT_PT - 2.5)  # fmt: skip


def warmup(places: Places, warm: int, device: str) -> str:
    """The baseline's requests since the start of their process, as shares of its timed median; warm-up to the left of the line."""
    drawn = canvas.figure(230)
    plot = canvas.axes(drawn, left=84, right=78, top=22, bottom=42)
    attributes = _shares(plot, places, say("one request"), line=True)
    plot.axvline(warm + 0.5, color=canvas.MUTED, lw=1, ls=(0, (2, 3)))
    plot.annotate(say("warm-up, not used"), (warm + 0.5, 1), (-6, 6), ("data", "axes fraction"), "offset points", ha="right",
                  color=canvas.MUTED, size=FONT_PT - 1.5)  # fmt: skip
    plot.annotate(say("timed \u2192"), (warm + 0.5, 1), (6, 6), ("data", "axes fraction"), "offset points",
                  color=canvas.MUTED, size=FONT_PT - 1.5)  # fmt: skip
    plot.set_xlabel(say("request since the start of its process"), color=canvas.MUTED, size=FONT_PT - 1)
    return canvas.svg(drawn, say("Warm-up on {device}: latency beside its own median", device=device), attributes)


def positions(places: Places, device: str) -> str:
    """All arms by their place in a block: what stands where must not matter."""
    drawn = canvas.figure(210)
    plot = canvas.axes(drawn, left=84, right=78, top=18, bottom=42)
    attributes = _shares(plot, places, say("one request"), line=False)
    plot.set_xlabel(say("place in the block"), color=canvas.MUTED, size=FONT_PT - 1)
    return canvas.svg(drawn, say("Latency on {device} by place in the block, beside the median of its arm", device=device),
                      attributes)  # fmt: skip


def _shares(plot: Axes, places: Places, label: str, *, line: bool) -> str:
    """Points, medians and quartiles of shares on a logarithmic axis around one."""
    low, high = float(places.points[1].min()), float(places.points[1].max())
    low, high = min(low, 0.98), max(high, 1.02)
    plot.set_xlim(places.numbers.min() - 0.6, places.numbers.max() + 0.6)
    plot.set_yscale("log")
    plot.set_ylim(low / 1.02, high * 1.02)
    plot.axhline(1, color=canvas.MUTED, lw=1, zorder=0)
    shift = ((np.arange(len(places.points[0])) * 0.6180339887) % 1 - 0.5) * 0.45
    canvas.cloud(
        plot, places.points[0] + shift, places.points[1], colour=canvas.BEFORE, size_pt=3, opacity=0.55, label=label
    )
    for number, first, last in zip(places.numbers, places.low, places.high, strict=True):
        plot.plot([number, number], [first, last], color=canvas.ACCENT, lw=3, solid_capstyle="butt")
    style = {"lw": 1.4} if line else {"ls": ""}
    plot.plot(places.numbers, places.medians, color=canvas.ACCENT, marker="o", ms=5.5, mec=canvas.SURFACE, **style)
    ticks = [
        tick for tick in (0.1, 0.2, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100) if low <= tick <= high
    ]
    ticks = ticks if len(ticks) > 1 else [low, 1, high]
    plot.set_yticks(ticks, [f"{100 * tick:.3g}{units.SPACE}%" for tick in ticks])
    plot.set_yticks([], minor=True)
    numbers = places.numbers[:: max(1, len(places.numbers) // 16)]
    plot.set_xticks(numbers, [f"{number:.0f}" for number in numbers])
    return f'data-unit="ratio" {canvas.axis_of_values(plot, "y", log=True)}'


def _end_labels(plot: Axes, ends: Sequence[tuple[str, float]]) -> None:
    """Names at the right end of their lines, in the order of these, none on another."""
    height = plot.get_window_extent().height
    to_pt = plot.transData.transform
    taken: list[float] = []
    for label, value in sorted(ends, key=lambda end: end[1]):
        wanted = to_pt((plot.get_xlim()[1], value))[1] - plot.get_window_extent().y0
        place = max(wanted, taken[-1] + FONT_PT + 3) if taken else wanted
        taken.append(place)
        plot.annotate(clipped(label, 14), (1, place / height), (8, 0), "axes fraction", "offset points", va="center",
                      color=canvas.INK, annotation_clip=False, size=FONT_PT - 0.5)  # fmt: skip


def _value_axis(plot: Axes, low: float, high: float, *, log: bool, vertical: bool = False) -> None:
    """An axis of seconds with ticks at round numbers; linear ones leave some room, and do not start at zero by themselves."""
    if log:
        (plot.set_yscale if vertical else plot.set_xscale)("log")
        ends = low / 1.05, high * 1.05
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    else:
        pad = 0.04 * (high - low) or 0.01 * high or 1.0
        ends = max(low - pad, 0.0), high + pad
        ticks = nice_ticks(ends[0], ends[1], 6)
    shown = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    (plot.set_ylim if vertical else plot.set_xlim)(*ends)
    (plot.set_yticks if vertical else plot.set_xticks)(shown, [units.seconds(tick, 3) for tick in shown])
    (plot.set_yticks if vertical else plot.set_xticks)([], minor=True)
