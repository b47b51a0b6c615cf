"""Effects over length and concurrency."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.report import curve_plot
from harness.report.curves import Change, CurveRow, Curves
from harness.report.curves import curves as told
from harness.report.markup import escape, tabulate
from harness.report.model import Device
from harness.report.reading import Reading
from harness.report.section import Drawing, Section
from harness.report.words import say

HEAD = ("Optimization", "Metric", "Over", "Range", "At the least", "At the most", "In seconds", "Sign changes at",
        "Gain is the margin at")  # fmt: skip


def curves(reading: Reading, device: Device) -> Section | None:
    """What toggles change over the length of text and prompt, and requests at once; None where all requests are alike in them."""
    found = told(reading, device.name)
    if found is None:
        return None
    drawn: dict[str, Drawing] = {
        row.plot: partial(curve_plot.curve, row, device.name) for row in found.rows if row.plot
    }
    return Section(name="lengths", title=say("By length and concurrency"), template="curves.html.j2", data=found, plots=drawn,
                   markdown=partial(markdown, found))  # fmt: skip


def markdown(found: Curves) -> Iterator[str]:
    """The same as lines of Markdown."""
    for line in filter(None, (found.note, *(row.advice for row in found.rows))):
        yield f"- {escape(line)}"
    yield ""
    yield from tabulate([escape(say(title)) for title in HEAD], [list(map(escape, cells(row))) for row in found.rows])


def cells(row: CurveRow) -> tuple[str, ...]:
    """A curve as the cells of a table below `HEAD`."""
    return row.name, row.metric, row.axis, row.span, _cell(row.first), _cell(row.last), row.parts, row.sign, row.worth


def _cell(change: Change) -> str:
    return f"{change.change} ({change.band})" if change.band else change.change
