"""What a comparison of runs says, before it is Markdown or HTML: finished text, and numbers only where the plot needs them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report.model import Badge, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One device of one run. `label` names it in tables and plots, `state` is "" for a finished run."""

    label: str
    scenario: str
    run_id: str
    day: str
    machine: str
    device: str
    commit: str
    calibrated: Badge
    state: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One optimization in one metric: a row of each side, None where a side has none that may stand here.

    A row whose arm may not be compared has its state and no figures. `apart` says which intervals have no value in common,
    "" where there are not two.
    """

    name: str
    title: str
    cells: tuple[Row | None, ...]
    apart: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One metric. `grouped` where a line's `apart` has groups."""

    metric: str
    title: str
    doc: str
    lines: tuple[Line, ...]
    grouped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What is not shown beside the others, and why; `metrics` in words."""

    name: str
    metrics: str
    side: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A fact in which the sides differ: its text on each."""

    group: str
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that is said of several runs."""

    title: str
    sides: tuple[Side, ...]
    notices: tuple[str, ...]
    column: str
    parts: tuple[Part, ...]
    left_out: tuple[LeftOut, ...]
    differences: tuple[Difference, ...]
