"""Every error that the harness raises on purpose.

    HarnessError                  exit code 4: could not measure
    |-- UsageError                exit code 2: the command, a name or a file cannot be read as meant
    |   |-- ScenarioError         a scenario, with file, line and key path
    |   |-- CalibrationError      a calibration that was kept and cannot be read
    |   |-- RunFileError          a run folder that is missing, torn or of an unknown schema
    |   `-- CheckpointError       a model directory, or a file in it, that is not what it should be
    `-- MeasureError              exit code 4
        |-- WorkerError           a worker process ended, hung or reported an error
        |-- ProfileError          a profile that could not be made here, with the remedy
        `-- NothingMeasuredError  no contrast can be formed from what was measured

`cli.main` turns each into its message on stderr and its exit code; anything else that escapes is exit code 4 as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from harness.worker.errors import HarnessError, UsageError

__all__ = [
    "CalibrationError", "CheckpointError", "HarnessError", "MeasureError", "NothingMeasuredError", "RunFileError",
    "ScenarioError", "UsageError", "WorkerError", "nearest",
]  # fmt: skip


class ScenarioError(UsageError):
    """A scenario that cannot be used: `file`, `line` (1-based, or None) and `key` (dotted path, or "") say where."""

    def __init__(self, message: str, *, file: str, line: int | None = None, key: str = "") -> None:
        self.message = message
        self.file = file
        self.line = line
        self.key = key
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {key}: {message}" if key else f"{place}: {message}")


class RunFileError(UsageError):
    """A run folder that is missing, torn beyond its last line, or of an unknown schema version."""


class CalibrationError(UsageError):
    """A calibration that was kept and is damaged, of another schema, or not of what its name says."""


class CheckpointError(UsageError):
    """A model directory, or a file in it, that is missing, damaged, or of other dimensions than it says."""


class MeasureError(HarnessError):
    """Something was started and could not be measured."""


class WorkerError(MeasureError):
    """A worker process ended, hung or reported an error. `kind` is one of results.FAILURE_KINDS; `arm` may be None."""

    def __init__(self, message: str, *, kind: str, arm: str | None) -> None:
        self.kind = kind
        self.arm = arm
        super().__init__(message)


class ProfileError(MeasureError):
    """A profile that could not be made here; the message says why, and what to do."""


class NothingMeasuredError(MeasureError):
    """No contrast can be formed from what was measured."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` for the nearest spelling, or nothing. Dashes count as underscores, case is ignored."""
    by_folded = {_folded(candidate): candidate for candidate in known}
    near = get_close_matches(_folded(name), by_folded, n=1)
    return f"; did you mean {by_folded[near[0]]}?" if near else ""


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
