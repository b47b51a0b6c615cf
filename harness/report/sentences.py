"""The answer of a run in one or two sentences for each device, as careful as the figures are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from harness import units
from harness.report import revisions
from harness.report.model import InvalidRow, MetricTable, Row, Tone
from harness.report.reading import Reading
from harness.report.rows import describe, direction, worst_bound
from harness.results import TOGETHER, Calibrated, Control, Foresight

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORD_ORDER: Sequence[str] = ("faster", "less", "slower", "more", "no material difference", "inconclusive")


def number(count: int) -> str:
    """A small count as a word."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def answer(reading: Reading, device: str, table: MetricTable, invalid: Sequence[InvalidRow]) -> str:
    """What the headline metric says about a device, beginning with all together."""
    gave_up = reading.gave_up(device)
    if not table.rows and gave_up:
        return f"could not be measured: {gave_up.message.rstrip('.')}."
    if not table.rows and not invalid:
        return "nothing was compared on this device."
    if not reading.calibrated(device, table.metric):
        return _not_calibrated(reading.failed_controls(device, table.metric))
    together = next((row for row in table.rows if row.name == TOGETHER), None)
    toggles = [row for row in table.rows if row.name != TOGETHER]
    noun = describe(table.metric).title.lower()
    if reading.run.plan.limits:
        return revisions.answer(table, invalid, noun)
    if toggles and all(row.verdict.tone in ("level", "open") for row in table.rows):
        return _nothing_told_apart(table.rows, noun, invalid)
    parts = [_together(together, reading.together_count(), noun, invalid)]
    if len(toggles) + len(invalid) > 1 or together is None:
        parts.append(_of_the_toggles(toggles, invalid, noun))
    return "; ".join(part for part in parts if part) + "."


def foresight(reading: Reading, device: str) -> str:
    """What runs like this one can tell apart on this machine, if it was calibrated; otherwise how to find out."""
    found = next((item for item in reading.run.calibrations if item.device == device), None)
    if found is None:
        known = f"harness calibrate {reading.run.scenario.get('name', 'SCENARIO')}"
        if not reading.run.plan.pairs or reading.run.plan.limits:
            return ""
        return f"How small a change this machine can tell apart in this budget is not known; to measure it: {known}"
    return foresight_of(found)


def foresight_of(found: Calibrated) -> str:
    """What a calibration says of runs with the plan to which it was applied."""
    seen = found.foresight
    false = seen.faster + seen.slower
    rests_on = f"resampled from {found.workers} workers and {units.count(found.blocks)} blocks"
    told = f"identical code faster or slower in {units.count(false)} of {units.count(seen.runs)} resampled runs"
    parts = [f"Calibrated on {found.made}: in this budget this machine calls {told} and {_detects(seen)} ({rests_on})."]
    if found.confirmed is not None:
        planted = found.confirmed
        size, budget = units.percent(planted.slow_down, 2), units.seconds(planted.budget_s, 3)
        parts.append(
            f"One of {size}, planted then in {budget}, was {'' if planted.called_slower else 'not '}called slower."
        )
    if not found.passed:
        parts.append("The controls of that calibration did not all pass.")
    return " ".join(parts)


def _detects(seen: Foresight) -> str:
    power = units.percent(seen.power, 0)
    if seen.detectable is not None:
        return f"finds a slow-down of {units.percent(seen.detectable, 2)} in {power}"
    passed = units.percent(seen.placebo_passed / seen.runs)
    alone = seen.detectable_by_interval
    but = "" if alone is None else f"; by the interval alone it would be {units.percent(alone, 2)}"
    return f"finds no slow-down in {power}, because the placebo passes in {passed}{but}"


def _not_calibrated(failed: Sequence[Control]) -> str:
    if not failed:
        return "not calibrated: the run holds no controls for it. The figures are shown; no verdict is drawn from them."
    names = [control.name.replace("_", " ") for control in failed]
    reasons = dict.fromkeys(control.reason or "no reason recorded" for control in failed)
    return (
        f"not calibrated: {' and '.join(names)} failed; {', '.join(reasons)}. "
        "The figures are shown; no verdict is drawn from them."
    )


