"""A run as GitHub-flavoured Markdown for a pull request: the answer first, the rest folded away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness import units
from harness.report import page
from harness.report.model import Badge, Device, Frontier, Incident, InvalidRow, MetricTable, Page, Row
from harness.results import Run

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
_MARKS = {"good": "\u2714", "bad": "\u2718", "level": "=", "open": "?", "invalid": "\u2013"}


def markdown(run: Run) -> str:
    """The report of `run` as Markdown. Text from the run is escaped: it cannot add markup, links or mentions."""
    return "\n".join(_lines(page.build(run))).rstrip() + "\n"


def _lines(report: Page) -> Iterator[str]:
    yield f"## {_text(report.title)}"
    yield ""
    for device in report.devices:
        yield f"- **{_text(device.name)}**: {_text(device.answer)}"
    yield ""
    for notice in report.notices:
        yield f"> {_text(notice)}"
        yield ""
    yield from _controls(report.devices)
    for device in report.devices:
        yield from _device(device)
    yield from _incidents("Failures", report.failures)
    yield from _incidents("Findings", report.findings)
    yield from _folded("Environment", _environment(report))
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
    yield from _table(
        ("Device", "Control", "Metric", "Expected", "Measured (interval)", "Outcome", "Why"),
        [(*map(_text, cell[:5]), cell[5], _text(cell[6])) for cell in cells],
    )


def _device(device: Device) -> Iterator[str]:
    state = "" if device.calibrated else " (not calibrated)"
    yield f"### {_text(device.headline.title)} on {_text(device.name)}{state}"
    yield ""
    if device.headline.rows:
        yield from _table(
            ("Optimization", "Before", "After", "Change", "95 % interval", "Verdict", "Witness", "Output"),
            [_headline(row) for row in device.headline.rows],
        )
    else:
        yield "No optimization can be compared."
        yield ""
    if device.foresight:
        yield _text(device.foresight)
        yield ""
    if device.invalid:
        yield "Not comparable, and so not among the rows above:"
        yield ""
        yield from _table(
            ("Optimization", "State", "Why", "Witness", "Output"), [_invalid(entry) for entry in device.invalid]
        )
    yield from _frontiers(device)
    yield from _details(device)
    for title, reason in device.unavailable:
        yield f"{_text(title)} on {_text(device.name)}: {units.NOT_MEASURED} ({_text(reason)})."
        yield ""


def _frontiers(device: Device) -> Iterator[str]:
    for frontier in device.frontiers:
        yield f"#### {_text(frontier.title)} on {_text(device.name)}"
        yield ""
        if frontier.note:
            yield _text(frontier.note)
            yield ""
        yield from _frontier(frontier)


def _details(device: Device) -> Iterator[str]:
    """Everything below the headline, folded away; what has no rows is left out."""
    for table in device.tables:
        if table.rows:
            yield from _folded(f"{table.title} on {device.name}: quantiles and intervals", _quantiles(table))
    parts = (
        (device.kinds, f"By kind of request on {device.name}", _kinds),
        (device.playback, f"Streaming on {device.name}, as a listener hears it", _playback),
        (device.stages, f"Stages on {device.name}", _stages),
        (device.stage_peaks, f"Memory of {device.name} by stage", _memory),
    )
    for found, title, lines in parts:
        if found:
            yield from _folded(title, lines(device))


def _memory(device: Device) -> Iterator[str]:
    yield from _table(
        ("Stage", "Allocated before", "Allocated after", "Reserved before", "Reserved after"),
        [(_text(row.stage), *map(_text, row.figures)) for row in device.stage_peaks],
    )
    if device.allocator:
        yield from _table(
            ("Arm", "Device mallocs", "Device frees", "Allocator retries"),
            [(_text(row.arm), *map(_text, row.figures)) for row in device.allocator],
        )


def _headline(row: Row) -> tuple[str, ...]:
    return (_name(row), _text(row.before), _text(row.after), _text(row.change), _text(row.interval), _badge(row.verdict),
            _text(row.witness), _text(row.equivalence))  # fmt: skip


def _invalid(entry: InvalidRow) -> tuple[str, ...]:
    return tuple(map(_text, (entry.name, entry.verdict.text, entry.reason, entry.witness, entry.equivalence)))


def _quantiles(table: MetricTable) -> Iterator[str]:
    names = list(dict.fromkeys(quantile.name for row in table.rows for quantile in row.quantiles))
    lines = []
    for row in table.rows:
        found = {quantile.name: quantile for quantile in row.quantiles}
        cells = [f"{found[n].before} \u2192 {found[n].after}" if n in found else units.DASH for n in names]
        lines.append(
            (_name(row), *map(_text, (*cells, row.change, row.interval)), _badge(row.verdict), _text(row.evidence))
        )
    yield from _table(("Optimization", *names, "Change", "95 % interval", "Verdict", "Evidence"), lines)


def _kinds(device: Device) -> Iterator[str]:
    yield "The kinds of a metric share the 5 % of their row over the whole workload, which keeps the verdict."
    yield ""
    yield from _table(
        ("Optimization", "Metric", "Kind of request", "Before", "After", "Change", "Interval", "Level", "Verdict"),
        [
            (_name(row), *map(_text, (row.metric_title, row.kind, row.before, row.after, row.change, row.interval,
                                      row.level)), _badge(row.verdict))
            for table in device.kinds
            for row in table.rows
        ],
    )  # fmt: skip


def _playback(device: Device) -> Iterator[str]:
    yield "A player that starts at the first chunk. Recorded for each arm, not compared: zero has no ratio."
    yield ""
    yield from _table(
        ("Kind of request", "Arm", "First audio (p50)", "Longest gap (p50)", "Longest gap (p95)", "Requests that ran dry",
         "Underruns", "Silence (p50)", "Silence (p95)"),
        [
            tuple(map(_text, (row.kind, row.arm, row.first, row.gap, row.worst_gap, row.dry, row.underruns, row.silence,
                              row.worst_silence)))
            for row in device.playback
        ],
    )  # fmt: skip


def _frontier(frontier: Frontier) -> Iterator[str]:
    yield from _table(
        ("Requests", "State", "Latency", "Change", "95 % interval", "Audio/s", frontier.peak_title, "Change", "Frontier"),
        [
            (*map(_text, (panel.title, p.name, p.latency, p.change, p.interval, p.rate, p.peak, p.peak_change)),
             "\u25cf" if p.efficient else _text(p.reason))
            for panel in frontier.panels
            for p in panel.points
        ],
    )  # fmt: skip


def _stages(device: Device) -> Iterator[str]:
    yield from _table(
        ("Stage", "Before", "Share", "After", "Share", "Change"),
        [
            tuple(map(_text, (s.name, s.before, s.share_before, s.after, s.share_after, s.change)))
            for s in device.stages
        ],
    )


def _incidents(title: str, entries: Sequence[Incident]) -> Iterator[str]:
    if entries:
        yield f"### {title}"
        yield ""
        for entry in entries:
            about = f" {_text(entry.about)}:" if entry.about else ""
            yield f"- {_text(entry.device)}, {_text(entry.kind)}:{about} {_text(entry.message)}"
        yield ""


def _environment(report: Page) -> Iterator[str]:
    lines = [(_text(group), _text(key), _text(value)) for group, facts in report.environment for key, value in facts]
    yield from _table(("Part", "Fact", "Value"), lines)


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{_text(title)}</summary>"
    yield ""
    yield from lines
    yield "</details>"
    yield ""


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"
    yield ""


def _name(row: Row) -> str:
    name = "**all together**" if row.name == "all" else _text(row.name)
    return f"{name} (from {_text(row.against)})" if row.against else name


def _badge(verdict: Badge) -> str:
    return f"{_MARKS[verdict.tone]} {_text(verdict.text)}"


def _text(text: str) -> str:
    """Text that Markdown and HTML leave alone, on one line; an at-sign calls nobody."""
    plain = " ".join(text.split()) if "\n" in text or "\r" in text else text
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")
    return _SPECIAL.sub(r"\\\1", escaped)
