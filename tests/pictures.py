"""The pictures of docs/method.md, from simulated runs: `python -m tests.pictures docs/pictures` draws them again.

They are drawn as the report's plots are, on a plain ground, because a page in Markdown has no colours of its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness import sequential
from harness.report import canvas
from harness.statistics import Effect, hodges_lehmann, joint_effects
from tests.simulated_looks import BLOCKS, LEVEL, MARGIN, WORKERS, normal

INTERVALS = (
    ("faster", -3.1, -1.4), ("no material difference", -0.5, 0.4), ("slower", 1.5, 2.6), ("inconclusive", 0.3, 1.7),
)  # fmt: skip
"""Made-up intervals in %, one for each verdict."""
COLOURS = {
    "faster": canvas.GOOD, "slower": canvas.BAD, "no material difference": canvas.MUTED, "inconclusive": canvas.OPEN,
}  # fmt: skip


def verdicts() -> Figure:
    """Where an interval must lie for which verdict."""
    drawn = canvas.figure(230)
    area = canvas.axes(drawn, left=200, right=30, top=20, bottom=50)
    _margin(area, horizontal=False)
    for row, (name, low, high) in enumerate(reversed(INTERVALS)):
        _interval(area, (low, high), row, COLOURS[name])
    area.set_yticks(range(len(INTERVALS)), [name for name, _, _ in reversed(INTERVALS)])
    area.set_ylim(-0.6, len(INTERVALS) - 0.4)
    area.set_xlim(-4, 4)
    area.set_xlabel("change in %, and the margin of 1 %", color=canvas.MUTED)
    return drawn


def workers() -> Figure:
    """What calls of one process say with great certainty, and what processes say together."""
    rng = np.random.default_rng(11)
    table = 100 * normal(rng, WORKERS, BLOCKS)
    drawn = canvas.figure(320)
    area = canvas.axes(drawn, left=200, right=30, top=20, bottom=50)
    area.axvline(0, color=canvas.RULE, linewidth=1)
    for worker, row in enumerate(table):
        centre, half = hodges_lehmann(list(row)), 1.96 * row.std(ddof=1) / math.sqrt(len(row))
        _interval(area, (centre - half, centre + half), WORKERS - worker, canvas.BEFORE)
    found = _effect(table, LEVEL)
    _interval(area, (found.low or 0.0, found.high or 0.0), -0.5, canvas.ACCENT)
    area.set_yticks(
        [-0.5, *range(1, WORKERS + 1)], ["across processes", *(f"process {n}" for n in range(WORKERS, 0, -1))]
    )
    area.set_xlabel("measured change of identical code in %, 95 % intervals", color=canvas.MUTED)
    return drawn


def looks() -> Figure:
    """Intervals at the looks of three runs, and where each stops."""
    drawn = canvas.figure(340)
    area = canvas.axes(drawn, left=70, right=150, top=20, bottom=50)
    _margin(area, horizontal=True)
    cases = ((0.0, canvas.MUTED, "identical"), (0.02, canvas.BAD, "2 % slower"), (0.01, canvas.OPEN, "1 % slower"))
    for place, (ratio, colour, name) in enumerate(cases):
        table = 100 * (normal(np.random.default_rng(5), WORKERS, BLOCKS) * 1.6 + math.log1p(ratio))
        for look, share in enumerate(sequential.LOOKS):
            found = _effect(table[:, : round(share * BLOCKS)], 1 - (1 - LEVEL) * sequential.part(look))
            at = look + 0.16 * (place - 1)
            area.plot(
                [at, at], [found.low or 0.0, found.high or 0.0], color=colour, linewidth=2.4, solid_capstyle="round"
            )
            area.plot([at], [found.location], marker="o", markersize=5, color=colour)
            edge = 100 * math.log1p(MARGIN)
            if sequential.smallest_error(found, -edge, edge) <= 1 - found.level or share == 1:
                area.annotate(
                    name, (at, found.location), xytext=(10, 0), textcoords="offset points", color=colour, va="center"
                )
                break
    area.set_xticks(range(len(sequential.LOOKS)), ["1/16", "1/8", "1/4", "1/2", "all"])
    area.set_xlim(-0.5, len(sequential.LOOKS) - 0.4)
    area.set_xlabel("share of the budget that is spent", color=canvas.MUTED)
    area.set_ylabel("change in %", color=canvas.MUTED)
    return drawn


def _effect(table: np.ndarray[tuple[int, ...], np.dtype[np.float64]], level: float) -> Effect:
    arms = {"x": {worker: {"": list(map(float, row))} for worker, row in enumerate(table)}}
    return joint_effects(arms, {"": 1.0}, level=level)["x"]


def _interval(area: Axes, ends: Sequence[float], row: float, colour: str) -> None:
    area.plot(ends, [row, row], color=colour, linewidth=4, solid_capstyle="round")
    area.plot([sum(ends) / 2], [row], marker="o", markersize=8, color=colour)


def _margin(area: Axes, *, horizontal: bool) -> None:
    span, line = (area.axhspan, area.axhline) if horizontal else (area.axvspan, area.axvline)
    span(-100 * MARGIN, 100 * MARGIN, color=canvas.BAND, linewidth=0)
    line(0, color=canvas.RULE, linewidth=1)


PICTURES = {
    "verdicts": (verdicts, "An interval beyond the margin, inside it, or across its edge, and the verdict of each."),
    "workers": (workers, ("Intervals over the calls of ten processes that run identical code miss zero more often than they "
                         "say; the interval across the processes holds it.")),
    "looks": (looks, ("Intervals at five looks: identical code and a change of 2 % are decided early, a change of the margin's "
                     "size runs to the end.")),
}  # fmt: skip


def draw(folder: Path) -> None:
    """Write every picture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, told) in PICTURES.items():
        with canvas.style():
            drawn = make()
            drawn.set_facecolor("#ffffff")
            text = canvas.svg(drawn, told)
        ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
        (folder / f"{name}.svg").write_text(text.replace("<defs>", f"{ground}<defs>", 1), encoding="utf-8")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
