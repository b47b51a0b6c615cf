"""What is recorded: one decision a line, as frozen data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.adapters.planted import UNITS

SLOW_DOWNS = (0, 1, 2, 5)
"""Planted slow-downs in percent; 0 is the identical arm, on which every FAIL is a false alarm."""

Verdict = Literal["FAIL", "PASS", "undecided"]
"""FAIL: slower, says the method. PASS: not slower. "undecided": it says that it cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one method made of a measurement: its verdict, the log of after / before, and in words what it adds."""

    method: str
    verdict: Verdict
    log_ratio: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a tool found, by each of its methods, and for how many seconds it timed calls."""

    found: tuple[Found, ...]
    measured_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool, run as its users run it.

    `decide(units, folder)` compares a call of `UNITS` units with one of `units`, may write into the empty `folder`, and
    raises ToolFailedError where the tool does not answer. `cpu_s` is about what that takes. `package` is the distribution
    that must be installed, "" for none; `how` tells readers what is run.
    """

    name: str
    title: str
    how: str
    methods: tuple[str, ...]
    cpu_s: float
    package: str
    decide: Callable[[int, Path], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One decision to make: `turn` counts how often the tool has had one."""

    tool: str
    turn: int
    slow_down: int

    @property
    def units(self) -> int:
        """Units of the second call."""
        return UNITS + UNITS * self.slow_down // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision that was made: its job, what was found, what it took; `error` in place of findings if the tool failed.

    `wall_s` and `cpu_s` count everything, start-up of processes included; `cpu_s` is the processor time of all of them.
    """

    tool: str
    turn: int
    slow_down: int
    started: str
    wall_s: float
    cpu_s: float
    measured_s: float = 0.0
    found: tuple[Found, ...] = ()
    error: str = ""
