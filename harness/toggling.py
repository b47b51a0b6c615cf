"""What is said of toggles wherever they are spoken of: their states, the names of these, how they are kept apart, how outputs agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from harness.worker.arms import State

__all__ = ["Grade", "Isolation", "State", "setting", "toggle_of"]

Isolation = Literal["request", "settled", "process"]
"""What arms of a toggle may share: a block of requests, one in which every arm runs once untimed before, or no process."""
Grade = Literal["bitwise", "tolerance", "spectral", "words", "changed"]
"""How two outputs agree, from best to worst (`equivalence`)."""


def setting(toggle: str, state: State) -> str:
    """The name of one of several after-states of a toggle: `batched_cleanup[every=4]`. Safe in names of files.

    Several words NAME=VALUE in one value are joined by a plus.
    """
    if not isinstance(state, Mapping) or not state:
        return f"{toggle}[{'off' if state is False else 'on'}]"
    told = re.sub(" (?=[A-Za-z_][A-Za-z0-9_]*=)", "+", ",".join(f"{key}={value}" for key, value in state.items()))
    return f"{toggle}[{re.sub(r'[^A-Za-z0-9._=,+-]', '', told)}]"


def toggle_of(optimization: str) -> str:
    """The toggle that a contrast's `optimization` is about: the name itself, or what stands before its state."""
    return optimization.partition("[")[0]
