"""A decision as GitHub-flavoured Markdown for a pull request or a job's summary: the outcome first, details folded away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness import units
from harness.gate import Decision, Line, Outcome
from harness.report.gates import words
from harness.report.markup import escape, fold, tabulate

_MARKS: Mapping[Outcome, str] = {
    "regressed": "\u2718", "failed": "\u2013", "inconclusive": "?", "improved": "\u2714", "pass": "\u2714",
}  # fmt: skip


def markdown(decision: Decision) -> str:
    """`decision` as Markdown. Names in it are escaped: they cannot add markup, links or mentions."""
    return "\n".join(_lines(decision)).rstrip() + "\n"


def _lines(decision: Decision) -> Iterator[str]:
    title, _, rest = words.sentence(decision).partition(":")
    yield f"## Gate: {escape(words.plain(decision.scenario))}"
    yield ""
    yield f"{_MARKS[decision.outcome]} **{title}**:{escape(rest)}"
    yield ""
    yield f"Compared: {escape(words.compared(decision))}. Exit code {decision.exit_code}."
    yield ""
    for note in words.notes(decision):
        yield f"> {escape(note)}"
        yield ""
    lines = words.by_weight(decision.lines)
    if lines:
        level = units.percent(lines[0].level, 0)
        yield from tabulate(
            ("Outcome", "Setting", "Metric", "Device", "Before", "After", "Change", f"{level} interval", "Limit"),
            [_row(line) for line in lines],
        )
        yield from fold("Each limit in words, and the stage that moved", _details(lines))
    yield "To run it again:"
    yield ""
    yield f"    {words.plain(decision.command)}"


def _row(line: Line) -> tuple[str, ...]:
    cells = (line.setting, line.metric, line.device, *words.quantities(line), words.change(line),
             words.interval(line) or units.DASH, words.limit(line))  # fmt: skip
    return (
        f"{_MARKS[line.outcome]} {words.TITLES[line.outcome].lower()}",
        *(escape(words.plain(cell)) for cell in cells),
    )


def _details(lines: list[Line]) -> Iterator[str]:
    for line in lines:
        yield f"- {escape(words.detail(line))}"
    yield ""
