"""The tables of a report as rows of text, for every output that is not HTML: Markdown and terminal lay out the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import units
from harness.report.caches import Caches, warnings
from harness.report.curves import Change, Curves
from harness.report.jointly import Jointly
from harness.report.model import Badge, Device, Frontier, InvalidRow, MetricTable, Page, Row, Tone
from harness.report.starts import Phase, Starts
from harness.results import TOGETHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Text of a run, not escaped yet. `tone` is that of a verdict; what is `strong` stands out."""

    text: str
    tone: Tone | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: what it is called, what to know before reading it, and its cells.

    The first `keys` columns say what a row is about; `figures` are the titles of columns of numbers.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    keys: int = 1
    figures: frozenset[str] = frozenset()


_FIGURES = frozenset({
    "Before", "After", "Expected", "Measured (interval)", "A call", "Calls", "Expected of a request", "Share", "Measured",
    "Latency", "Audio/s", "Allocated before", "Allocated after", "Reserved before", "Reserved after",
    "Device mallocs", "Device frees", "Allocator retries", "Refused allocations", "Outside the allocator", "Held by the process", "First audio (p50)", "Longest gap (p50)", "Longest gap (p95)",
    "Requests that ran dry", "Underruns", "Silence (p50)", "Silence (p95)",
})  # fmt: skip


def of_device(device: Device, report: Page) -> Iterator[Table]:
    """Every table about one device that has rows, in the order of the report."""
    found = (
        headline(device, report), invalid(device, report), scales(device),
        *(frontier(entry, device) for entry in device.frontiers), *details(device, report),
    )  # fmt: skip
    return (table for table in found if table.rows)


def details(device: Device, report: Page) -> Iterator[Table]:
    """What stands below the headline: every metric, kinds of request, playback, stages, memory."""
    lacking = {title for title, _ in device.unavailable}
    measured = (
        table
        for table in device.tables
        if table.title not in lacking or any(row.ratio is not None for row in table.rows)
    )
    found = (
        *(quantiles(table, device, report) for table in measured), kinds(device, report), playback(device),
        stages(device), stage_peaks(device), allocator(device),
    )  # fmt: skip
    return (table for table in found if table.rows)


def controls(devices: Sequence[Device]) -> Table:
    """The controls of every device and their outcome."""
    return _table(
        "Controls",
        ("Device", "Control", "Metric", "Expected", "Measured (interval)", "Outcome", "Why"),
        [
            (*_plain(device.name, control.name, control.metric, control.expected, control.measured),
             Cell(text="passed") if control.passed else Cell(text="failed", tone="bad", strong=True), Cell(text=control.reason))
            for device in devices
            for control in device.controls
        ],
        keys=3,
    )  # fmt: skip


def headline(device: Device, report: Page) -> Table:
    """The metric of the answer, with witness and output."""
    return _table(
        f"{device.headline.title} on {device.name}",
        (report.words.column, "Before", "After", "Change", "95 % interval", "Verdict", "Witness", "Output"),
        [
            (name(row, report), *_plain(row.before, row.after, row.change, row.interval), verdict(row.verdict),
             *_plain(row.witness, row.equivalence))
            for row in device.headline.rows
        ],
        device.headline.note,
    )  # fmt: skip


def invalid(device: Device, report: Page) -> Table:
    """What has no place among gains, and why."""
    return _table(
        f"Not comparable on {device.name}",
        (report.words.column, "State", "Why", "Witness", "Output"),
        [
            _plain(_called(row, report), row.verdict.text, row.reason, row.witness, row.equivalence)
            for row in device.invalid
        ],
    )


def scales(device: Device) -> Table:
    """A place timed alone beside a request."""
    return _table(
        f"Two scales on {device.name}",
        ("Optimization", "A call", "Calls", "Expected of a request", "Share", "Measured", "95 % interval"),
        [
            _plain(row.name, row.call, row.calls, row.expected, row.share, row.measured, row.measured_interval)
            for row in device.scales
        ],
        "A call of each place, timed alone, times the calls of a request, beside what was measured of requests.",
    )


