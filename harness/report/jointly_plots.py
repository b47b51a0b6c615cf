"""The way from none to all as a waterfall, and how toggles act together as a matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from harness import units
from harness.report import canvas
from harness.report.axes import round_shares
from harness.report.canvas import FONT_PT
from harness.report.jointly import Bar, Cell, Jointly
from harness.report.labels import clipped
from harness.report.model import Tone
from harness.report.words import say

_ROW_PT = 30.0
_CELL_PT = 46.0
_LEFT_PT = 215.0
_LONGEST_LABEL = 30
_TICKS = 6
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0)
_COLOURS: dict[Tone, str] = {
    "good": canvas.GOOD, "bad": canvas.BAD, "level": canvas.BAND, "open": canvas.SURFACE, "invalid": canvas.SURFACE,
}  # fmt: skip


def waterfall(found: Jointly) -> str:
    """From none to all: a bar for each toggle, from where those above it end, with the interval of its own length."""
    rows = len(found.bars) + 2
    drawn = canvas.figure(_ROW_PT * rows + 60)
    plot = canvas.axes(drawn, left=_LEFT_PT, right=190, top=12, bottom=44)
    plot.set_ylim(rows - 0.4, -0.6)
    low, high = _reach(found)
    plot.set_xlim(low, high)
    plot.axvline(0, color=canvas.RULE, lw=1, zorder=0)
    _end(plot, 0, 0.0, "")
    for place, bar in enumerate(found.bars, start=1):
        _bar(plot, place, bar)
    _end(plot, rows - 1, found.total_log, found.total)
    labels = [say("none of them"), *(clipped(bar.title, _LONGEST_LABEL) for bar in found.bars), say("all together")]
    plot.set_yticks(range(rows), labels)
    plot.tick_params(axis="y", length=0, pad=10, labelcolor=canvas.INK, labelsize=FONT_PT)
    _percent_ticks(plot, low, high)
    told = {"metric": found.metric_title.lower(), "device": found.device}
    if found.has_shares:
        return canvas.svg(drawn, say("From none to all: shares of the change of {metric} on {device}", **told))
    return canvas.svg(drawn, say("From none to all: steps of the change of {metric} on {device}", **told))


def _reach(found: Jointly) -> tuple[float, float]:
    ends = [0.0, found.total_log, -0.005, 0.005]
    for bar in found.bars:
        low = bar.change_log if bar.low_log is None else bar.low_log
        high = bar.change_log if bar.high_log is None else bar.high_log
        ends += [bar.start_log + low, bar.start_log + high]
    pad = 0.04 * (max(ends) - min(ends))
    return min(ends) - pad, max(ends) + pad


def _bar(plot: Axes, place: int, bar: Bar) -> None:
    end = bar.start_log + bar.change_log
    sure = bar.low_log is not None and bar.high_log is not None and (bar.high_log < 0 or bar.low_log > 0)
    colour = canvas.BEFORE if not sure else canvas.ACCENT if bar.gains else canvas.BAD
    plot.barh(place, bar.change_log, 0.55, left=bar.start_log, color=colour, lw=0, zorder=1)
    plot.plot([bar.start_log, bar.start_log], [place - 1, place], color=canvas.RULE, lw=1, zorder=0)
    plot.plot([end, end], [place, place + 1], color=canvas.RULE, lw=1, zorder=0)
    if bar.low_log is not None and bar.high_log is not None:
        plot.plot(
            [bar.start_log + bar.low_log, bar.start_log + bar.high_log],
            [place, place],
            color=canvas.INK,
            lw=1.6,
            zorder=2,
        )
    text = bar.step if bar.share == units.DASH else bar.share
    plot.annotate(text, (1, place), (8, 0), ("axes fraction", "data"), textcoords="offset points", va="center",
                  color=canvas.INK, size=FONT_PT - 1, annotation_clip=False)  # fmt: skip


def _end(plot: Axes, place: int, log: float, text: str) -> None:
    plot.plot([log], [place], marker="s", ms=7.5, color=canvas.ACCENT, zorder=3)
    if text:
        plot.annotate(text, (1, place), (8, 0), ("axes fraction", "data"), textcoords="offset points", va="center",
                      color=canvas.INK, size=FONT_PT - 1, weight="bold", annotation_clip=False)  # fmt: skip


def _percent_ticks(plot: Axes, low: float, high: float) -> None:
    shares, step = round_shares(low, high, _STEPS, _TICKS)
    decimals = 0 if step >= 1 else 1 if step >= 0.1 else 2  # noqa: PLR2004  as many as the steps need
    plot.set_xticks([math.log1p(share) for share in shares],
                    ["0" if share == 0 else units.signed_percent(share, decimals) for share in shares])  # fmt: skip


def matrix(found: Jointly) -> str:
    """A square for each pair of toggles, with what they change together beyond the product of their changes."""
    names = found.names
    drawn = canvas.figure(_CELL_PT * len(names) + 40)
    plot = canvas.axes(drawn, left=_LEFT_PT, right=20, top=10, bottom=30)
    plot.spines["bottom"].set_visible(False)
    plot.set_xlim(-0.5, len(names) - 1.5)
    plot.set_ylim(len(names) - 0.5, 0.5)
    for cell in found.cells:
        _square(plot, names, cell)
    plot.set_yticks(range(1, len(names)), [clipped(name, _LONGEST_LABEL) for name in names[1:]])
    plot.set_xticks(range(len(names) - 1), [_narrow(name) for name in names[:-1]])
    plot.tick_params(length=0, labelcolor=canvas.INK, labelsize=FONT_PT - 2.5)
    told = {"metric": found.metric_title.lower(), "device": found.device}
    return canvas.svg(drawn, say("How pairs act together on {metric}, on {device}", **told))


def _square(plot: Axes, names: Sequence[str], cell: Cell) -> None:
    column, row = sorted((names.index(cell.a), names.index(cell.b)))
    tone = cell.verdict.tone
    plot.add_patch(
        Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, facecolor=_COLOURS[tone], edgecolor=canvas.RULE, lw=1)
    )
    ink = canvas.SURFACE if tone in ("good", "bad") else canvas.MUTED if tone == "open" else canvas.INK
    text = units.signed_percent(math.expm1(cell.change_log), 1)
    plot.annotate(text, (column, row), ha="center", va="center", color=ink, size=FONT_PT - 1)


def _narrow(name: str) -> str:
    """A name in two lines at most, for the foot of a column."""
    words, lines = name.split("_"), [""]
    for word in words:
        joined = f"{lines[-1]}_{word}" if lines[-1] else word
        if len(joined) > 14 and lines[-1]:  # noqa: PLR2004  letters that fit into a column
            lines.append(word)
        else:
            lines[-1] = joined
    return "\n".join(line[:15] for line in lines[:2])
