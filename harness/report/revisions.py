"""What the page of a gate says where that of a run speaks of optimizations: two revisions, and the settings that are gated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.report.model import Facts, InvalidRow, MetricTable, Row, Wording
from harness.results import NOTHING, TOGETHER, Run

OF_OPTIMIZATIONS = Wording(
    about="what each optimization is worth", column="Optimization", none="No optimization can be compared",
    whole="Everything on", sides="Nothing on before, everything on after",
)  # fmt: skip


def wording(run: Run) -> Wording:
    """The words in which the page of a run speaks of what is compared."""
    if not run.plan.limits:
        return OF_OPTIMIZATIONS
    sides = _sides(run)
    about = f"head {_short(sides['head'])} against base {_short(sides['base'])}" if sides else "two revisions"
    setting = in_words(next(iter(run.plan.limits)))
    return Wording(
        about=about, column="Setting", none="No setting can be compared", whole=setting.capitalize(),
        sides=f"Before is the base, after the head, {setting}", in_gate=True,
    )  # fmt: skip


def facts(run: Run) -> Facts:
    """Base and head, with the first line of what their commits say; empty where a run is not of two revisions."""
    return tuple((side.capitalize(), _told(found)) for side, found in _sides(run).items())


def in_words(setting: str) -> str:
    """A gated setting of the optimizations."""
    named = {NOTHING: "with no optimization", TOGETHER: "with all optimizations"}
    return named.get(setting, f"with {setting}")


def answer(table: MetricTable, invalid: Sequence[InvalidRow], noun: str) -> str:
    """What happened to the headline metric from base to head, setting by setting."""
    return "; ".join([*(_of_row(row, noun) for row in table.rows), *_refused(invalid)]) + "."


def _of_row(row: Row, noun: str) -> str:
    setting = in_words(row.name)
    certainty = f"{row.interval}, {row.level} interval"
    match row.verdict.tone:
        case "level":
            return f"{setting}, the head makes no material difference to {noun} ({certainty})"
        case "open":
            return f"{setting}, it is not decided whether {noun} changed ({certainty})"
        case _:
            return f"{setting}, the head is {row.change} ({certainty})"


def _refused(invalid: Sequence[InvalidRow]) -> Iterator[str]:
    for entry in invalid:
        yield f"{in_words(entry.name)}, the revisions cannot be compared: {entry.verdict.text}"


def _sides(run: Run) -> Mapping[str, Mapping[str, Any]]:
    found = run.environment.get("revisions") or {}
    return {side: found[side] for side in ("base", "head") if side in found} if run.plan.limits else {}


def _short(side: Mapping[str, Any]) -> str:
    return str(side.get("commit") or side.get("name") or "unknown")[:10]


def _told(side: Mapping[str, Any]) -> str:
    name, short = str(side.get("name") or ""), _short(side)
    told = short if name in ("", side.get("commit")) else name if short in name else f"{name} ({short})"
    changed = " with uncommitted changes" if side.get("dirty") and "uncommitted" not in told else ""
    subject = side.get("subject")
    return f"{told}{changed}{f': {subject}' if subject else ''}"