def starts(found: Starts) -> Table:
    """Init, the first request and the steady ones, side by side."""
    return _table(
        f"From start to steady on {found.device}",
        ("Optimization", "Init", "First request", "Steady request", "Even after", "In words"),
        [
            (Cell(text=row.name, strong=row.name == TOGETHER),
             *_plain(*map(_phase, (row.init, row.first, row.steady)), row.even, row.sentence))
            for row in found.rows
        ],
        found.note,
    )  # fmt: skip


def curves(found: Curves) -> Table:
    """Effects over length and concurrency, and where they cross."""
    return _table(
        f"By length and concurrency on {found.device}",
        ("Optimization", "Metric", "Over", "Range", "At the least", "At the most", "Sign changes at", "Gain is the margin at",
         "In words"),
        [
            (Cell(text=row.name, strong=row.name == TOGETHER),
             *_plain(row.metric, row.axis, row.span, *map(_end, (row.first, row.last)), row.sign, row.worth, row.advice))
            for row in found.rows
        ],
        found.note,
        keys=3,
    )  # fmt: skip


def _end(change: Change) -> str:
    return f"{change.change} ({change.band})" if change.band else change.change


def _phase(phase: Phase) -> str:
    told = f"{phase.change} ({phase.interval}), of {phase.before}" if phase.interval else phase.change
    return f"{told}; {phase.doubt}" if phase.doubt else told


def jointly(found: Jointly) -> Iterator[Table]:
    """What each optimization has of the whole change, and how two of them act together; only what has rows."""
    part = f"A part of all combinations was measured: {'; '.join(found.generators)}." if found.generators else ""
    advice = [found.advice_shares, found.advice_order, f"All together: {found.total}. {found.method}", part]
    yield _table(
        f"What each has of the whole change of {found.metric_title.lower()} on {found.device}",
        ("Optimization", "Share", "Interval of the share", "Of the whole", "As the next step", "Interval of the step",
         "Main effect", "Interval of the effect", "Verdict"),
        [
            (*_plain(bar.name, bar.share, bar.share_interval, bar.part, bar.step, bar.step_interval, bar.main, bar.main_interval),
             Cell(text="") if bar.verdict is None else verdict(bar.verdict))
            for bar in found.bars
        ],
        " ".join(filter(None, advice)),
    )  # fmt: skip
    if found.cells:
        yield _table(
            f"Pairs on {found.device}",
            ("Pair", "Beyond the product", "Interval", "Verdict", "Not told apart from"),
            [
                (*_plain(f"{c.a} \u00d7 {c.b}", c.change, c.interval), verdict(c.verdict), Cell(text=c.aliases))
                for c in found.cells
            ],
            found.advice_together,
        )
    if found.others:
        yield _table(
            f"Shares in other metrics on {found.device}",
            ("Optimization", *found.other_metrics),
            [_plain(name, *told) for name, told in found.others],
        )


def caches(found: Caches, device: str) -> Table:
    """What toggles that are caches change at any hit rate, and what they hold."""
    said = [found.note, *(row.advice for row in found.rows), *(row.reuse for row in found.rows), *warnings(found)]
    return _table(
        f"Caches on {device}",
        ("Optimization", "No request hits", "Hits in this workload", "At that rate", "All requests hit", "Helps from",
         "An entry holds", "Growth"),
        [
            _plain(row.name, row.at_none.told, row.stated, row.at_stated.told, row.at_all.told, row.break_even, row.entry, row.growth)
            for row in found.rows
        ],
        " ".join(filter(None, said)),
    )  # fmt: skip


def frontier(entry: Frontier, device: Device) -> Table:
    """Time against peak, for each state of a toggle and each number of requests at once."""
    return _table(
        f"{entry.title} on {device.name}",
        ("Requests", "State", "Latency", "Change", "95 % interval", "Audio/s", entry.peak_title, "Change", "Frontier"),
        [
            _plain(panel.title, p.name, p.latency, p.change, p.interval, p.rate, p.peak, p.peak_change,
                   "\u25cf" if p.efficient else p.reason)
            for panel in entry.panels
            for p in panel.points
        ],
        entry.note,
        keys=2,
    )  # fmt: skip


