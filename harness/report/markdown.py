"""A run as GitHub-flavoured Markdown for a pull request: the answer first, the rest folded away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import units
from harness.report import page, sections
from harness.report.markup import escape, fold, tabulate
from harness.report.model import Badge, Device, Frontier, Incident, InvalidRow, MetricTable, Page, Row
from harness.report.reading import Reading
from harness.results import Run

_MARKS = {"good": "\u2714", "bad": "\u2718", "level": "=", "open": "?", "invalid": "\u2013"}


def markdown(run: Run) -> str:
    """The report of `run` as Markdown. Text from the run is escaped: it cannot add markup, links or mentions."""
    return "\n".join(_lines(page.build(run), Reading(run))).rstrip() + "\n"


def _lines(report: Page, reading: Reading) -> Iterator[str]:
    yield f"## {escape(report.title)}"
    yield ""
    for device in report.devices:
        yield f"- **{escape(device.name)}**: {escape(device.answer)}"
    yield ""
    for notice in report.notices:
        yield f"> {escape(notice)}"
        yield ""
    yield from _controls(report.devices)
    for device in report.devices:
        yield from _device(device)
        for section in sections.of_device(reading, device):
            if section.markdown is not None:
                yield from fold(f"{section.title}: {device.name}", section.markdown())
    yield from _incidents("Failures", report.failures)
    yield from _incidents("Findings", report.findings)
    yield from fold("Environment", _environment(report))
    yield "To run it again:"
    yield ""
    yield f"    {' '.join(report.command.split())}"


def _controls(devices: Sequence[Device]) -> Iterator[str]:
    cells = [
        (device.name, control.name, control.metric, control.expected, control.measured,
         "passed" if control.passed else "**failed**", control.reason)
        for device in devices
        for control in device.controls
    ]  # fmt: skip
    yield "### Controls"
    yield ""
    if not cells:
        yield "The run holds no controls, so it is not calibrated."
        yield ""
        return
    yield from tabulate(
        ("Device", "Control", "Metric", "Expected", "Measured (interval)", "Outcome", "Why"),
        [(*map(escape, cell[:5]), cell[5], escape(cell[6])) for cell in cells],
    )


def _device(device: Device) -> Iterator[str]:
    state = "" if device.calibrated else " (not calibrated)"
    yield f"### {escape(device.headline.title)} on {escape(device.name)}{state}"
    yield ""
    if device.headline.rows:
        yield from tabulate(
            ("Optimization", "Before", "After", "Change", "95 % interval", "Verdict", "Witness", "Output"),
            [_headline(row) for row in device.headline.rows],
        )
    else:
        yield "No optimization can be compared."
        yield ""
    if device.foresight:
        yield escape(device.foresight)
        yield ""
    if device.invalid:
        yield "Not comparable, and so not among the rows above:"
        yield ""
        yield from tabulate(
            ("Optimization", "State", "Why", "Witness", "Output"), [_invalid(entry) for entry in device.invalid]
        )
    yield from _scales(device)
    yield from _frontiers(device)
    yield from _details(device)
    for title, reason in device.unavailable:
        yield f"{escape(title)} on {escape(device.name)}: {units.NOT_MEASURED} ({escape(reason)})."
        yield ""


def _scales(device: Device) -> Iterator[str]:
    if device.scales:
        yield f"#### Two scales on {escape(device.name)}"
        yield ""
        yield "A call of each place, timed alone, times the calls of a request, beside what was measured of requests."
        yield ""
        yield from tabulate(
            ("Optimization", "A call", "Calls", "Expected of a request", "Share", "Measured", "95 % interval"),
            [
                tuple(
                    map(
                        escape,
                        (row.name, row.call, row.calls, row.expected, row.share, row.measured, row.measured_interval),
                    )
                )
                for row in device.scales
            ],
        )


def _frontiers(device: Device) -> Iterator[str]:
    for frontier in device.frontiers:
        yield f"#### {escape(frontier.title)} on {escape(device.name)}"
        yield ""
        if frontier.note:
            yield escape(frontier.note)
            yield ""
        yield from _frontier(frontier)


def _details(device: Device) -> Iterator[str]:
    """Everything below the headline, folded away; what has no rows is left out."""
    for table in device.tables:
        if table.rows:
            yield from fold(f"{table.title} on {device.name}: quantiles and intervals", _quantiles(table))
    parts = (
        (device.kinds, f"By kind of request on {device.name}", _kinds),
        (device.playback, f"Streaming on {device.name}, as a listener hears it", _playback),
        (device.stages, f"Stages on {device.name}", _stages),
        (device.stage_peaks, f"Memory of {device.name} by stage", _memory),
    )
    for found, title, lines in parts:
        if found:
            yield from fold(title, lines(device))


def _memory(device: Device) -> Iterator[str]:
    yield from tabulate(
        ("Stage", "Allocated before", "Allocated after", "Reserved before", "Reserved after"),
        [(escape(row.stage), *map(escape, row.figures)) for row in device.stage_peaks],
    )
    if device.allocator:
        yield from tabulate(
            ("Arm", "Device mallocs", "Device frees", "Allocator retries"),
            [(escape(row.arm), *map(escape, row.figures)) for row in device.allocator],
        )


def _headline(row: Row) -> tuple[str, ...]:
    return (_name(row), escape(row.before), escape(row.after), escape(row.change), escape(row.interval), _badge(row.verdict),
            escape(row.witness), escape(row.equivalence))  # fmt: skip


def _invalid(entry: InvalidRow) -> tuple[str, ...]:
    return tuple(map(escape, (entry.name, entry.verdict.text, entry.reason, entry.witness, entry.equivalence)))


def _quantiles(table: MetricTable) -> Iterator[str]:
    names = list(dict.fromkeys(quantile.name for row in table.rows for quantile in row.quantiles))
    lines = []
    for row in table.rows:
        found = {quantile.name: quantile for quantile in row.quantiles}
        cells = [f"{found[n].before} \u2192 {found[n].after}" if n in found else units.DASH for n in names]
        lines.append(
            (_name(row), *map(escape, (*cells, row.change, row.interval)), _badge(row.verdict), escape(row.evidence))
        )
    yield from tabulate(("Optimization", *names, "Change", "95 % interval", "Verdict", "Evidence"), lines)


def _kinds(device: Device) -> Iterator[str]:
    yield "The kinds of a metric share the 5 % of their row over the whole workload, which keeps the verdict."
    yield ""
    yield from tabulate(
        ("Optimization", "Metric", "Kind of request", "Before", "After", "Change", "Interval", "Level", "Verdict"),
        [
            (_name(row), *map(escape, (row.metric_title, row.kind, row.before, row.after, row.change, row.interval,
                                      row.level)), _badge(row.verdict))
            for table in device.kinds
            for row in table.rows
        ],
    )  # fmt: skip


def _playback(device: Device) -> Iterator[str]:
    yield "A player that starts at the first chunk. Recorded for each arm, not compared: zero has no ratio."
    yield ""
    yield from tabulate(
        ("Kind of request", "Arm", "First audio (p50)", "Longest gap (p50)", "Longest gap (p95)", "Requests that ran dry",
         "Underruns", "Silence (p50)", "Silence (p95)"),
        [
            tuple(map(escape, (row.kind, row.arm, row.first, row.gap, row.worst_gap, row.dry, row.underruns, row.silence,
                              row.worst_silence)))
            for row in device.playback
        ],
    )  # fmt: skip


def _frontier(frontier: Frontier) -> Iterator[str]:
    yield from tabulate(
        ("Requests", "State", "Latency", "Change", "95 % interval", "Audio/s", frontier.peak_title, "Change", "Frontier"),
        [
            (*map(escape, (panel.title, p.name, p.latency, p.change, p.interval, p.rate, p.peak, p.peak_change)),
             "\u25cf" if p.efficient else escape(p.reason))
            for panel in frontier.panels
            for p in panel.points
        ],
    )  # fmt: skip


def _stages(device: Device) -> Iterator[str]:
    yield from tabulate(
        ("Stage", "Before", "Share", "After", "Share", "Change"),
        [
            tuple(map(escape, (s.name, s.before, s.share_before, s.after, s.share_after, s.change)))
            for s in device.stages
        ],
    )


def _incidents(title: str, entries: Sequence[Incident]) -> Iterator[str]:
    if entries:
        yield f"### {title}"
        yield ""
        for entry in entries:
            about = f" {escape(entry.about)}:" if entry.about else ""
            yield f"- {escape(entry.device)}, {escape(entry.kind)}:{about} {escape(entry.message)}"
        yield ""


def _environment(report: Page) -> Iterator[str]:
    lines = [(escape(group), escape(key), escape(value)) for group, facts in report.environment for key, value in facts]
    yield from tabulate(("Part", "Fact", "Value"), lines)


def _name(row: Row) -> str:
    name = "**all together**" if row.name == "all" else escape(row.name)
    return f"{name} (from {escape(row.against)})" if row.against else name


def _badge(verdict: Badge) -> str:
    return f"{_MARKS[verdict.tone]} {escape(verdict.text)}"
