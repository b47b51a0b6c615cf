"""What torch.profiler counted, of one arm or of two side by side, as a page without script or network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import units
from harness.profiles.operators import Change, Traced
from harness.report import templating
from harness.report.model import Facts

_MOST_ROWS = 60
_WHERE_NONE = "Nothing ran on a device."
_IN_DOUBT = "Where there is no card, calls are shown that would wait on one."


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """One operator, kernel or caller as text."""

    name: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTable:
    """Rows of one kind; `what` heads the names, `none` is said where there is no row."""

    title: str
    what: str
    note: str
    none: str
    rows: tuple[OperatorRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPage:
    """What the page says."""

    title: str
    facts: Facts
    heads: tuple[str, ...]
    tables: tuple[OperatorTable, ...]


def operators_page(traced: Traced, callers: Sequence[Change], *, device: str) -> str:
    """The page: launches and shares of the device, who made the host wait, kernels, operators."""
    two_sided = traced.before is not None
    heads = ("Calls before", "Calls after", "Time before", "Time after", "Change") if two_sided else ("Calls", "Time")
    tables = (
        _table("Who makes the host wait for the device", "Call, file and line", callers, f"Counted apart from the trace. {_IN_DOUBT}",
               "Nothing was heard that waits.", two_sided=two_sided),
        _table("Kernels", "Kernel", traced.kernels, "", _WHERE_NONE, two_sided=two_sided),
        _table("Operators", "Operator", traced.operators, "Time of the host in the operator, without those that it calls. Calls are exact; times are of few requests under a profiler, and chance moves them.",
               "No operator was heard.", two_sided=two_sided),
    )  # fmt: skip
    arms = f"{traced.before} and {traced.after}" if two_sided else traced.after
    page = OperatorPage(
        title=f"torch.profiler on {device}: {arms}", facts=tuple(_facts(traced)), heads=heads, tables=tables
    )
    return (
        templating.environment()
        .get_template("operators.html.j2")
        .render(page=page, style=templating.style("profiles.css"))
    )


def sentences(traced: Traced) -> tuple[str, ...]:
    """What is to be said of two arms: launches, waiting, and the operator and kernel that changed most."""
    return tuple(f"{name}: {text}." for name, text in _facts(traced))


def top(traced: Traced, most: int = 5) -> tuple[str, ...]:
    """The kernels, or where there are none the operators, that changed most, in words."""
    rows = traced.kernels or traced.operators
    return tuple(_changed(row) for row in rows[:most] if row.change_s or row.change_calls)


def _facts(traced: Traced) -> Iterator[tuple[str, str]]:
    two_sided = traced.before is not None
    if traced.busy_after is not None:
        yield (
            "Launches a request",
            _pair(units.count(traced.launches_before), units.count(traced.launches_after), two_sided=two_sided),
        )
        yield (
            "The device waits for the host",
            _pair(units.percent(traced.waits_before), units.percent(traced.waits_after), two_sided=two_sided),
        )
        yield (
            "The device is busy",
            _pair(units.percent(traced.busy_before), units.percent(traced.busy_after), two_sided=two_sided),
        )
    for name, rows in (("kernel", traced.kernels), ("operator", traced.operators)):
        if rows:
            label = f"The {name} that changed most" if two_sided else f"The {name} that takes most"
            yield (
                label,
                _changed(rows[0]) if two_sided else f"{rows[0].name}, {units.seconds(rows[0].own_after_s)} a request",
            )


def _pair(before: str, after: str, *, two_sided: bool) -> str:
    return f"{before} before, {after} after" if two_sided else after


def _changed(row: Change) -> str:
    calls = (
        ""
        if row.change_calls == 0
        else f", {units.count(row.calls_before)} calls before, {units.count(row.calls_after)} after"
    )
    return f"{row.name}: {units.signed_seconds(row.change_s)} a request{calls}"


def _table(
    title: str, what: str, rows: Sequence[Change], note: str, none: str, *, two_sided: bool
) -> OperatorTable:  # fmt: skip
    told = tuple(
        OperatorRow(name=row.name, figures=tuple(_figures(row, two_sided=two_sided))) for row in rows[:_MOST_ROWS]
    )
    left = len(rows) - len(told)
    more = f" The first {_MOST_ROWS} of {len(rows)}." if left else ""
    return OperatorTable(title=title, what=what, note=(note + more).strip(), none=none, rows=told)


def _figures(row: Change, *, two_sided: bool) -> Iterator[str]:
    if two_sided:
        yield from (units.count(row.calls_before), units.count(row.calls_after))
        yield from (units.seconds(row.own_before_s), units.seconds(row.own_after_s), units.signed_seconds(row.change_s))
    else:
        yield from (units.count(row.calls_after), units.seconds(row.own_after_s))
