"""The planted call as a plain function, for the tools that are not this harness: the same unit, done the same way."""

from __future__ import annotations

import os
from collections.abc import Callable

from harness.adapters.planted import UNITS, Unit
from harness.optimizations.planted_work import repeated

SCENARIO_VARIABLE, PAIRED_RESULT = "PLANTED_SCENARIO", "paired.json"
"""How a pair of functions on a card is told its scenario (model, request, and `planted_work` after), and the file of what was found."""
UNITS_VARIABLE = "PLANTED_UNITS"
"""The environment variable by which a tool's process is told how many units the call has."""


def planted_call(units: int, unit: Callable[[], object] | None = None) -> Callable[[], object]:
    """A call of so many units, on one thread as in the harness's own workers. `unit` stands in for the real one."""
    import torch

    torch.set_num_threads(1)
    work = unit or Unit()

    def call() -> object:
        with torch.inference_mode():
            return repeated(work, units)

    return call


def told_call() -> Callable[[], object]:
    """The call of as many units as the environment says; of `UNITS`, where it says nothing."""
    return planted_call(int(os.environ.get(UNITS_VARIABLE, UNITS)))
