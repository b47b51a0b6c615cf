"""What each optimization has of the whole change, in which order to adopt them, and how they act together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.report import jointly_plots, tables
from harness.report.grids import grid
from harness.report.jointly import Jointly, jointly
from harness.report.model import Device
from harness.report.reading import Reading
from harness.report.section import Drawing, Section
from harness.report.words import say


def attribution(reading: Reading, device: Device) -> Section | None:
    """Shares, order and interactions of a joint design; None for the other designs."""
    found = jointly(reading, device.name)
    if found is None:
        return None
    drawn: dict[str, Drawing] = {"waterfall": partial(jointly_plots.waterfall, found)}
    if found.cells:
        drawn["matrix"] = partial(jointly_plots.matrix, found)
    return Section(name="attribution", title=say("What each has of the whole"), template="attribution.html.j2",
                   data=found, plots=drawn, markdown=partial(markdown, found))  # fmt: skip


def markdown(found: Jointly) -> Iterator[str]:
    """The same as lines of Markdown."""
    for table in tables.jointly(found):
        yield from grid(table)
