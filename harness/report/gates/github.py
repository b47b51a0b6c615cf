"""A decision as workflow commands of GitHub Actions, which it shows as annotations of the run.

Format and escapes as in GitHub's documentation of workflow commands and its toolkit (packages/core/src/command.ts): `%`, CR
and LF in a message, also `:` and `,` in a property.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.gate import Decision, Outcome
from harness.report.gates import words

_COMMANDS: Mapping[Outcome, str] = {
    "regressed": "error", "failed": "error", "inconclusive": "warning", "improved": "notice",
}  # fmt: skip


def github(decision: Decision) -> str:
    """A line for each limit that did not just pass, the gravest first, as GitHub shows ten of a kind; "" where all passed.

    Whatever came of it, also a notice of what a reader must know of how it was compared.
    """
    about = words.plain(decision.scenario)
    told = [(line.outcome, words.detail(line)) for line in words.by_weight(decision.lines)]
    if not told:
        told = [(decision.outcome, words.sentence(decision))]
    lines = [
        f"::{_COMMANDS[outcome]} title={_property(f'{about}: {words.TITLES[outcome].lower()}')}::{_message(text)}\n"
        for outcome, text in told
        if outcome in _COMMANDS
    ]
    if decision.unpaired:
        told_weaker = " ".join([words.UNPAIRED, *map(words.plain, decision.notes)])
        lines.append(f"::notice title={_property(f'{about}: compared with a stored run')}::{_message(told_weaker)}\n")
    elif decision.notes:
        noted = " ".join(map(words.plain, decision.notes))
        lines.append(f"::notice title={_property(f'{about}: how it was compared')}::{_message(noted)}\n")
    return "".join(lines)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
