"""A run for a terminal: the tables of the report, as wide as the terminal is. Nothing in a run file can steer it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from harness import units
from harness.report import labels, page, tables
from harness.report.caches import caches
from harness.report.curves import curves
from harness.report.jointly import jointly
from harness.report.model import ControlRow, Device, Facts, Incident, Page, Tone
from harness.report.reading import Reading
from harness.report.starts import starts
from harness.report.tables import Cell, Table
from harness.report.visible import visible
from harness.results import TOGETHER, Run

_TONES: Mapping[Tone, str] = {"good": "green", "bad": "red", "level": "default", "open": "yellow", "invalid": "magenta"}
_OF_LATENCY = ("rtf", "audio_rate")
"""Metrics that say in other words what latency does."""
_GAP = 2
_READABLE = 28
"""Text is not broken into lines shorter than this."""
_NEVER_BROKEN = frozenset({"Optimization", "Setting", "Verdict", "Outcome", "Stage", "Arm"})


def terminal(run: Run) -> Group:
    """Everything that the report of `run` says in tables, as something that rich prints."""
    report = page.build(run)
    parts: list[RenderableType] = [*_head(report)]
    controls = tables.controls(report.devices)
    parts += (
        laid_out(controls)
        if controls.rows
        else [_line("The run holds no controls, so it is not calibrated.", "yellow")]
    )
    reading = Reading(run)
    for device in report.devices:
        parts += _device(device, report, list(_further(reading, device.name)))
    parts += _incidents("Failures", report.failures)
    parts += _incidents("Findings", report.findings)
    parts += laid_out(tables.environment(report))
    return Group(*parts, Text(), Text.assemble("again: ", visible(report.command)))


def summary(run: Run) -> Group:
    """What a reader wants first: the answer of each device, its controls, and the table of the headline metric."""
    report = page.build(run)
    parts: list[RenderableType] = []
    for device in report.devices:
        parts += [Text(), _answer(device)]
        parts += [_control(control) for control in device.controls]
        for table in (
            tables.headline(device, report),
            tables.invalid(device, report),
            tables.scales(device),
        ):
            parts += laid_out(table) if table.rows else ()
        parts += [Text(), *map(_line, why)] if (why := _undecided(device)) else ()
        if elsewhere := _elsewhere(device):
            parts += [Text(), _line(elsewhere)]
        parts += [Text(), *map(_line, advice)] if (advice := _advice(run, device.name)) else ()
        if device.foresight:
            parts += [Text(), _line(device.foresight, "dim")]
    return Group(*parts)


def _undecided(device: Device) -> list[str]:
    """Why rows of the table are not decided, where the controls of the run passed."""
    reasons: dict[str, list[str]] = {}
    for row in device.headline.rows:
        if device.calibrated and row.verdict.tone == "open" and row.reason:
            reason = f"{row.reason} (what matters: \u00b1{units.percent(row.margin)})"
            reasons.setdefault(reason, []).append(row.setting or (row.title if row.name == TOGETHER else row.name))
    return [f"Inconclusive, {', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _elsewhere(device: Device) -> str:
    """What all together change in metrics that are not the table's: a gain in latency may be paid for at the start."""
    shown = {device.headline.metric, *_OF_LATENCY}
    moved = [row for row in device.together if row.metric not in shown and row.verdict.tone in ("good", "bad")]
    told = ", ".join(f"{row.metric_title} {row.change} ({row.before} \u2192 {row.after})" for row in moved)
    return (
        f"In other metrics, {moved[0].title[:1].lower()}{moved[0].title[1:]}: {told}; the page has them all."
        if moved
        else ""
    )


def _advice(run: Run, device: str) -> list[str]:
    """What a joint design says to do, and what a crossing over a length does: a sentence or two each."""
    found, over = jointly(Reading(run), device), curves(Reading(run), device)
    told = [] if found is None else [found.advice_shares, found.advice_order, found.advice_together]
    if over is not None:
        told += [row.advice for row in over.rows if any(crossing.told for crossing in row.curve.crossings)]
    return [advice for advice in told if advice]


def _answer(device: Device) -> Text:
    return Text.assemble((visible(device.name), "bold"), "  ", visible(device.answer))


def _control(control: ControlRow) -> Text:
    outcome = ("passed", "green") if control.passed else ("failed", "red")
    named = f"  control {visible(control.name)} ({visible(control.metric)}): "
    return Text.assemble(named, outcome, f", {visible(control.reason)}")


def _head(report: Page) -> Iterator[RenderableType]:
    about = f": {visible(report.words.about)}" if report.gate else ""
    yield Text.assemble((f"{visible(report.title)}{about}", "bold"))
    for device in report.devices:
        yield _answer(device)
    for notice in report.notices:
        yield _line(notice, "yellow")
    yield Text()
    yield _facts(report.facts)


