"""What each optimization changes on a device: the headline table with its plot, every metric, and kinds of requests."""

from __future__ import annotations

from functools import partial

from harness.report import forest
from harness.report.model import Device
from harness.report.reading import Reading, anchor
from harness.report.section import Section
from harness.report.words import say
from harness.results import TOGETHER


def effects(reading: Reading, device: Device) -> Section:
    """The answer in figures: before, after, change, verdict, witness and output of each optimization."""
    drawn = any(row.ratio is not None for row in device.headline.rows)
    return Section(
        name="effects",
        title=say("What each optimization changes") if not reading.run.plan.limits else say("What changed"),
        template="effects.html.j2",
        data=device,
        plots={
            "effects": partial(forest.effects, device),
            "effects-narrow": partial(forest.effects, device, narrow=True),
        }
        if drawn
        else {},
    )


def metrics(reading: Reading, device: Device) -> Section | None:
    """Everything on in every metric, and all rows of each metric with quantiles."""
    if not any(row.ratio is not None for table in device.tables for row in table.rows):
        return None
    return Section(name="metrics", title=say("Every metric"), template="metrics.html.j2", data=device)


def by_kind(reading: Reading, device: Device) -> Section | None:
    """All together, by kind of request; each optimization's kinds stand in its card."""
    found = next((table for table in device.kinds if table.name == TOGETHER), None)
    if found is None:
        return None
    drawn = {anchor("kinds", found.name): partial(forest.kinds, found, device)} if found.plotted else {}
    return Section(name="kinds", title=say("By kind of request"), template="kinds.html.j2",
                   data=[(device, found, next(iter(drawn), ""))], plots=drawn)  # fmt: skip
