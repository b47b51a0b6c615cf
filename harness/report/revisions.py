"""What the page of a gate says where that of a run speaks of optimizations: two revisions, and the settings that are gated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.report.model import Facts, InvalidRow, MetricTable, Row, Wording
from harness.report.reading import Reading
from harness.report.words import mark, say
from harness.results import NOTHING, TOGETHER, Run
from harness.toggling import setting, toggle_of

_SIDES = {"base": mark("Base"), "head": mark("Head")}


def wording(run: Run) -> Wording:
    """The words in which the page of a run speaks of what is compared."""
    if not run.plan.limits:
        shown = Reading(run).whole
        return Wording(
            about=say("what each optimization is worth"), column=say("Optimization"),
            none=say("No optimization can be compared"), whole=say("Everything on") if shown == TOGETHER else shown,
            sides=_before_and_after(run, shown),
        )  # fmt: skip
    sides = _sides(run)
    about = (
        say("head {head} against base {base}", head=_short(sides["head"]), base=_short(sides["base"]))
        if sides
        else say("two revisions")
    )
    setting = in_words(next(iter(run.plan.limits)))
    return Wording(
        about=about, column=say("Setting"), none=say("No setting can be compared"), whole=setting.capitalize(),
        sides=say("Before is the base, after the head, {setting}", setting=setting),
    )  # fmt: skip


def _before_and_after(run: Run, shown: str) -> str:
    """What the sides are of what is shown in every metric."""
    before = next((arm.states for arm in run.plan.arms if arm.role == "none"), {})
    if shown == TOGETHER:
        if any(state is not False for state in before.values()):
            return say("Each in its state before, each in its state after")
        return say("Nothing on before, everything on after")
    toggle = toggle_of(shown)
    if before.get(toggle, False) is False:
        return say("Nothing on before, {name} after", name=shown)
    return say("{before} before, {name} after", before=setting(toggle, before[toggle]), name=shown)


def facts(run: Run) -> Facts:
    """Base and head, with the first line of what their commits say; empty where a run is not of two revisions."""
    return tuple((say(_SIDES[side]), _told(found)) for side, found in _sides(run).items())


def in_words(setting: str) -> str:
    """A gated setting of the optimizations."""
    named = {NOTHING: say("with no optimization"), TOGETHER: say("with all optimizations")}
    return named.get(setting) or say("with {setting}", setting=setting)


def answer(table: MetricTable, invalid: Sequence[InvalidRow], noun: str) -> dict[str, str]:
    """What happened to the headline metric from base to head: lead and rest of an answer, setting by setting."""
    lead, *rest = [*(_of_row(row, noun) for row in table.rows), *_refused(invalid)]
    return {"lead": lead, "rest": say("; ").join(rest)}


def _of_row(row: Row, noun: str) -> str:
    setting = in_words(row.name)
    told = {"setting": setting, "noun": noun, "change": row.change, "interval": row.interval, "level": row.level}
    match row.verdict.tone:
        case "level":
            return say(
                "{setting}, the head makes no material difference to {noun} ({interval}, {level} interval)", **told
            )
        case "open":
            return say("{setting}, it is not decided whether {noun} changed ({interval}, {level} interval)", **told)
        case _:
            return say("{setting}, the head is {change} ({interval}, {level} interval)", **told)


def _refused(invalid: Sequence[InvalidRow]) -> Iterator[str]:
    for entry in invalid:
        yield say("{setting}, the revisions cannot be compared: {verdict}", setting=in_words(entry.name),
                  verdict=entry.verdict.text)  # fmt: skip


def _sides(run: Run) -> Mapping[str, Mapping[str, Any]]:
    found = run.environment.get("revisions") or {}
    return {side: found[side] for side in ("base", "head") if side in found} if run.plan.limits else {}


def _short(side: Mapping[str, Any]) -> str:
    return str(side.get("commit") or side.get("name") or "unknown")[:10]


def _told(side: Mapping[str, Any]) -> str:
    name, short = str(side.get("name") or ""), _short(side)
    told = short if name in ("", side.get("commit")) else name if short in name else f"{name} ({short})"
    changed = say(" with uncommitted changes") if side.get("dirty") and "uncommitted" not in told else ""
    subject = side.get("subject")
    return f"{told}{changed}{f': {subject}' if subject else ''}"
