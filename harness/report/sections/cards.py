"""One card for each optimization."""

from __future__ import annotations

from functools import partial

from harness.report import forest
from harness.report.model import Page, Toggle
from harness.report.reading import Reading, anchor
from harness.report.section import Drawing, Section
from harness.report.words import say
from harness.toggling import toggle_of

MOST_PLOTS = 24
"""Of more optimizations, the effects by kind of request are small drawings in their table."""


def optimizations(reading: Reading, page: Page) -> Section | None:
    """All cards; the parts of each are those of `sections.CARD_PARTS`."""
    if not page.toggles:
        return None
    return Section(
        name="optimizations", title=say("The optimizations, one by one"), template="cards.html.j2", data=page.toggles
    )


def by_kind(reading: Reading, page: Page, toggle: Toggle) -> Section | None:
    """The effect by kind of request, on each device, of each state."""
    told, drawn = [], dict[str, Drawing]()
    for device in page.devices:
        for table in device.kinds:
            if toggle_of(table.name) == toggle.name:
                drawn_too = table.plotted and len(device.kinds) <= MOST_PLOTS
                name = f"{device.anchor}-{anchor('kinds', table.name)}" if drawn_too else ""
                if name:
                    drawn[name] = partial(forest.kinds, table, device)
                told.append((device, table, name))
    if not told:
        return None
    return Section(name="kinds", title=say("By kind of request"), template="kinds.html.j2", data=told, plots=drawn)
