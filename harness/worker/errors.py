"""The errors that a worker raises on purpose. `harness.errors` draws the whole tree, whose root these are."""

from __future__ import annotations


class HarnessError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line answers."""

    exit_code = 4


class UsageError(HarnessError):
    """The command line, a name or a file cannot be read as meant."""

    exit_code = 2
