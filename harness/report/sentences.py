"""The answer of a run in one or two sentences for each device, as careful as the figures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness import units
from harness.designs import PROCESS
from harness.metrics import memory_alone
from harness.report import commands, revisions
from harness.report.model import InvalidRow, MetricTable, Row, Tone
from harness.report.reading import Reading
from harness.report.rows import describe, direction, worst_bound
from harness.report.words import language, mark, plural, say
from harness.results import TOGETHER, Calibrated, Control, Foresight

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORD_ORDER: Sequence[str] = ("faster", "less", "slower", "more", "no material difference", "inconclusive")


_REFUSED: Mapping[str, str] = {
    "inert": mark("Inert: it was switched on and nothing happened, so that there is nothing to compare."),
    "output changed": mark("The output changed more than its check allows, so that its time is no gain."),
    "failed": mark("It failed, and nothing can be said of it."),
    "not applicable": mark("Not applicable: what is measured has no place for it."),
    "already present": mark("Already present in the code that is measured."),
}
_TOGETHER = {1: mark("the one optimization"), 2: mark("both together")}
_UNKNOWN = mark("{verdict}: it has no place among gains.")


def number(count: int) -> str:
    """A small count as a word, in English; digits in other languages."""
    return _NUMBERS[count] if count < len(_NUMBERS) and language() == "en" else str(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of a device: what stands first, and what is said after it, each without its full stop."""

    lead: str
    rest: str = ""

    @property
    def whole(self) -> str:
        """Both as one sentence."""
        return say("{lead}; {rest}.", lead=self.lead, rest=self.rest) if self.rest else say("{lead}.", lead=self.lead)


def answer(reading: Reading, device: str, table: MetricTable, invalid: Sequence[InvalidRow]) -> Answer:
    """What the headline metric says about a device, beginning with all together."""
    gave_up = reading.gave_up(device)
    if not table.rows and gave_up:
        return Answer(lead=say("could not be measured: {why}", why=gave_up.message.rstrip(".")))
    if not table.rows and not invalid:
        return Answer(lead=say("nothing was compared on this device"))
    if not reading.calibrated(device, table.metric):
        return _not_calibrated(reading.failed_controls(device, table.metric))
    together = next((row for row in table.rows if row.name == TOGETHER), None)
    toggles = [row for row in table.rows if row.name != TOGETHER]
    noun = _noun(table.metric)
    if reading.run.plan.limits:
        return Answer(**revisions.answer(table, invalid, noun))
    refused = any(entry.name == TOGETHER for entry in invalid)
    if toggles and not refused and {row.verdict.tone for row in table.rows} in ({"level"}, {"open"}):
        return _nothing_told_apart(table.rows, noun, invalid)
    return _judged(together, reading.together_count(), toggles, invalid, noun)


def _judged(
    together: Row | None, count: int, toggles: Sequence[Row], invalid: Sequence[InvalidRow], noun: str
) -> Answer:
    several = len(toggles) + len(invalid) > 1
    if together is None and not several:
        return Answer(lead=_alone(toggles, invalid, noun))
    name = say(_TOGETHER.get(count, mark("all {count} together")), count=number(count))
    lead = _together(together, name, noun, invalid)
    rest = _of_the_toggles(toggles, invalid, noun) if several else ""
    return Answer(lead=lead, rest=rest) if lead else Answer(lead=rest)


def of_a_toggle(row: Row, calibrated: bool) -> str:  # noqa: FBT001  one fact of two values
    """The verdict on one optimization in plain words."""
    noun, certainty = _noun(row.metric), {"interval": row.interval, "level": row.level, "noun": _noun(row.metric)}
    margin = units.percent(row.margin)
    if row.verdict.tone == "invalid" or row.ratio is None or row.verdict.word in ("output changed", "failed"):
        return say(_REFUSED.get(row.verdict.word, _UNKNOWN), verdict=row.verdict.text)
    if not calibrated:
        return say("Measured {change}, but the controls did not pass, so that nothing is concluded.", change=row.change)
    match row.verdict.tone:
        case "level":
            bound = units.percent_at_most(worst_bound([row]) or 0.0)
            return say("Whatever it changes of {noun}, it is {bound} at most, and less than what matters here ({margin}).",
                       noun=noun, bound=bound, margin=margin)  # fmt: skip
        case "open":
            return say("Not decided: {interval} is possible ({level} interval); it would matter from {margin} on.",
                       **certainty, margin=margin)  # fmt: skip
        case _:
            return say("With it, {noun} is {change} ({interval}, {level} interval): all of it beyond what matters here ({margin}).",
                       **certainty, change=row.change, margin=margin)  # fmt: skip