def _nothing_told_apart(rows: Sequence[Row], noun: str, invalid: Sequence[InvalidRow]) -> str:
    bound = worst_bound(rows)
    undecided = any(row.verdict.tone == "open" for row in rows)
    opening = "nothing can be told apart yet" if undecided else f"no optimization makes a material difference to {noun}"
    limit = f"; any change of {noun} is smaller than {units.percent_at_most(bound)} (95 % intervals)" if bound else ""
    return f"{opening}{limit}{_apart(invalid)}."


def _together(row: Row | None, count: int, noun: str, invalid: Sequence[InvalidRow]) -> str:
    name = "the one optimization" if count == 1 else f"all {number(count)} together"
    if row is None:
        refused = next((entry for entry in invalid if entry.name == TOGETHER), None)
        return f"{name} cannot be judged: {refused.verdict.text}" if refused else ""
    if row.verdict.tone == "level":
        bound = worst_bound([row])
        limit = f" (it changes {noun} by less than {units.percent_at_most(bound)})" if bound else ""
        return f"{name}: no material difference{limit}"
    if row.verdict.tone == "open":
        return f"{name}: not decided yet, {row.interval} (95 % interval)"
    inside = units.interval(row.low, row.high, direction(describe(row.metric)), word=False)
    certainty = "" if row.low is None else " (exact)" if inside == "exact" else f" (95 % interval {inside})"
    return f"{name} {row.change}{certainty}"


def _of_the_toggles(toggles: Sequence[Row], invalid: Sequence[InvalidRow], noun: str) -> str:
    refused = [entry for entry in invalid if entry.name != TOGETHER]
    total = len({row.name for row in toggles}) + len(refused)
    ordered = sorted(toggles, key=lambda row: _WORD_ORDER.index(row.verdict.text))
    groups = [(word, list(rows)) for word, rows in groupby(ordered, key=lambda row: row.verdict.text)]
    phrases = [_group(word, rows, noun) for word, rows in groups]
    tally: dict[str, int] = {}
    for entry in refused:
        tally[entry.verdict.text] = tally.get(entry.verdict.text, 0) + 1
    phrases += [_refused(word, count) for word, count in tally.items()]
    what = " settings" if any(row.setting for row in toggles) else ""
    return f"of the {number(total)}{what}, {', '.join(phrases)}" if phrases else ""


def _group(word: str, rows: Sequence[Row], noun: str) -> str:
    count = len(rows)
    tone: Tone = rows[0].verdict.tone
    if tone == "level":
        bound = worst_bound(rows)
        who = "it changes" if count == 1 else "none changes"
        limit = f" ({who} {noun} by more than {units.percent_at_most(bound)})" if bound else ""
        if count == 1 and bound:
            limit = f" (it changes {noun} by {units.percent_at_most(bound)} at most)"
        return f"{number(count)} {'makes' if count == 1 else 'make'} no material difference{limit}"
    if tone == "open":
        bound = worst_bound(rows)
        limit = f" (a change of up to {units.percent_at_most(bound)} is possible)" if bound else ""
        return f"{number(count)} {'is' if count == 1 else 'are'} not decided yet{limit}"
    return f"{number(count)} {'is' if count == 1 else 'are'} {word}"


def _refused(word: str, count: int) -> str:
    if word == "output changed":
        return f"{number(count)} changed the output"
    verb = "" if word == "failed" else "was " if count == 1 else "were "
    return f"{number(count)} {verb}{word}"


def _apart(invalid: Sequence[InvalidRow]) -> str:
    names = [f"{entry.name} ({entry.verdict.text})" for entry in invalid if entry.name != TOGETHER]
    return f"; not judged: {', '.join(names)}" if names else ""
