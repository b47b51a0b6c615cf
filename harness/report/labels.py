"""What rows are called where there is little room, beside a mark in a plot or at the head of a line."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.model import Incident, Row
from harness.report.words import say
from harness.results import NOTHING, TOGETHER, toggle_of


def clipped(label: str, longest: int) -> str:
    """A label of at most `longest` letters, the last an ellipsis where it had more."""
    return label if len(label) <= longest else f"{label[: longest - 1]}\u2026"


def of_rows(rows: Sequence[Row], longest: int) -> list[str]:
    """What rows are called in a plot. Where all are settings of one toggle and a name is longer than there is room, the toggle's
    name is left away in all of them; otherwise in those that are longer.
    """
    settings = [row.name for row in rows if row.setting]
    by_setting = any(len(name) > longest for name in settings) and len(set(map(toggle_of, settings))) == 1
    return [clipped(_name(row, longest, by_setting=by_setting), longest) for row in rows]


def of_incident(entry: Incident) -> str:
    """Device and kind of a finding or failure; the kind alone of one that is about no device."""
    return ", ".join(filter(None, (entry.device, entry.kind)))


def _name(row: Row, longest: int, *, by_setting: bool) -> str:
    if row.name in (TOGETHER, NOTHING):
        return row.title
    name = row.setting if row.setting and (by_setting or len(row.name) > longest) else row.name
    return say("{name} (from {arm})", name=name, arm=row.against) if row.against else name
