"""A table as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.markup import escape, tabulate
from harness.report.tables import Cell, Table

_MARKS = {"good": "\u2714", "bad": "\u2718", "level": "=", "open": "?", "invalid": "\u2013"}


def grid(table: Table) -> Iterator[str]:
    """A table, with what to know of it above."""
    if table.note:
        yield escape(table.note)
        yield ""
    yield from tabulate([escape(title) for title in table.head], [[cell(item) for item in row] for row in table.rows])


def cell(item: Cell) -> str:
    """The text of a cell; a verdict has a mark before it, which says the same as its colour elsewhere."""
    text = escape(item.text)
    if item.strong:
        return f"**{text}**"
    return text if item.tone is None else f"{_MARKS[item.tone]} {text}"
