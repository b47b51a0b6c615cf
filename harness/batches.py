"""Inside a forked worker: timed batches of calls of two functions, the first one's twin, and the first with a delay."""

from __future__ import annotations

import gc
import random
import reprlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from harness.designs import HOST_DOSE, PLACEBO
from harness.twins import twin
from harness.worker.machine import CpuMachine, Machine

BEFORE, AFTER = "before", "after"
ARMS = (BEFORE, AFTER, PLACEBO, HOST_DOSE)
"""What a block times: the two functions, `before`'s twin, and `before` after a busy-wait of known length."""
SAMPLE_S = 0.005
"""A timed batch is calls for at least so long, so that reading the clock is nothing beside it."""
LARGEST_SAMPLE_S = 0.05
"""For the sake of the faster function, a batch of the slower one is no longer than about this."""
WARM_S = 1.0
"""Calls of a worker's warm-up end after so long, even if its first batch was all of it."""
GARBAGE = 10_000
"""Garbage is collected between turns if this many objects more are tracked; else it would only cost time."""

Check = Callable[[Any, Any], object] | None
"""Whether two outputs are the same; None: they are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What one call of each function returned: whether that is `same` (None: not compared), and both in short."""

    same: bool | None
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Blocks of one worker in a row: of each the seconds by arm, and the busy-wait that was given; `wall_s` is the whole turn."""

    blocks: tuple[Mapping[str, float], ...]
    doses_s: tuple[float, ...]
    wall_s: float


class Batches:
    """The functions of one worker, copied to places of its own; `place` differs from worker to worker."""

    def __init__(
        self, before: Callable[[], Any], after: Callable[[], Any], *, check: Check, place: int,
        machine: Machine | None = None,
    ) -> None:  # fmt: skip
        self._keep: list[bytes] = []
        dice = random.Random(place)  # noqa: S311  not secrets
        order = [BEFORE, AFTER, PLACEBO]
        dice.shuffle(order)
        found = {arm: twin(after if arm == AFTER else before, self._keep, dice) for arm in order}
        self._functions = {**found, HOST_DOSE: found[BEFORE]}
        self._check = check
        self._machine: Machine = CpuMachine() if machine is None else machine

    def begin(self) -> None:
        """Make this process one that measures: no tracing, and no collection of garbage but between turns."""
        sys.settrace(None)
        sys.setprofile(None)
        gc.disable()

    def compare(self) -> Outputs:
        """Call both functions once, and compare what they return."""
        return compared(self._functions[BEFORE](), self._functions[AFTER](), self._check)

    def warm_up(self) -> tuple[float, float]:
        """Call both functions in growing batches until these are long enough. Returns the seconds of a call of each.

        The first call of each is no measure of it: what is made once (an import, a model, a device's context) is made there.
        """
        for arm in (BEFORE, AFTER):
            self._time(arm, 1, 0.0)
        spent_s, calls, long_enough = 0.0, 1, 0
        while True:
            found = [self._time(arm, calls, 0.0)[0] for arm in (BEFORE, AFTER)]
            spent_s += sum(found)
            long_enough += min(found) >= SAMPLE_S
            if long_enough > 1 or spent_s >= WARM_S:
                return found[0] / calls, found[1] / calls
            calls *= 1 if long_enough else 2

    def turn(self, orders: Sequence[Sequence[str]], calls: int, dose_s: float) -> Turn:
        """A block for each of `orders`, of `calls` calls by each of its arms; an untimed batch first."""
        start = self._machine.clock_ns()
        if gc.get_count()[0] > GARBAGE:
            gc.collect()
        self._time(orders[0][0], calls, 0.0)
        blocks, doses_s = [], []
        for order in orders:
            block = {}
            for arm in order:
                block[arm], waited_s = self._time(arm, calls, dose_s if arm == HOST_DOSE else 0.0)
                if arm == HOST_DOSE:
                    doses_s.append(waited_s)
            blocks.append(block)
        return Turn(
            blocks=tuple(blocks), doses_s=tuple(doses_s), wall_s=(self._machine.clock_ns() - start) / 1e9
        )  # fmt: skip

    def _time(self, arm: str, calls: int, dose_s: float) -> tuple[float, float]:
        """Seconds of a batch, and of the busy-wait at its start."""
        function, machine = self._functions[arm], self._machine
        times = repeat(None, calls)
        start = machine.clock_ns()
        waited_s = machine.busy_wait_s(dose_s) if dose_s else 0.0
        for _ in times:
            function()
        return (machine.clock_ns() - start) / 1e9, waited_s


def compared(before: Any, after: Any, check: Check) -> Outputs:
    """Compare two outputs by `check`; not at all where it is None, or is `plain_equal` and they are not plain data."""
    if check is None or (check is plain_equal and not (_is_plain(before) and _is_plain(after))):
        return Outputs(same=None)
    return Outputs(same=bool(check(before, after)), before=reprlib.repr(before), after=reprlib.repr(after))


def plain_equal(before: Any, after: Any) -> bool:
    """Whether two values of plain data are equal; a NaN equals a NaN."""
    return bool(before == after) or repr(before) == repr(after)


def _is_plain(value: Any) -> bool:
    """Whether `==` says of a value what one means: numbers, text, bytes, and containers of these."""
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | complex | str | bytes)
