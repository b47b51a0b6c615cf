"""Commands as a reader would type them again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from harness.results import Run

_OF_PARTS = ("--continue", "--resume", "--for")
"""Options with which a run was made in parts; a new run needs none of them."""
_OF_A_SCENARIO = ("--set", "--budget", "--device")
"""Options that say what is measured, which other commands take as well."""
_FLAGS = ("--continue", "--json", "--memory-snapshot")
"""Options that stand without a value."""
_COMMAND = 2
"""Words before what a command is given: `harness run`."""


def command(run: Run) -> str:
    """The command that made a run."""
    return str(run.timing.get("command") or f"harness run {shlex.quote(_name(run))}")


def anew(run: Run) -> str:
    """The command that makes such a run anew, at once."""
    words = _words(command(run))
    given = [group for group in _groups(words[_COMMAND:]) if _option(group) not in _OF_PARTS]
    named = [] if any(map(_is_positional, given)) else [_name(run)]
    return shlex.join([*words[:_COMMAND], *named, *(word for group in given for word in group)])


def calibrating(run: Run) -> str:
    """The command that measures what runs like this one can tell apart."""
    given = _groups(_words(command(run))[_COMMAND:])
    scenario = next((group[0] for group in given if _is_positional(group)), _name(run))
    kept = [word for group in given if _option(group) in _OF_A_SCENARIO for word in group]
    return shlex.join(["harness", "calibrate", scenario, *kept])


def _name(run: Run) -> str:
    return str(run.scenario.get("name", "SCENARIO"))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # of a run file that somebody wrote
        return ["harness", "run"]


def _groups(words: Sequence[str]) -> list[list[str]]:
    """Words one by one, each option together with its value."""
    found: list[list[str]] = []
    for word in words:
        last = found[-1] if found else [""]
        if last[0].startswith("--") and "=" not in last[0] and last[0] not in _FLAGS and len(last) == 1:
            last.append(word)
        else:
            found.append([word])
    return found


def _option(group: Sequence[str]) -> str:
    return group[0].partition("=")[0]


def _is_positional(group: Sequence[str]) -> bool:
    return not group[0].startswith("-")
