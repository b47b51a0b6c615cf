"""How far each stage is from what this machine allows, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import least
from harness.report.markup import escape, tabulate
from harness.report.model import Device, Page
from harness.report.reading import Reading
from harness.report.section import Section
from harness.report.words import say


def floors(reading: Reading, device: Device) -> Section | None:
    """The least time of each stage, and which ceiling binds."""
    found = least.table(reading, device.name)
    if found is None:
        return None
    return Section(name="limits", title=say("How far from the limit"), template="limits.html.j2", data=found,
                   markdown=lambda: _floors(found))  # fmt: skip


def _floors(found: least.FloorTable) -> Iterator[str]:
    yield from tabulate(
        [say("Arm"), *found.head],
        [[escape(text) for text in (row.arm, row.stage, *row.figures, " ".join(filter(None, (row.binds, row.note))))]
         for row in found.rows],
    )  # fmt: skip
    yield "; ".join(f"{escape(name)}: {escape(value)}" for name, value in found.ceilings)
    yield ""


def advice(reading: Reading, page: Page) -> Section | None:
    """What is still to gain, on each device, most first."""
    told = [(device.name, rows) for device in page.devices
            if (rows := least.advised(reading, device.name, page.profiles))]  # fmt: skip
    if not told:
        return None
    return Section(name="advice", title=say("What to do next"), template="advice.html.j2", data=told,
                   markdown=lambda: _advice(told))  # fmt: skip


def _advice(told: list[tuple[str, tuple[least.AdviceRow, ...]]]) -> Iterator[str]:
    for device, rows in told:
        for place, row in enumerate(rows, start=1):
            yield f"{place}. **{escape(device)}, {escape(row.lead)}.** {escape(' '.join(row.sentences))}"
        yield ""