def within_limit(reading: Reading, device: str) -> str:
    """Whether what was measured fits into the memory that the run was given, where it was given less than all; otherwise ""."""
    return " ".join(found.message for found in reading.run.findings if (found.device, found.kind) == (device, "limit"))


def _noun(name: str) -> str:
    return describe(name).title.lower()


def foresight(reading: Reading, device: str) -> str:
    """What runs like this one can tell apart on this machine, if it was calibrated; otherwise how to find out."""
    found = next((item for item in reading.run.calibrations if item.device == device), None)
    if found is None:
        plan, asked = reading.run.plan, reading.run.scenario.get("measure", {}).get("metrics", ())
        if not plan.pairs or plan.limits or PROCESS in plan.groups or memory_alone(asked):
            return ""
        return say("How small a change this machine can tell apart in this budget is not known; to measure it: {command}",
                   command=commands.calibrating(reading.run))  # fmt: skip
    return foresight_of(found)


def foresight_of(found: Calibrated) -> str:
    """What a calibration says of runs with the plan to which it was applied."""
    seen = found.foresight
    false = seen.faster + seen.slower
    parts = [
        say(
            "Calibrated on {made}: in this budget, on this machine, a gate with one limit ({limit} of latency) fails identical code in {false} "
            "of {runs} resampled gates and {detects} (resampled from {workers} groups of processes and {blocks} blocks).",
            made=found.made, limit=units.percent(seen.margin), false=units.count(seen.slower), runs=units.count(seen.runs), detects=_detects(seen),
            workers=found.workers, blocks=units.count(found.blocks),
        )
        if seen.is_gate
        else say(
            "Calibrated on {made}: in this budget this machine calls identical code faster or slower in {false} of {runs} "
            "resampled runs and {detects} (resampled from {workers} workers and {blocks} blocks).",
            made=found.made, false=units.count(false), runs=units.count(seen.runs), detects=_detects(seen),
            workers=found.workers, blocks=units.count(found.blocks),
        )
    ]  # fmt: skip
    if found.confirmed is not None:
        planted = found.confirmed
        size, budget = units.percent(planted.slow_down, 2), units.seconds(planted.budget_s, 3)
        parts.append(
            say("One of {size}, planted then in {budget}, was called slower.", size=size, budget=budget)
            if planted.called_slower
            else say("One of {size}, planted then in {budget}, was not called slower.", size=size, budget=budget)
        )
    if not found.passed:
        parts.append(say("The controls of that calibration did not all pass."))
    return say(" ").join(parts)


def _detects(seen: Foresight) -> str:
    power = units.percent(seen.power, 0)
    if seen.detectable is not None:
        return say("finds a slow-down of {size} in {power}", size=units.percent(seen.detectable, 2), power=power)
    passed = units.percent(seen.placebo_passed / seen.runs)
    alone = seen.detectable_by_interval
    but = "" if alone is None else say("; by the interval alone it would be {size}", size=units.percent(alone, 2))
    return say(
        "finds no slow-down in {power}, because the placebo passes in {passed}{but}",
        power=power,
        passed=passed,
        but=but,
    )


def _not_calibrated(failed: Sequence[Control]) -> Answer:
    shown = say("The figures are shown; no verdict is drawn from them")
    if not failed:
        return Answer(lead=f"{say('not calibrated: the run holds no controls for it')}. {shown}")
    names = [say(control.name.replace("_", " ")) for control in failed]
    reasons = dict.fromkeys(control.reason or say("no reason recorded") for control in failed)
    return Answer(
        lead=say("not calibrated: {names} failed", names=say(" and ").join(dict.fromkeys(names))),
        rest=say("{reasons}. {shown}", reasons=say(", ").join(reasons), shown=shown),
    )


def _nothing_told_apart(rows: Sequence[Row], noun: str, invalid: Sequence[InvalidRow]) -> Answer:
    """Where all is decided alike: that none matters, or not yet."""
    bound = worst_bound(rows)
    if rows[0].verdict.tone == "open":
        opening = say("nothing about {noun} is decided yet", noun=noun)
    else:
        opening = say("no optimization makes a material difference to {noun}", noun=noun)
    limit = say("any change of {noun} is smaller than {bound} (95 % intervals)", noun=noun,
                bound=units.percent_at_most(bound)) if bound else ""  # fmt: skip
    return Answer(lead=opening, rest=say("; ").join(part for part in (limit, _apart(invalid)) if part))