def quantiles(table: MetricTable, device: Device, report: Page) -> Table:
    """One metric with p50, p95 and p99 of both sides."""
    names = list(dict.fromkeys(quantile.name for row in table.rows for quantile in row.quantiles))
    rows = []
    for row in table.rows:
        found = {quantile.name: quantile for quantile in row.quantiles}
        cells = [f"{found[n].before} \u2192 {found[n].after}" if n in found else units.DASH for n in names]
        rows.append(
            (
                name(row, report),
                *_plain(*cells, row.change, row.interval),
                verdict(row.verdict),
                Cell(text=row.evidence),
            )
        )
    return _table(
        f"{table.title} on {device.name}: quantiles and intervals",
        (report.words.column, *names, "Change", "95 % interval", "Verdict", "Evidence"), rows,
    )  # fmt: skip


def kinds(device: Device, report: Page) -> Table:
    """Effects by kind of request."""
    return _table(
        f"By kind of request on {device.name}",
        (report.words.column, "Metric", "Kind of request", "Before", "After", "Change", "Interval", "Level", "Verdict"),
        [
            (name(row, report), *_plain(row.metric_title, row.kind, row.before, row.after, row.change, row.interval, row.level),
             verdict(row.verdict))
            for table in device.kinds
            for row in table.rows
        ],
        "The kinds of a metric share the 5 % of their row over the whole workload, which keeps the verdict.",
        keys=3,
    )  # fmt: skip


def playback(device: Device) -> Table:
    """What a listener hears of streamed requests."""
    return _table(
        f"Streaming on {device.name}, as a listener hears it",
        ("Kind of request", "Arm", "First audio (p50)", "Longest gap (p50)", "Longest gap (p95)", "Requests that ran dry",
         "Underruns", "Silence (p50)", "Silence (p95)"),
        [
            _plain(row.kind, row.arm, row.first, row.gap, row.worst_gap, row.dry, row.underruns, row.silence, row.worst_silence)
            for row in device.playback
        ],
        "A player that starts at the first chunk. Recorded for each arm, not compared: zero has no ratio.",
        keys=2,
    )  # fmt: skip


def stages(device: Device) -> Table:
    """Where the time of a request goes."""
    return _table(
        f"Stages on {device.name}",
        ("Stage", "Before", "Share", "After", "Share", "Change"),
        [_plain(s.name, s.before, s.share_before, s.after, s.share_after, s.change) for s in device.stages],
    )


def stage_peaks(device: Device) -> Table:
    """Peaks of memory by stage."""
    return _table(
        f"Memory of {device.name} by stage",
        ("Stage", "Allocated before", "Allocated after", "Reserved before", "Reserved after"),
        [_plain(row.stage, *row.figures) for row in device.stage_peaks],
    )


def allocator(device: Device) -> Table:
    """What the allocator asked of the driver, and what was held outside it."""
    return _table(
        f"The allocator and the driver on {device.name}",
        ("Arm", *(device.allocator.titles if device.allocator else ())),
        [_plain(row.arm, *row.figures) for row in (device.allocator.rows if device.allocator else ())],
        device.allocator.note if device.allocator else "",
    )


def environment(report: Page) -> Table:
    """Everything that the run knows of its machine."""
    facts = ((group, key, value) for group, known in report.environment for key, value in known)
    return _table("Environment", ("Part", "Fact", "Value"), [_plain(*fact) for fact in facts], keys=2)


def name(row: Row, report: Page) -> Cell:
    """What a row is about; everything at once stands out."""
    called = _called(row, report)
    if report.gate:
        return Cell(text=called)
    if row.name == TOGETHER:
        return Cell(text=f"all together{_from(row)}", strong=True)
    return Cell(text=f"{called}{_from(row)}")


def verdict(badge: Badge) -> Cell:
    """A verdict and its mood."""
    return Cell(text=badge.text, tone=badge.tone)


def _called(row: Row | InvalidRow, report: Page) -> str:
    return row.title if report.gate else row.name


def _from(row: Row) -> str:
    return f" (from {row.against})" if row.against else ""


def _plain(*texts: str) -> tuple[Cell, ...]:
    return tuple(Cell(text=text) for text in texts)


def _table(
    title: str, head: tuple[str, ...], rows: Sequence[tuple[Cell, ...]], note: str = "", *, keys: int = 1
) -> Table:
    return Table(title=title, head=head, rows=tuple(rows), note=note, keys=keys, figures=_FIGURES & set(head))
