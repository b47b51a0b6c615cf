"""Init, the first request and the steady ones, side by side."""

from __future__ import annotations

from functools import partial
from typing import Any

from harness.report import starts, tables
from harness.report.grids import grid
from harness.report.model import Device, Page, Toggle
from harness.report.reading import Reading
from harness.report.section import Section
from harness.report.words import say

_TEMPLATE = "starts.html.j2"


def of_device(reading: Reading, device: Device) -> Section | None:
    """All optimizations of a device; None where steady requests alone were measured."""
    found = starts.starts(reading, device.name)
    if found is None:
        return None
    return _section([found], markdown=partial(grid, tables.starts(found)))


def of_toggle(reading: Reading, page: Page, toggle: Toggle) -> Section | None:
    """One optimization, on each device."""
    told = (starts.starts(reading, device.name) for device in page.devices)
    found = [part for some in told if some is not None and (part := some.of(toggle.name)).rows]
    return _section(found) if found else None


def _section(found: list[starts.Starts], **more: Any) -> Section:
    return Section(name="starts", title=say("From start to steady"), template=_TEMPLATE, data=found, **more)