def _further(reading: Reading, device: str) -> Iterator[Table]:
    """Tables of what not every run holds: a joint design, caches, starts, lengths."""
    if (shares := jointly(reading, device)) is not None:
        yield from tables.jointly(shares)
    if (held := caches(reading, device)) is not None:
        yield tables.caches(held, device)
    if (begun := starts(reading, device)) is not None:
        yield tables.starts(begun)
    if (over := curves(reading, device)) is not None:
        yield tables.curves(over)


def _device(device: Device, report: Page, further: Sequence[Table]) -> Iterator[RenderableType]:
    yield Text()
    state = "" if device.calibrated else " (not calibrated)"
    yield Rule(Text(f"{visible(device.name)}{state}", "bold"), align="left", style="dim", characters="\u2500")
    if not device.headline.rows:
        yield _line(f"{report.words.none}.")
    for table in (*tables.of_device(device, report), *further):
        yield from laid_out(table)
    if device.foresight:
        yield Text()
        yield _line(device.foresight, "dim")
    for title, reason in device.unavailable:
        yield _line(f"{title}: {units.NOT_MEASURED} ({reason})", "dim")


def _facts(facts: Facts) -> Grid:
    grid = Grid.grid(padding=(0, 2))
    for name, text in facts:
        grid.add_row(Text(visible(name), "dim"), Text(visible(text)))
    return grid


def _incidents(title: str, entries: Sequence[Incident]) -> Iterator[RenderableType]:
    if entries:
        yield Text()
        yield Text(title, "bold")
    for entry in entries:
        about = f" {entry.about}:" if entry.about else ""
        yield Padding(_line(f"{labels.of_incident(entry)}:{about} {entry.message}"), (0, 0, 0, 2))


def _line(text: str, style: str = "") -> Text:
    return Text(visible(text), style)


def laid_out(table: Table) -> Iterator[RenderableType]:
    """A table below its title, with what to know of it between them."""
    yield Text()
    yield Text(visible(table.title), "bold")
    if table.note:
        yield _line(table.note, "dim")
    yield Fitting(table)


class Fitting:
    """A table in as many parts below each other as the width asks for, each with the names of its rows.

    Where not even one column fits beside the names, a block of lines for each row. Nothing is cut off.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._needs = [self._need(place) for place in range(len(table.head))]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts = self._parts(options.max_width)
        for number, part in enumerate(parts):
            if number:
                yield Text()
            yield self._grid(part)
        if not parts:
            yield from self._blocks()

    def _need(self, place: int) -> int:
        """The least width in which a column can be read."""
        title = visible(self._table.head[place])
        longest = max(cell_len(visible(row[place].text)) for row in self._table.rows)
        return max(cell_len(title), longest if self._is_whole(place) else min(longest, _READABLE))

    def _is_whole(self, place: int) -> bool:
        """Whether the cells of a column are never broken into lines."""
        return self._table.head[place] in self._table.figures | _NEVER_BROKEN

    def _parts(self, width: int) -> list[list[int]]:
        """Which columns stand in each part; none where a part would hold nothing but names."""
        keys = list(range(self._table.keys))
        room = width - sum(self._needs[place] + _GAP for place in keys)
        parts: list[list[int]] = []
        left = 0
        for place in range(len(keys), len(self._needs)):
            need = self._needs[place]
            if need > room:
                return []
            if not parts or need > left:
                parts.append([*keys])
                left = room
            parts[-1].append(place)
            left -= need + _GAP
        return parts

    def _grid(self, places: Sequence[int]) -> Grid:
        grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
        for place in places:
            title = self._table.head[place]
            grid.add_column(
                Text(visible(title)), justify="right" if title in self._table.figures else "left",
                no_wrap=self._is_whole(place), min_width=self._needs[place], overflow="fold",
            )  # fmt: skip
        for row in self._table.rows:
            grid.add_row(*(_cell(row[place]) for place in places))
        return grid

    def _blocks(self) -> Iterator[RenderableType]:
        keys = self._table.keys
        head = [visible(title) for title in self._table.head[keys:]]
        for row in self._table.rows:
            yield Text(", ").join(_cell(cell) for cell in row[:keys])
            lines = Grid.grid(padding=(0, _GAP, 0, 0))
            lines.add_column()
            lines.add_column(overflow="fold")
            for title, cell in zip(head, row[keys:], strict=True):
                if cell.text not in ("", units.DASH):
                    lines.add_row(Text(title, "dim"), _cell(cell))
            yield Padding(lines, (0, 0, 0, 2))


def _cell(cell: Cell) -> Text:
    style = "" if cell.tone is None else _TONES[cell.tone]
    return Text(visible(cell.text), f"{style} bold".strip() if cell.strong else style)
