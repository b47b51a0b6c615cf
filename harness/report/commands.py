"""Commands as a reader would type them again."""

from __future__ import annotations

import re

from harness.results import Run

_OF_PARTS = re.compile(r" (--continue|--resume[ =]\S+|--for[ =]\S+)(?= |$)")
"""Options with which a run was made in parts; a new run needs none of them."""


def command(run: Run) -> str:
    """The command that made a run."""
    return str(run.timing.get("command") or f"harness run {run.scenario.get('name', 'SCENARIO')}")


def anew(run: Run) -> str:
    """The command that makes such a run anew, at once."""
    return _OF_PARTS.sub("", command(run))
