"""Comparison -> text: one self-contained HTML page, and Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from harness import units
from harness.report import canvas, standalone
from harness.report.comparing.model import Comparison, Part
from harness.report.comparing.plot import intervals
from harness.report.markup import escape, fold, tabulate
from harness.report.model import Row
from harness.report.visible import visible

_MARKS = {"good": "\u2714", "bad": "\u2718", "level": "=", "open": "?", "invalid": "\u2013"}


def html(comparison: Comparison) -> str:
    """The page. It needs no network, no script and no other file."""
    labels = [side.label for side in comparison.sides]
    return standalone.render(
        "comparing/comparison.html.j2",
        styles="comparing/comparison.css",
        page=comparison,
        plots={part.metric: _inline(intervals(part, labels), number) for number, part in enumerate(comparison.parts)},
        clean=visible,
    )


def _inline(drawn: str, number: int) -> Markup:
    return Markup(canvas.inline(drawn, f"metric-{number}"))  # noqa: S704  matplotlib escapes what it draws


def markdown(comparison: Comparison) -> str:
    """Text from the runs is escaped: it cannot add markup, links or mentions."""
    return "\n".join(_lines(comparison)).rstrip() + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"## {escape(comparison.title)}"
    yield ""
    yield from tabulate(
        ("", "Scenario", "Started (UTC)", "Machine", "Device", "Commit", "Calibrated", "Answer"),
        [
            tuple(map(escape, (side.label, side.scenario, side.day, side.machine, side.device, side.commit,
                               "; ".join(filter(None, (side.calibrated.text, side.state))), side.answer)))
            for side in comparison.sides
        ],
    )  # fmt: skip
    for notice in comparison.notices:
        yield f"> {escape(notice)}"
        yield ""
    for number, part in enumerate(comparison.parts):
        lines = list(_part(comparison, part))
        yield from (f"### {escape(part.title)}", "", *lines) if number == 0 else fold(part.title, lines)
    if comparison.left_out:
        yield "### Not side by side"
        yield ""
        yield from tabulate(
            (escape(comparison.column), "Metrics", "Run", "Why"),
            [tuple(map(escape, (item.name, item.metrics, item.side, item.reason))) for item in comparison.left_out],
        )
    yield from _differences(comparison)


def _part(comparison: Comparison, part: Part) -> Iterator[str]:
    labels = [escape(side.label) for side in comparison.sides]
    yield from tabulate(
        (escape(comparison.column), *labels, "Intervals apart"),
        [
            (f"**{escape(line.name)}**" if line.name == "all" else escape(line.name), *map(_cell, line.cells),
             escape(line.apart or units.DASH))
            for line in part.lines
        ],
    )  # fmt: skip


def _cell(row: Row | None) -> str:
    if row is None:
        return units.DASH
    told = f"{_MARKS[row.verdict.tone]} {escape(row.verdict.text)}"
    if not row.change:
        return f"{told}{f': {escape(visible(row.reason))}' if row.reason else ''}"
    times = f"{escape(row.before)} \u2192 {escape(row.after)}"
    return f"**{escape(row.change)}** ({escape(row.interval)})<br>{told}<br>{times}"


def _differences(comparison: Comparison) -> Iterator[str]:
    if not comparison.differences:
        yield "The runs say the same of scenario, machine, versions and code."
        return
    yield "### What differs"
    yield ""
    yield from tabulate(
        ("Of", "What", *(escape(side.label) for side in comparison.sides)),
        [tuple(map(escape, (item.group, item.name, *item.values))) for item in comparison.differences],
    )
