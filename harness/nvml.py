"""What the NVIDIA driver says of one card: clocks, temperature, power, throttling, energy, memory. Imports no torch.

Read by the runner in a thread of its own while a worker measures (`Sampler`). What the worker itself asks a card before and
after a timed region is in `worker.card`. A reading that the driver refuses is None; `Card.unavailable` says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness.worker import card

PERIOD_S = 0.1
"""Between two readings of the sampler. A reading takes well under a millisecond, in the runner's process."""

SLOWDOWNS: Mapping[int, str] = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits of NVML's clock event reasons that mean that the card ran slower than it was asked to. Idling is not among them."""


class Card(card.Card):
    """A card whose condition can be looked at as a whole."""

    def reading(self) -> Reading:
        """The card's condition now."""
        nvml, handle = self._nvml, self._handle
        reasons = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
        reasons = reasons or nvml.nvmlDeviceGetCurrentClocksThrottleReasons
        power = self._read("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        return Reading(
            at_s=time.monotonic(),
            sm_clock_mhz=self._read("sm_clock", lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            memory_clock_mhz=self._read(
                "memory_clock", lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)
            ),
            temperature_c=self._read(
                "temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
            ),
            power_w=None if power is None else power / 1e3,
            utilisation=self._read("utilisation", lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100),
            used_bytes=self._read("used", lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used),
            reasons=int(self._read("throttling", lambda: reasons(handle)) or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at a card; `reasons` are NVML's clock event bits, `at_s` is on the clock of `time.monotonic`."""

    at_s: float
    sm_clock_mhz: float | None
    memory_clock_mhz: float | None
    temperature_c: float | None
    power_w: float | None
    utilisation: float | None
    used_bytes: float | None
    reasons: int


class Sampler:
    """Reads a card every `period_s` in a thread, until it is closed. `between` sums up what was read in a stretch."""

    def __init__(self, card: Card, period_s: float = PERIOD_S) -> None:
        self._card = card
        self._period_s = period_s
        self._readings: list[Reading] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="nvml")
        card.__enter__()
        self._thread.start()

    def _watch(self) -> None:
        while not self._closing.wait(self._period_s):
            self._readings.append(self._card.reading())

    def since(self, start_s: float) -> dict[str, Any]:
        """`summary` of what was read from `start_s` (of `time.monotonic`) on; older readings are dropped."""
        taken = self._readings
        self._readings = [reading for reading in taken if reading.at_s >= start_s]
        return summary(self._readings)

    def close(self) -> None:
        """End the thread. What the driver refused is in the card's `unavailable`."""
        self._closing.set()
        self._thread.join()
        self._card.__exit__()


def summary(readings: Sequence[Reading]) -> dict[str, Any]:
    """The condition of a card over a stretch: medians, the lowest clock, the highest temperature, what slowed it down.

    Keys end in their unit; `slowed_by` lists the names of `SLOWDOWNS` that any reading saw, `slowed_share` is the share of readings that saw one.
    Empty where nothing was read.
    """
    if not readings:
        return {}
    slow = [reading for reading in readings if any(reading.reasons & bit for bit in SLOWDOWNS)]
    return {
        "readings": len(readings),
        "sm_clock_mhz": _over(median, readings, "sm_clock_mhz"),
        "sm_clock_lowest_mhz": _over(min, readings, "sm_clock_mhz"),
        "memory_clock_mhz": _over(median, readings, "memory_clock_mhz"),
        "temperature_highest_c": _over(max, readings, "temperature_c"),
        "power_w": _over(median, readings, "power_w"),
        "utilisation": _over(median, readings, "utilisation"),
        "used_highest_bytes": _over(max, readings, "used_bytes"),
        "slowed_share": len(slow) / len(readings),
        "slowed_by": [name for bit, name in SLOWDOWNS.items() if any(reading.reasons & bit for reading in readings)],
    }


def _over(how: Callable[[list[float]], float], readings: Sequence[Reading], name: str) -> float | None:
    known = [value for reading in readings if (value := getattr(reading, name)) is not None]
    return how(known) if known else None
