"""What else the machine did while a worker measured: cores used by others, and time stolen by the hypervisor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Reading:
    at_s: float
    busy_s: float
    stolen_s: float | None
    own_s: float


class Load:
    """Reads the system's counters of processor time around some work of the processes `pids`; not `active`, it reads nothing."""

    def __init__(self, *pids: int, active: bool = True) -> None:
        self._pids = pids
        self._start = self._read() if active else None

    def since_start(self) -> Mapping[str, float]:
        """Since this object was made: `others_cores`, the cores that other processes used on average, and `steal_cores`.

        The system counts in steps (10 ms on most), so that of a short time little can be said. Empty where the system or
        the worker does not answer; without `steal_cores` where it counts none.
        """
        before, after = self._start, None if self._start is None else self._read()
        if before is None or after is None or after.at_s <= before.at_s:
            return {}
        seconds = after.at_s - before.at_s
        others_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
        found = {"others_cores": max(0.0, others_s / seconds)}
        if before.stolen_s is not None and after.stolen_s is not None:
            found["steal_cores"] = (after.stolen_s - before.stolen_s) / seconds
        return found

    def _read(self) -> _Reading | None:
        import psutil

        with suppress(psutil.Error):
            own = [psutil.Process(pid).cpu_times() for pid in self._pids]
            times = psutil.cpu_times()
            idle = times.idle + getattr(times, "iowait", 0.0)
            stolen = getattr(times, "steal", None)
            # guest time is also in user time, on the systems that count it
            counted = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
            return _Reading(
                time.monotonic(), counted - idle - (stolen or 0.0), stolen, sum(each.user + each.system for each in own)
            )
        return None
