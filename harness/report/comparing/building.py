"""Runs -> Comparison: which contrasts stand side by side, what is left out, what differs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from harness.errors import UsageError
from harness.metrics import METRICS
from harness.report import machines, page, rows
from harness.report.comparing.differences import differences
from harness.report.comparing.model import Comparison, LeftOut, Line, Part, Side
from harness.report.comparing.rules import Measured, broken_by_contrast, broken_by_run
from harness.report.model import Badge, Device, Page, Row
from harness.report.reading import INVALID, Reading
from harness.report.visible import visible
from harness.report.words import mark, say
from harness.results import TOGETHER, Contrast, Run

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_PAIRS = 3
GROUPS = " | "
"""Stands between groups of runs whose intervals have nothing in common."""
_NO_VERDICT = mark(
    "Each change is after against before on one machine, in one run, with that run's verdict. Times and sizes are shown as they "
    "were measured; those of two runs are not compared, and no verdict rests on them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One device of one run, with what is looked up in it."""

    label: str
    reading: Reading
    report: Page
    device: Device

    def contrasts(self) -> dict[tuple[str, str], Contrast]:
        """The contrasts over the whole workload that are of no single stage, by metric and optimization."""
        found = self.reading.contrasts(self.device.name)
        return {(c.metric, c.optimization): c for c in found if not rows.is_stage(c.metric)}


def compare(runs: Sequence[Run]) -> Comparison:
    """`runs` side by side, the first one as the pattern for what may stand beside it.

    Raises UsageError, with every reason, where a run may not be compared with the first, or nothing is in common.
    """
    _refuse(runs)
    columns = _columns(runs)
    shown, left_out = _aligned(columns)
    if not shown:
        reasons = (
            "; ".join(f"{item.name} ({item.metrics}), {item.side}: {item.reason}" for item in left_out)
            or "they hold no comparisons"
        )
        message = f"these runs have nothing that may stand side by side: {visible(reasons)}"
        raise UsageError(message)
    metrics = sorted({metric for metric, _ in shown}, key=_metric_order)
    return Comparison(
        title=say("{count} runs side by side", count=len(runs)),
        sides=tuple(_side(column) for column in columns),
        notices=(*_notices(columns), say(_NO_VERDICT)),
        column=columns[0].report.words.column,
        parts=tuple(_part(columns, shown, metric) for metric in metrics),
        left_out=left_out,
        differences=differences([(column.reading.run, column.device.name) for column in columns]),
    )


def _refuse(runs: Sequence[Run]) -> None:
    faults = [
        f"{other.id} beside {runs[0].id}: {'; '.join(found)}"
        for other in runs[1:]
        if (found := broken_by_run(runs[0], other))
    ]
    if faults:
        message = f"these runs cannot be compared. {visible('. '.join(faults))}"
        raise UsageError(message)


def _columns(runs: Sequence[Run]) -> list[_Column]:
    reports = [page.build(run) for run in runs]
    devices = {device.name for report in reports for device in report.devices}
    return [
        _Column(
            label=visible(f"{_letter(number)} {device.name}" if len(devices) > 1 else _letter(number)),
            reading=Reading(run), report=report, device=device,
        )
        for number, (run, report) in enumerate(zip(runs, reports, strict=True))
        for device in report.devices
    ]  # fmt: skip


def _letter(number: int) -> str:
    return _LETTERS[number] if number < len(_LETTERS) else str(number + 1)


_Shown = dict[tuple[str, str], list[Contrast | None]]


def _aligned(columns: Sequence[_Column]) -> tuple[_Shown, tuple[LeftOut, ...]]:
    """By metric and optimization what may stand side by side, at least two of it; and what may not, with the reason."""
    found = [column.contrasts() for column in columns]
    shown: _Shown = {}
    faults: dict[tuple[str, str, str], list[str]] = {}
    for metric, name in dict.fromkeys(key for contrasts in found for key in contrasts):
        here = [contrasts.get((metric, name)) for contrasts in found]
        cells, reasons = _row(columns, here)
        if sum(cell is not None for cell in cells) > 1:
            shown[metric, name] = cells
        else:
            reasons |= {
                c.label: _absence(c, metric) for c, contrast in zip(columns, here, strict=True) if contrast is None
            }
        for label, reason in reasons.items():
            faults.setdefault((name, label, reason), []).append(metric)
    return shown, _left_out(faults)


def _row(
    columns: Sequence[_Column], contrasts: Sequence[Contrast | None]
) -> tuple[list[Contrast | None], dict[str, str]]:
    """The contrasts that may stand beside the first one that is there, and by label why others may not."""
    pattern: Measured | None = None
    cells: list[Contrast | None] = []
    reasons: dict[str, str] = {}
    for column, contrast in zip(columns, contrasts, strict=True):
        if contrast is not None:
            measured = Measured(run=column.reading.run, contrast=contrast)
            pattern = pattern or measured
            if broken := broken_by_contrast(pattern, measured):
                reasons[column.label] = say("; ").join(broken)
        cells.append(None if column.label in reasons else contrast)
    return cells, reasons