def _alone(toggles: Sequence[Row], invalid: Sequence[InvalidRow], noun: str) -> str:
    """The answer where one optimization is all there is, by its name."""
    if toggles:
        return _together(toggles[0], toggles[0].name, noun, ())
    return say("{name}: {verdict}", name=invalid[0].name, verdict=invalid[0].verdict.text)


def _together(row: Row | None, name: str, noun: str, invalid: Sequence[InvalidRow]) -> str:
    if row is None:
        refused = next((entry for entry in invalid if entry.name == TOGETHER), None)
        return say("{name} cannot be judged: {verdict}", name=name, verdict=refused.verdict.text) if refused else ""
    if row.verdict.tone == "level":
        bound = worst_bound([row])
        limit = (
            say(" (it changes {noun} by less than {bound})", noun=noun, bound=units.percent_at_most(bound))
            if bound
            else ""
        )
        return say("{name}: no material difference{limit}", name=name, limit=limit)
    if row.verdict.tone == "open":
        return say("{name}: not decided yet, {interval} (95 % interval)", name=name, interval=row.interval)
    inside = units.interval(row.low, row.high, direction(describe(row.metric)), word=False)
    if row.low is None:
        certainty = ""
    elif row.low == row.high:
        certainty = say(" (exact)")
    else:
        certainty = say(" (95 % interval {interval})", interval=inside)
    return say("{name} {change}{certainty}", name=name, change=row.change, certainty=certainty)


def _of_the_toggles(toggles: Sequence[Row], invalid: Sequence[InvalidRow], noun: str) -> str:
    refused = [entry for entry in invalid if entry.name != TOGETHER]
    total = len({row.name for row in toggles}) + len(refused)
    ordered = sorted(toggles, key=lambda row: _WORD_ORDER.index(row.verdict.word))
    groups = [(word, list(rows)) for word, rows in groupby(ordered, key=lambda row: row.verdict.word)]
    phrases = [_group(word, rows, noun) for word, rows in groups]
    tally: dict[str, int] = {}
    for entry in refused:
        word = entry.verdict.word or units.NOT_MEASURED
        tally[word] = tally.get(word, 0) + 1
    phrases += [_refused(word, count) for word, count in tally.items()]
    if not phrases:
        return ""
    told = {"count": number(total), "phrases": say(", ").join(phrases)}
    if any(row.setting for row in toggles):
        return say("of the {count} settings, {phrases}", **told)
    return say("of the {count}, {phrases}", **told)


def _group(word: str, rows: Sequence[Row], noun: str) -> str:
    count, bound = len(rows), worst_bound(rows)
    told = {"count": number(count), "noun": noun, "bound": units.percent_at_most(bound or 0.0)}
    tone: Tone = rows[0].verdict.tone
    if tone == "level":
        if not bound:
            return plural(count, "{count} makes no material difference", "{count} make no material difference", **told)
        return plural(
            count,
            "{count} makes no material difference (it changes {noun} by {bound} at most)",
            "{count} make no material difference (none changes {noun} by more than {bound})",
            **told,
        )
    if tone == "open":
        limit = say(" (a change of up to {bound} is possible)", **told) if bound else ""
        return plural(
            count, "{count} is not decided yet{limit}", "{count} are not decided yet{limit}", **told, limit=limit
        )
    return plural(count, "{count} is {word}", "{count} are {word}", **told, word=say(word))


def _refused(word: str, count: int) -> str:
    told = {"count": number(count), "verdict": say(word)}
    if word == "output changed":
        return say("{count} changed the output", **told)
    if word == "failed":
        return say("{count} failed", **told)
    return plural(count, "{count} was {verdict}", "{count} were {verdict}", **told)


def _apart(invalid: Sequence[InvalidRow]) -> str:
    names = [f"{entry.name} ({entry.verdict.text})" for entry in invalid if entry.name != TOGETHER]
    return say("not judged: {names}", names=say(", ").join(names)) if names else ""


def effects_caption(placebo: bool, doses: bool) -> str:  # noqa: FBT001  what the plot shows
    """What the marks of the plot of effects mean."""
    parts = [
        say("Dot: estimate; bar: 95 % interval, on one log-ratio axis, so that equal distances are equal factors."),
        say("Dotted lines: the margin, from which on a change matters."),
    ]
    if placebo:
        parts.append(say("Band: the placebo, the difference of the baseline from its own twin."))
    if doses:
        parts.append(say("Triangle: the dose, a slow-down that was really added; its bar is where it was found."))
    return say(" ").join(parts)
