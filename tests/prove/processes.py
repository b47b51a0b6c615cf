"""Running a tool: from this checkout, with the call that it is to measure."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import MeasureError
from tests.prove.call import UNITS_VARIABLE

ROOT = Path(__file__).parent.parent.parent
CASES = Path(__file__).parent / "cases"
LIMIT_S = 1800.0
"""A command that takes longer has hung."""
_TAIL = 2000


class ToolFailedError(MeasureError):
    """A tool gave no answer. The message is fit to be published: it names no folder of this machine."""


def run(
    arguments: Sequence[str], folder: Path, *, units: int | None = None, accepted: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run this Python with `arguments` in `folder`; the call then has so many `units`.

    Raises ToolFailedError for an exit code that is not `accepted`, after printing the end of what the command said.
    """
    found = (str(ROOT), os.environ.get("PYTHONPATH", ""))
    told = {} if units is None else {UNITS_VARIABLE: str(units)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, found)), **told, **(environment or {})},
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    if done.returncode not in accepted:
        sys.stderr.write(f"{' '.join(arguments)}\n{done.stdout[-_TAIL:]}\n{done.stderr[-_TAIL:]}\n")
        message = f"{' '.join(arguments[:2])} ended with exit code {done.returncode}"
        raise ToolFailedError(message)
    return done