def _absence(column: _Column, metric: str) -> str:
    why = column.reading.run.unavailable.get(column.device.name, {}).get(metric)
    return say("not in this run: {why}", why=why) if why else say("not in this run")


def _left_out(faults: Mapping[tuple[str, str, str], Sequence[str]]) -> tuple[LeftOut, ...]:
    """One entry for all optimizations of a side that are left out in the same metrics for the same reason."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (name, label, reason), metrics in faults.items():
        alike.setdefault((label, reason, tuple(sorted(metrics, key=_metric_order))), []).append(name)
    return tuple(
        LeftOut(
            name=visible(say(", ").join(names)),
            metrics=visible(say(", ").join(rows.describe(metric).title.lower() for metric in metrics)),
            side=label,
            reason=visible(reason),
        )
        for (label, reason, metrics), names in alike.items()
    )


def _metric_order(metric: str) -> tuple[int, str]:
    names = list(METRICS)
    return (names.index(metric) if metric in names else len(names), metric)


def _part(columns: Sequence[_Column], shown: _Shown, metric: str) -> Part:
    facts = rows.describe(metric)
    lines = [_line(columns, name, cells) for (of, name), cells in shown.items() if of == metric]
    lines.sort(key=lambda line: (line.name != TOGETHER, all(row is None or row.ratio is None for row in line.cells)))
    return Part(
        metric=metric,
        title=facts.title,
        doc=facts.doc,
        lines=tuple(lines),
        grouped=any(GROUPS in line.apart for line in lines),
    )


def _line(columns: Sequence[_Column], name: str, cells: Sequence[Contrast | None]) -> Line:
    made = [
        None if cell is None else _stated(rows.row(column.reading, cell))
        for column, cell in zip(columns, cells, strict=True)
    ]
    labelled = [(column.label, row) for column, row in zip(columns, made, strict=True) if row is not None]
    return Line(name=visible(name), title=visible(labelled[0][1].title), cells=tuple(made), apart=_apart(labelled))


def _stated(row: Row) -> Row:
    """The row, or of an arm that may not be compared its state alone: no figure of it may be taken for a gain."""
    if row.verdict.word not in INVALID:
        return row
    return replace(row, before="", after="", change="", interval="", ratio=None, low=None, high=None)


def _apart(labelled: Sequence[tuple[str, Row]]) -> str:
    """Which intervals have no value in common: "none", pairs of labels, groups of them with a bar between where there are
    many, or "" where there are not two intervals.
    """
    ends = [(label, row.low, row.high) for label, row in labelled if row.low is not None and row.high is not None]
    pairs = list(combinations(ends, 2))
    found = [(one, two) for (one, low, high), (two, least, most) in pairs if high < least or most < low]
    if len(found) == len(pairs) > 1:
        return say("each from every other")
    groups = _groups([(low, high, label) for label, low, high in ends])
    between = len(pairs) - sum(math.comb(len(group), 2) for group in groups)
    if len(found) > _MOST_PAIRS and between == len(found):
        return GROUPS.join(say(", ").join(group) for group in groups)
    told = (say("{one} and {two}", one=one, two=two) for one, two in found)
    return say(", ").join(told) or (say("none") if pairs else "")


def _groups(intervals: Sequence[tuple[float, float, str]]) -> list[list[str]]:
    """Labels of intervals that hang together by what they have in common, from the lowest on; groups have nothing in common."""
    groups: list[list[str]] = []
    reached = -math.inf
    for low, high, label in sorted(intervals):
        if low > reached:
            groups.append([])
        groups[-1].append(label)
        reached = max(reached, high)
    return groups


def _side(column: _Column) -> Side:
    run, device = column.reading.run, column.device
    answer = visible(device.answer)
    return Side(
        label=column.label,
        scenario=visible(column.report.title),
        run_id=visible(run.id),
        day=machines.day(run),
        machine=machines.machine(run),
        device=machines.device(run, device.name),
        commit=machines.code(run),
        calibrated=Badge(text=say("calibrated"), tone="good", glyph="passed") if device.calibrated else Badge(text=say("not calibrated"), tone="open"),
        state="" if run.complete else say("not finished: what was measured until then is shown"),
        answer=f"{answer[:1].upper()}{answer[1:]}",
    )  # fmt: skip


def _notices(columns: Sequence[_Column]) -> Iterator[str]:
    loose = [column.label for column in columns if not column.device.calibrated]
    if loose:
        yield say(
            "Not calibrated: {names}. The figures are shown; no verdict is drawn from them.",
            names=say(", ").join(loose),
        )
    models = {str(sorted(map(str, _model(column.reading.run).items()))) for column in columns}
    if len(models) > 1:
        yield say(
            "The runs are of different models, so that the same optimization saves another share of another whole."
        )


def _model(run: Run) -> dict[str, object]:
    found = run.scenario.get("model")
    return dict(found) if isinstance(found, dict) else {"model": found}
