"""Every sample of a device's latency: how they are distributed, and in the order in which they were measured."""

from __future__ import annotations

from functools import partial

from harness.report import plots
from harness.report.model import Device
from harness.report.reading import Reading
from harness.report.section import Section
from harness.report.words import say


def distributions(reading: Reading, device: Device) -> Section | None:
    """Samples and quantiles of each arm."""
    return None


def in_order(reading: Reading, device: Device) -> Section | None:
    """Samples over time, and how arms warmed up."""
    if not device.levels:
        return None
    return Section(name="order", title=say("In the order measured"), template="order.html.j2", data=device,
                   plots={"levels": partial(plots.levels, device.levels, device.name)})  # fmt: skip
