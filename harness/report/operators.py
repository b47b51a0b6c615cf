"""What torch.profiler counted, of one arm or of two side by side, as a page without script or network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness import units
from harness.profiles.operators import Change, Traced
from harness.report import templating
from harness.report.model import Facts
from harness.report.words import mark, say

_MOST_ROWS = 60
_NOTE_OF_CALLERS = mark(
    "Counted apart from the trace; implicit waits on a card have no time. Where there is no card, calls are shown that would "
    "wait on one."
)
_NOTE_OF_OPERATORS = mark(
    "Time of the host in the operator, without those that it calls. Calls are exact; times are of few requests under a "
    "profiler, and chance moves them."
)
_NOTE_OF_ORDER = mark(
    "First comes what is called more or less often, by what these calls take, or takes other time a call than most do."
)
_HEADS: Mapping[bool, tuple[str, ...]] = {
    True: (mark("Calls before"), mark("Calls after"), mark("Time before"), mark("Time after"), mark("Change")),
    False: (mark("Calls"), mark("Time")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """One operator, kernel or caller as text; `whole` is the name of which `name` is short."""

    name: str
    whole: str
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
    arms = say("{one} and {two}", one=traced.before, two=traced.after) if two_sided else traced.after
    page = OperatorPage(
        title=say("{profiler} on {device}: {arms}", profiler="torch.profiler", device=device, arms=arms),
        facts=tuple(_facts(traced)),
        heads=tuple(map(say, _HEADS[two_sided])),
        tables=tuple(_tables(traced, callers, two_sided=two_sided)),
    )
    return templating.page("operators.html.j2", page=page, style=templating.style("profiles.css"))


def _tables(traced: Traced, callers: Sequence[Change], *, two_sided: bool) -> Iterator[OperatorTable]:
    yield _table(say("Who makes the host wait for the device"), say("Call, file and line"), callers, say(_NOTE_OF_CALLERS),
                 say("Nothing was heard that waits."), two_sided=two_sided, by_change=False)  # fmt: skip
    yield _table(
        say("Kernels"), say("Kernel"), traced.kernels, "", say("Nothing ran on a device."), two_sided=two_sided
    )
    yield _table(say("Operators"), say("Operator"), traced.operators, say(_NOTE_OF_OPERATORS),
                 say("No operator was heard."), two_sided=two_sided)  # fmt: skip


def sentences(traced: Traced) -> tuple[str, ...]:
    """What is to be said of two arms: launches, waiting, and the operator and kernel that changed most."""
    return tuple(say("{name}: {text}.", name=name, text=text) for name, text in _facts(traced))


def top(traced: Traced, most: int = 5) -> tuple[str, ...]:
    """The kernels, or where there are none the operators, that changed most, in words."""
    rows = traced.kernels or traced.operators
    return tuple(_changed(row) for row in rows[:most] if row.change_s or row.change_calls)


def _facts(traced: Traced) -> Iterator[tuple[str, str]]:
    two_sided = traced.before is not None
    if traced.busy_after is not None:
        launches = units.count(traced.launches_before), units.count(traced.launches_after)
        waits = units.percent(traced.waits_before), units.percent(traced.waits_after)
        busy = units.percent(traced.busy_before), units.percent(traced.busy_after)
        yield say("Launches a request"), _pair(*launches, two_sided=two_sided)
        yield say("The device waits for the host"), _pair(*waits, two_sided=two_sided)
        yield say("The device is busy"), _pair(*busy, two_sided=two_sided)
    for rows, changed, takes in (
        (traced.kernels, mark("The kernel that changed most"), mark("The kernel that takes most")),
        (traced.operators, mark("The operator that changed most"), mark("The operator that takes most")),
    ):
        if rows and two_sided:
            yield say(changed), _changed(rows[0])
        elif rows:
            took = units.seconds(rows[0].own_after_s)
            yield say(takes), say("{name}, {time} a request", name=rows[0].name, time=took)


def _pair(before: str, after: str, *, two_sided: bool) -> str:
    return say("{before} before, {after} after", before=before, after=after) if two_sided else after


def _changed(row: Change) -> str:
    time = units.signed_seconds(row.change_s)
    if row.change_calls == 0:
        return say("{name}: {time} a request", name=row.name, time=time)
    return say(
        "{name}: {time} a request, {before} calls before, {after} after",
        name=row.name, time=time, before=units.count(row.calls_before), after=units.count(row.calls_after),
    )  # fmt: skip


def _table(
    title: str, what: str, rows: Sequence[Change], note: str, none: str, *, two_sided: bool, by_change: bool = True
) -> OperatorTable:  # fmt: skip
    told = tuple(
        OperatorRow(name=row.name, whole=row.whole, figures=tuple(_figures(row, two_sided=two_sided)))
        for row in rows[:_MOST_ROWS]
    )
    order = say(_NOTE_OF_ORDER) if two_sided and by_change else ""
    left = len(rows) - len(told)
    more = say("The first {shown} of {all}.", shown=_MOST_ROWS, all=len(rows)) if left else ""
    return OperatorTable(
        title=title, what=what, note=say(" ").join(filter(None, (note, order, more))), none=none, rows=told
    )


def _figures(row: Change, *, two_sided: bool) -> Iterator[str]:
    is_timed = row.own_before_s or row.own_after_s
    times = (units.seconds(row.own_before_s), units.seconds(row.own_after_s), units.signed_seconds(row.change_s))
    told = times if is_timed else (units.DASH,) * len(times)
    if two_sided:
        yield from (units.count(row.calls_before), units.count(row.calls_after), *told)
    else:
        yield from (units.count(row.calls_after), told[1])
