"""One place of a pipeline timed alone: batches of calls, of either side in turn (docs/decisions/0016).

A call of some places takes tens of nanoseconds, less than a reading of the clock. So what is timed is a batch of so many
calls that it lasts `BATCH_S`, the clock being read at its ends. The loop around the calls costs as much on either side;
an empty call, timed in the same way, shows how much.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from .machine import Machine
from .probes import Probe

Call = Callable[[], Any]
BATCH_S = 0.0005
"""A batch lasts at least about so long: thousands of readings of the clock, and much less than a processor is given to one
process at a time, so that on a busy machine most batches are whole."""
MOST_CALLS = 2**16
"""A batch has no more calls, whatever they take."""
ROUNDS = (5, 100)
"""A place has at least so many batches of each side in a worker, and at most so many."""
PLACE_S = 1.0
"""Between these, a worker goes on with a place until it has timed it for so long."""
COUNTED = 2
"""Calls in which the witness is counted."""


@dataclass(frozen=True)
class Batch:
    """A timed batch: which side, the mean time of a call in seconds, and how many calls it had."""

    side: str
    call_s: float
    calls: int


def nothing() -> None:
    """The empty call."""


def events(probe: Probe, call: Call) -> float:
    """What the witness counts in one call of a place that was called before."""
    call()
    with probe() as tally:
        for _ in repeat(None, COUNTED):
            call()
    return tally.count / COUNTED


def rounds(machine: Machine, sides: Mapping[str, Call], rng: random.Random) -> Iterator[list[Batch]]:
    """Rounds of a batch of each side, in random order."""
    calls = {side: calls_in_batch(machine, call) for side, call in sides.items()}
    order, spent_s = list(sides), 0.0
    for number in range(ROUNDS[1]):
        if number >= ROUNDS[0] and spent_s >= PLACE_S:
            return
        rng.shuffle(order)
        lasted = {side: batch_s(machine, sides[side], calls[side]) for side in order}
        spent_s += sum(lasted.values())
        yield [Batch(side=side, call_s=time_s / calls[side], calls=calls[side]) for side, time_s in lasted.items()]


def calls_in_batch(machine: Machine, call: Call) -> int:
    """How many calls a batch needs to last `BATCH_S`: doubled from one, as they are tried."""
    calls = 1
    while calls < MOST_CALLS and batch_s(machine, call, calls) < BATCH_S:
        calls *= 2
    return calls


def batch_s(machine: Machine, call: Call, calls: int) -> float:
    """Seconds that so many calls take, work on the device included."""
    times = repeat(None, calls)
    machine.synchronize()
    start = machine.clock_ns()
    for _ in times:
        call()
    machine.synchronize()
    return (machine.clock_ns() - start) / 1e9
