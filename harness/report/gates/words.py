"""A decision in words: what each output of a gate says, so that all of them say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness import units
from harness.gate import EXIT_CODES, Decision, Line, Outcome
from harness.report.rows import describe, direction
from harness.report.visible import visible
from harness.results import NOTHING, TOGETHER

TITLES: Mapping[Outcome, str] = {
    "regressed": "Regressed", "failed": "Failed to measure", "inconclusive": "Inconclusive", "improved": "Improved",
    "pass": "Pass",
}  # fmt: skip
UNPAIRED = "Against a stored run, unpaired: weaker than against a revision."
"""What every output says of such a decision; its notes say why."""
_NAMED = 3
"""So many lines of an outcome are told in the sentence; how many more there are, as a number."""
_COMMAND = re.compile(r"(:(?=:)|##(?=\[))")
"""What starts a command to GitHub's runner where it comes to stand at the start of a line of a log."""


def plain(text: str) -> str:
    """Text on one line of visible characters. What was measured or named elsewhere cannot steer a terminal or a log."""
    return _COMMAND.sub(r"\1 ", visible(text))


def sentence(decision: Decision) -> str:
    """The outcome of the whole, what it rests on, and beside a regression also what could not be measured."""
    if not decision.lines:
        return f"{TITLES[decision.outcome]}: {plain(decision.reason) or 'there is nothing to judge'}."
    parts = [_told(decision.outcome, decision.lines)]
    if decision.outcome == "regressed" and _of("failed", decision.lines):
        parts.append(_told("failed", decision.lines))
    return " ".join([*parts, *([UNPAIRED] if decision.unpaired else [])])


def _told(outcome: Outcome, lines: Sequence[Line]) -> str:
    found = _of(outcome, lines)
    count = f"{len(found)} of {len(lines)} limits" if len(lines) > 1 else "the one limit"
    if outcome == "pass":
        return f"{TITLES[outcome]}: {'all ' if len(lines) > 1 else ''}{_limits(len(lines))} held."
    named = "; ".join(fact(line) for line in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    if outcome == "inconclusive":
        return f"{TITLES[outcome]}: of {count} it cannot be told whether {_they(found)} held: {named}{more}."
    rest = (
        f"; {_limits(len(lines) - len(found), other=True)} held"
        if outcome == "improved" and len(lines) > len(found)
        else ""
    )
    return f"{TITLES[outcome]}: {named}{more}{rest}."


def _they(found: Sequence[Line]) -> str:
    return "it is" if len(found) == 1 else "they are"


def _limits(count: int, *, other: bool = False) -> str:
    word = "other " if other else ""
    return f"the {word}limit is" if count == 1 else f"{'the other ' if other else ''}{count} limits are"


def _of(outcome: Outcome, lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.outcome == outcome]


def by_weight(lines: Sequence[Line]) -> list[Line]:
    """The lines with those first that decide the outcome."""
    order = list(EXIT_CODES)
    return sorted(lines, key=lambda line: order.index(line.outcome))


def fact(line: Line) -> str:
    """A line in one clause: what changed by how much against which limit, and where."""
    if line.outcome == "failed":
        return f"{subject(line)}, {plain(line.reason)}"
    inside = interval(line, word=False)
    certainty = f"{inside}, limit {limit(line)}" if inside else f"limit {limit(line)}"
    moved = f", {stage(line)}" if line.moved else ""
    changed = "unchanged" if line.ratio == 1 else change(line)
    return f"{subject(line)} is {changed} ({certainty}){moved}"


def subject(line: Line) -> str:
    """What a line is about: the metric, the setting and the device."""
    return f"{describe(line.metric).title.lower()} {setting(line)} on {plain(line.device)}"


def setting(line: Line) -> str:
    """A setting in words."""
    match line.setting:
        case s if s == NOTHING:
            return "with no optimization"
        case s if s == TOGETHER:
            return "with all optimizations"
        case _:
            return f"with {plain(line.setting)}"


def quantities(line: Line) -> tuple[str, str]:
    """Before and after, in their unit."""
    return units.quantity(line.before, line.unit), units.quantity(line.after, line.unit)


def change(line: Line) -> str:
    """The change as an estimate, in words."""
    return units.estimate(line.ratio, line.ratio_low, line.ratio_high, direction(describe(line.metric)))


def interval(line: Line, *, word: bool = True) -> str:
    """The interval of the change in words; "" where there is none."""
    if line.ratio_low is None or line.ratio_high is None:
        return ""
    return units.interval(line.ratio_low, line.ratio_high, direction(describe(line.metric)), word=word)


def limit(line: Line) -> str:
    """The largest loss that passes."""
    return units.percent(line.limit) if line.limit else f"0{units.SPACE}%"


def stage(line: Line) -> str:
    """The stage that moved, by how many seconds, and its share of the change; "" where none did."""
    if line.moved is None:
        return ""
    sign = "+" if line.moved.change_s > 0 else units.MINUS
    by = f"{sign}{units.seconds(abs(line.moved.change_s), 3)}"
    share = "" if line.moved.share is None else f", {units.percent(line.moved.share, 0)} of the change"
    return f"most in stage {plain(line.moved.stage)} ({by}{share})"


def detail(line: Line) -> str:
    """Everything about a line as one paragraph of whole sentences."""
    before, after = quantities(line)
    figures = "" if line.before is None else f" Before {before}, after {after}."
    reason = (
        f" {plain(line.reason)[:1].upper()}{plain(line.reason)[1:]}."
        if line.reason and line.outcome != "failed"
        else ""
    )
    return f"{TITLES[line.outcome]}: {fact(line)}.{figures}{reason}"


def compared(decision: Decision) -> str:
    """Which two sides were compared."""
    return f"{plain(decision.head)} against {plain(decision.base)}"


def notes(decision: Decision) -> list[str]:
    """What a reader must know to believe the decision, and what was not gated."""
    ungated = [
        f"{describe(item.metric).title} is not gated on {plain(item.device)}: {plain(item.reason)}"
        for item in decision.ungated
    ]
    return [*map(plain, decision.notes), *ungated]
