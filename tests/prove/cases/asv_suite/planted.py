"""The planted call, as asv times it."""

from __future__ import annotations

from tests.prove.call import told_call

_CALL = told_call()


def time_call() -> None:
    _CALL()
