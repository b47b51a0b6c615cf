"""What rows are called where there is little room, beside a mark in a plot or at the head of a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from harness.report.model import Incident, Row
from harness.report.words import say
from harness.results import NOTHING, TOGETHER
from harness.toggling import toggle_of


def clipped(label: str, longest: int) -> str:
    """A label of at most `longest` letters, the last an ellipsis where it had more."""
    return label if len(label) <= longest else f"{label[: longest - 1]}\u2026"


def of_rows(rows: Sequence[Row], longest: int) -> list[str]:
    """What rows are called in a plot. Where all are settings of one toggle and a name is longer than there is room, what they have
    in common is left away: the toggle's name, and where that is not enough, what their settings begin with. Otherwise the toggle's
    name is left away in those that are longer.
    """
    settings = [row.setting for row in rows if row.setting]
    by_setting = len({toggle_of(row.name) for row in rows if row.setting}) == 1 and any(
        len(row.name) > longest for row in rows if row.setting
    )
    common = _beginning(settings) if by_setting and max(map(len, settings)) > longest else ""
    return [clipped(_name(row, longest, by_setting=by_setting).removeprefix(common), longest) for row in rows]


def _beginning(settings: Sequence[str]) -> str:
    """What all settings begin with, up to the first part in which they differ: `arguments=` of `arguments=steps=4`."""
    letters = takewhile(lambda one: len(set(one)) == 1, zip(*settings, strict=False))
    common = "".join(one[0] for one in letters) if len(settings) > 1 else ""
    found = re.match(r".*[,+]|[^=,+]*=(?=[^=,+]*=)", common)
    return found.group() if found else ""


def of_incident(entry: Incident) -> str:
    """Device and kind of a finding or failure; the kind alone of one that is about no device."""
    return ", ".join(filter(None, (entry.device, entry.kind)))


def _name(row: Row, longest: int, *, by_setting: bool) -> str:
    if row.name in (TOGETHER, NOTHING):
        return row.title
    name = row.setting if row.setting and (by_setting or len(row.name) > longest) else row.name
    return say("{name} (from {arm})", name=name, arm=row.against) if row.against else name
