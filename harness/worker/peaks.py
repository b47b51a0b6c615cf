"""Peaks of memory by stage, and memory over time: what the memory pass hears of a request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .spans import blame
from .vram import NON_TORCH, STAGE_PEAKS, WHOLE, Memory

Points = list[tuple[float, str, float, float, float]]


class PeakRecorder:
    """Listens to the stages of requests and keeps the peaks of each, and of all. Stages nest.

    At every edge of a stage the peaks so far belong to all stages that are open; then they are reset. Nothing here may
    run in a timed region. `points` are (seconds since the start, stage, bytes allocated, bytes reserved, and the peak
    allocated since the point before), one for each edge, in order.
    """

    def __init__(self, memory: Memory, clock_ns: Callable[[], int]) -> None:
        self._memory = memory
        self._clock_ns = clock_ns
        self._open: list[str] = []
        self._peaks: dict[tuple[str, str], float] = {}
        self._missing: set[str] = set()
        self._driver: float | None = None
        self._outside = self._whole = -math.inf
        self._events_before = memory.events()
        self._start_ns = clock_ns()
        self.points: Points = []
        memory.reset()

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Read memory at both edges of stage `name`; not where it ends by an error, which is told as it is."""
        try:
            self._edge()
            self._open.append(name)
            try:
                yield
                self._edge()
            finally:
                self._open.pop()
        except BaseException as error:
            blame(error, name)
            raise

    def _edge(self) -> None:
        peaks, now = self._memory.peaks(), self._memory.in_use()
        for metric, value in peaks.items():
            if value is None:
                self._missing.add(metric)
                continue
            for stage in ("", *self._open):
                self._peaks[metric, stage] = max(value, self._peaks.get((metric, stage), 0.0))
        if (driver := now["driver"]) is not None:
            self._driver = max(driver, self._driver or 0.0)
        if (outside := self._memory.count_non_torch()) is not None:
            self._outside = max(outside, self._outside)
            self._whole = max(outside + (peaks["peak_reserved"] or 0.0), self._whole)
        if (allocated := now["allocated"]) is not None:
            at_s = (self._clock_ns() - self._start_ns) / 1e9
            stage = self._open[-1] if self._open else ""
            self.points.append((at_s, stage, allocated, now["reserved"] or 0.0, peaks["peak_allocated"] or 0.0))
        self._memory.reset()

    def values(self) -> dict[str, float | None]:
        """The memory metrics of everything heard so far; `peak_allocated.flow` is that of stage flow."""
        self._edge()
        values: dict[str, float | None] = dict.fromkeys(self._missing)
        for (metric, stage), peak in self._peaks.items():
            if not stage:
                values[metric] = peak
            elif metric in STAGE_PEAKS and stage != "request":
                values[f"{metric}.{stage}"] = peak
        values["driver_used"] = self._driver
        counted = self._whole > -math.inf
        values[NON_TORCH], values[WHOLE] = (self._outside, self._whole) if counted else (None, None)
        values["fragmentation"] = _share_unused(values.get("peak_allocated"), values.get("peak_reserved"))
        for name, after in self._memory.events().items():
            before = self._events_before[name]
            values[name] = None if after is None or before is None else after - before
        return values


def _share_unused(allocated: float | None, reserved: float | None) -> float | None:
    return None if allocated is None or not reserved else (reserved - allocated) / reserved
