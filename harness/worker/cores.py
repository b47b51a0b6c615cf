"""Which core of this machine is left alone, and staying on it.

On a shared host a core runs at two thirds of its speed while somebody else uses its other hyperthread, and a process
that the system moves about meets that at random. A worker may look for the core that is steadily fast, just before it
measures, and keep its main thread there (`measure.pin`; off, because neighbours come and go: docs/decisions/0010). The
pairs of processes of a gate are told their core. What threads a library has stay free.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns

ROUNDS = 8
SPIN_NS = 20_000_000


@dataclass(frozen=True)
class Choice:
    """The core that was chosen, and the slowest speed that was seen on it and on the median core, in loops per ns.

    None where nobody looked.
    """

    core: int
    slowest: float | None
    median_slowest: float | None


def usable() -> list[int]:
    """The cores that this process may use; empty where the system does not say or cannot pin (macOS, Windows)."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def quietest(cores: Sequence[int], speed_on: Callable[[int], float] | None = None, rounds: int = ROUNDS) -> Choice:
    """The core whose slowest of `rounds` spins is the fastest. The cores take turns, so that each sees several moments.

    `speed_on(core)` gives the speed of one spin there, and leaves the thread where it likes. Takes about
    `rounds` x 20 ms for each core. Raises ValueError for no cores.
    """
    if not cores:
        message = "there is no core to choose from"
        raise ValueError(message)
    seen: Mapping[int, list[float]] = {core: [] for core in cores}
    for _ in range(rounds):
        for core in cores:
            seen[core].append((speed_on or _spin_on)(core))
    slowest = {core: min(speeds) for core, speeds in seen.items()}
    core = max(cores, key=slowest.__getitem__)
    return Choice(core=core, slowest=slowest[core], median_slowest=sorted(slowest.values())[len(slowest) // 2])


def stay_on(core: int) -> None:
    """Keep the calling thread on `core`."""
    os.sched_setaffinity(0, {core})


def _spin_on(core: int) -> float:
    stay_on(core)
    start = perf_counter_ns()
    count = 0
    while (now := perf_counter_ns()) - start < SPIN_NS:
        count += 1
    return count / (now - start)
