"""Commands as a reader would type them again."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import PurePath

from harness.results import Run

_OF_PARTS = ("--continue", "--resume", "--for")
"""Options with which a run was made in parts; a new run needs none of them."""
_OF_A_SCENARIO = ("--set", "--budget", "--device")
"""Options that say what is measured, which other commands take as well."""
_FLAGS = ("--continue", "--json", "--memory-snapshot")
"""Options that stand without a value."""


def command(run: Run) -> str:
    """The command that made a run."""
    return str(run.timing.get("command") or f"harness run {_scenario(run, ())}")


def anew(run: Run) -> str:
    """The command that makes such a run anew, at once."""
    words = _words(command(run))
    left = [word for given in _options(words) if given[0].partition("=")[0] not in _OF_PARTS for word in given]
    return shlex.join(left) if len(left) > len(words[:2]) else f"harness run {_scenario(run, ())}"


def calibrating(run: Run) -> str:
    """The command that measures what runs like this one can tell apart."""
    words = _words(command(run))
    kept = [word for given in _options(words) if given[0].partition("=")[0] in _OF_A_SCENARIO for word in given]
    return " ".join(["harness calibrate", _scenario(run, words), *([shlex.join(kept)] if kept else [])])


def _scenario(run: Run, words: Collection[str]) -> str:
    """The scenario as it was named in `words`; where it was not, by its name."""
    file, name = str(run.scenario.get("file", "")), str(run.scenario.get("name", "SCENARIO"))
    known = {PurePath(file).name, PurePath(file).stem} - {""}
    return shlex.quote(next((word for word in words if PurePath(word).name in known), name))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # of a run file that somebody wrote
        return text.split()


def _options(words: Sequence[str]) -> list[list[str]]:
    """Words one by one, each option together with its value."""
    found: list[list[str]] = []
    for word in words:
        last = found[-1] if found else [""]
        if last[0].startswith("--") and "=" not in last[0] and last[0] not in _FLAGS and len(last) == 1:
            last.append(word)
        else:
            found.append([word])
    return found
