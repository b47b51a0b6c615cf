"""An inspection for a terminal, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.inspecting.findings import Evidence, Finding, Inspection, Place

SCHEMA_VERSION = 1
_WIDEST = 54
"""Of a place, so many characters stand in one line: in 120 columns this leaves room for the rest."""
_TONES = {"applies": "green", "found": "yellow", "already present": "cyan", "avoided": "cyan"}


def as_json(inspection: Inspection) -> dict[str, Any]:
    """All of an inspection as JSON has it."""
    return {"schema_version": SCHEMA_VERSION, **asdict(inspection)}


def show(inspection: Inspection, console: Console) -> None:
    """Print what was recognised, where toggles apply, and what else costs time, with the reasons."""
    _say(console, f"{inspection.path}: {inspection.files} Python files read, none of them run")
    console.print(_facts(inspection))
    console.print(_findings("Toggles of the harness", inspection.of("toggle")))
    losses = inspection.of("loss")
    console.print(_findings("What else costs time", losses))
    found = [finding for finding in losses if finding.state == "found"]
    if found:
        _say(console, "\nWhy these cost time; figures were measured elsewhere, on other machines:")
    for finding in found:
        measured = f" Measured elsewhere: {finding.measured}." if finding.measured else ""
        mended = f" Mended by the toggle {finding.mended_by}." if finding.mended_by else ""
        _say(console, f"  {finding.id}: {finding.why}{measured}{mended}")
    for unread in inspection.unread:
        place = unread.file if unread.line is None else f"{unread.file}:{unread.line}"
        _say(console, f"not read, so that nothing is known of it: {place}: {unread.reason}")


def _say(console: Console, text: str) -> None:
    console.print(escape(text), highlight=False)


def _facts(inspection: Inspection) -> Table:
    table = _table("What it is", "", "found", "where")
    for fact in inspection.facts:
        table.add_row(escape(fact.about), escape(fact.found), escape(_places(fact.places)))
    return table


def _findings(title: str, findings: Sequence[Finding]) -> Table:
    table = _table(title, "", "where", "what stands there")
    for finding in findings:
        rows = list(_rows(finding))
        heads = [escape(finding.id), f"  [{_TONES.get(finding.state, 'dim')}]{finding.state}[/]"]
        heads = ["\n".join(heads)] if len(rows) == 1 else [*heads, *[""] * len(rows)]
        for head, (where, says) in zip(heads, rows, strict=False):
            table.add_row(head, escape(where), escape(says))
    return table


def _rows(finding: Finding) -> Iterator[tuple[str, str]]:
    """Places and what is said of them; the reason where there is no place."""
    spared = "avoided here: " if finding.costs else ""
    for listed, mark in ((finding.costs, ""), (finding.avoided, spared)):
        for says, places in _grouped(listed).items():
            yield _places(places), mark + says
    if finding.reason:
        yield "", finding.reason


def _grouped(listed: Sequence[Evidence]) -> dict[str, list[Place]]:
    """The places of which the same is said, together."""
    found: dict[str, list[Place]] = {}
    for evidence in listed:
        found.setdefault(evidence.says, []).append(evidence.place)
    return found


def _places(places: Sequence[Place]) -> str:
    """Places in few words: lines of one file are joined."""
    by_file: dict[str, set[int]] = {}
    for place in places:
        by_file.setdefault(place.file, set()).add(place.line)
    told = (f"{file}:{', '.join(map(str, sorted(lines)))}" for file, lines in by_file.items())
    return "\n".join(
        part
        for line in told
        for part in wrap(line, _WIDEST, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    )


def _table(title: str, *headings: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in {"", "where"})
    return table
