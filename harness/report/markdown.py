"""A run as GitHub-flavoured Markdown for a pull request: the answer first, the rest folded away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import units
from harness.report import labels, page, revisions, sections, tables
from harness.report.grids import grid
from harness.report.markup import escape, fold
from harness.report.model import Device, Incident, Page
from harness.report.reading import Reading
from harness.results import Run


def markdown(run: Run) -> str:
    """The report of `run` as Markdown. Text from the run is escaped: it cannot add markup, links or mentions."""
    return "\n".join(_lines(Reading(run), page.build(run))).rstrip() + "\n"


def _lines(reading: Reading, report: Page) -> Iterator[str]:
    yield f"## {escape(f'{report.title}: {report.words.about}' if report.gate else report.title)}"
    yield ""
    for device in report.devices:
        yield f"- **{escape(device.name)}**: {escape(device.answer)}"
    for side, told in revisions.facts(reading.run):
        yield f"- {escape(side)}: {escape(told)}"
    yield ""
    for notice in report.notices:
        yield f"> {escape(notice)}"
        yield ""
    yield "### Controls"
    yield ""
    controls = tables.controls(report.devices)
    yield from grid(controls) if controls.rows else ("The run holds no controls, so it is not calibrated.", "")
    for device in report.devices:
        yield from _device(device, report)
        for section in sections.of_device(reading, device):
            if section.markdown is not None:
                yield from fold(f"{section.title}: {device.name}", section.markdown())
    for section in sections.of_page(sections.PARTS_AFTER, reading, report):
        if section.markdown is not None:
            yield from fold(section.title, section.markdown())
    yield from _incidents("Failures", report.failures)
    yield from _incidents("Findings", report.findings)
    yield from fold("Environment", grid(tables.environment(report)))
    yield "To run it again:"
    yield ""
    yield f"    {' '.join(report.command.split())}"


def _device(device: Device, report: Page) -> Iterator[str]:
    headline, invalid = tables.headline(device, report), tables.invalid(device, report)
    yield f"### {escape(headline.title)}{'' if device.calibrated else ' (not calibrated)'}"
    yield ""
    yield from grid(headline) if headline.rows else (f"{report.words.none}.", "")
    if device.foresight:
        yield escape(device.foresight)
        yield ""
    if invalid.rows:
        yield "Not comparable, and so not among the rows above:"
        yield ""
        yield from grid(invalid)
    for table in (tables.scales(device), *(tables.frontier(entry, device) for entry in device.frontiers)):
        if table.rows:
            yield f"#### {escape(table.title)}"
            yield ""
            yield from grid(table)
    for table in tables.details(device, report):
        yield from fold(table.title, grid(table))
    for title, reason in device.unavailable:
        yield f"{escape(title)} on {escape(device.name)}: {units.NOT_MEASURED} ({escape(reason)})."
        yield ""


def _incidents(title: str, entries: Sequence[Incident]) -> Iterator[str]:
    if entries:
        yield f"### {title}"
        yield ""
        for entry in entries:
            about = f" {escape(entry.about)}:" if entry.about else ""
            yield f"- {escape(labels.of_incident(entry))}:{about} {escape(entry.message)}"
        yield ""
