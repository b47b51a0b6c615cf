"""Caches, by whether requests find their entry."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.report import cache_plot
from harness.report.caches import CacheRow, Caches, warnings
from harness.report.caches import caches as told
from harness.report.markup import escape, tabulate
from harness.report.model import Device
from harness.report.reading import Reading
from harness.report.section import Drawing, Section
from harness.report.words import say


def caches(reading: Reading, device: Device) -> Section | None:
    """What toggles that are caches do at any hit rate, and what they hold; None where there is none."""
    found = told(reading, device.name)
    if found is None:
        return None
    drawn: dict[str, Drawing] = {
        row.plot: partial(cache_plot.curve, row, device.name) for row in found.rows if row.plot
    }
    return Section(name="caches", title=say("Caches"), template="caches.html.j2", data=found, plots=drawn,
                   markdown=partial(markdown, found))  # fmt: skip


def markdown(found: Caches) -> Iterator[str]:
    """The same as lines of Markdown."""
    said = [found.note, *(row.advice for row in found.rows), *(row.reuse for row in found.rows)]
    for line in filter(None, (*said, *warnings(found))):
        yield f"- {escape(line)}"
    yield ""
    head = ("Optimization", "No request hits", "Hits in this workload", "At that rate", "All requests hit", "Helps from",
            "An entry holds", "Growth")  # fmt: skip
    yield from tabulate([escape(say(title)) for title in head], [_cells(row) for row in found.rows])


def _cells(row: CacheRow) -> list[str]:
    cells = (row.name, row.at_none.told, row.stated, row.at_stated.told, row.at_all.told, row.break_even, row.entry,
             row.growth)  # fmt: skip
    return [escape(text) for text in cells]
