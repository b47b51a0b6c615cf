"""A decision for a terminal: the outcome in a sentence, a table of the limits, and what to know about them."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.gate import Decision, Line, Outcome
from harness.report.gates import words

_STYLES: Mapping[Outcome, str] = {
    "regressed": "red", "failed": "magenta", "inconclusive": "yellow", "improved": "green", "pass": "green",
}  # fmt: skip


def terminal(decision: Decision) -> Group:
    """`decision` as something that rich prints."""
    title, _, rest = words.sentence(decision).partition(":")
    parts: list[Text | Table] = [
        Text.assemble((title, f"bold {_STYLES[decision.outcome]}"), f":{rest}"),
        Text(words.compared(decision)),
    ]
    if decision.lines:
        parts.append(_table(decision))
    parts += [Text(f"{words.subject(line)}: {words.plain(line.reason)}") for line in decision.lines if line.reason]
    parts += [Text(note, style="yellow") for note in words.notes(decision)]
    return Group(*parts, Text(f"again: {words.plain(decision.command)}"))


def _table(decision: Decision) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("outcome", "setting", "metric", "device"):
        table.add_column(heading, no_wrap=True)
    for heading in ("before", "after"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("change", "interval", "limit", "stage that moved"):
        table.add_column(heading)
    for line in words.by_weight(decision.lines):
        table.add_row(*_row(line))
    return table


def _row(line: Line) -> tuple[str, ...]:
    cells = (line.setting, line.metric, line.device, *words.quantities(line), words.change(line), words.interval(line),
             words.limit(line), words.stage(line).removeprefix("most in stage "))  # fmt: skip
    word = f"[{_STYLES[line.outcome]}]{words.TITLES[line.outcome].lower()}[/]"
    return (word, *(escape(words.plain(cell)) for cell in cells))
