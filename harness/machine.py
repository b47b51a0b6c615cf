"""The machine under the measurement: clock, device synchronisation, events, memory counters. CPU, CUDA and a fake.

All hardware is touched through `Machine`. `FakeMachine` keeps its own time, so that tests neither sleep nor time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.errors import UsageError

DOSE_BYTES = 64 * 2**20
"""Size of the known allocation that the memory pass makes to check its own counters."""


class Machine(Protocol):
    """One device of this machine, as the process that measures sees it.

    `mark` records a point on the device's stream and returns at once, None where there is no stream. Every time is in
    nanoseconds of a monotonic clock, or seconds where the name ends in `_s`.
    """

    device: str
    mark: Callable[[], Any] | None

    def clock_ns(self) -> int: ...

    def cpu_time_ns(self) -> int: ...

    def synchronize(self) -> None: ...

    def elapsed_s(self, start: Any, end: Any) -> float: ...

    def busy_wait_s(self, seconds: float) -> float: ...

    def device_wait(self, seconds: float) -> None: ...

    def reset_peaks(self) -> None: ...

    def peaks(self) -> Mapping[str, float | None]: ...

    def hold_dose(self) -> Any: ...

    def unavailable(self) -> Mapping[str, str]: ...

    def describe(self) -> Mapping[str, Any]: ...


class CpuMachine:
    """The host itself: nothing to synchronise, resident memory only."""

    device = "cpu"
    mark: Callable[[], Any] | None = None

    def clock_ns(self) -> int:
        return time.perf_counter_ns()

    def cpu_time_ns(self) -> int:
        return time.process_time_ns()

    def synchronize(self) -> None:
        pass

    def elapsed_s(self, start: Any, end: Any) -> float:
        message = "the CPU has no device events"
        raise RuntimeError(message)

    def busy_wait_s(self, seconds: float) -> float:
        """Spin on the clock for `seconds`; returns how long it really took."""
        start = self.clock_ns()
        end = start + round(seconds * 1e9)
        while self.clock_ns() < end:
            pass
        return (self.clock_ns() - start) / 1e9

    def device_wait(self, seconds: float) -> None:
        message = "the CPU has no device to keep busy"
        raise RuntimeError(message)

    def reset_peaks(self) -> None:
        """Make the peak of resident memory start again from what is resident now, where the system can."""
        clear_refs = Path("/proc/self/clear_refs")
        if clear_refs.exists():
            clear_refs.write_text("5")

    def peaks(self) -> Mapping[str, float | None]:
        return {"rss_peak": _rss_peak_bytes(), "peak_allocated": None, "peak_reserved": None, "driver_used": None}

    def hold_dose(self) -> Any:
        """Allocate and touch `DOSE_BYTES` of host memory; it is freed when the returned object goes."""
        import numpy as np

        return np.ones(DOSE_BYTES, dtype=np.uint8)

    def unavailable(self) -> Mapping[str, str]:
        reason = "PyTorch counts device allocations on a GPU only"
        return {"peak_allocated": reason, "peak_reserved": reason, "driver_used": "the CPU has no device memory"}

    def describe(self) -> Mapping[str, Any]:
        import torch

        return {"device": "cpu", "threads": torch.get_num_threads(), "torch": torch.__version__}


class CudaMachine(CpuMachine):
    """One CUDA device. Raises UsageError where PyTorch cannot use it."""

    def __init__(self, device: str) -> None:
        import torch

        index = int(device.partition(":")[2] or 0)
        if not torch.cuda.is_available():
            message = "PyTorch finds no CUDA device here"
            raise UsageError(message)
        if index >= torch.cuda.device_count():
            message = f"there is no {device}: PyTorch finds {torch.cuda.device_count()} CUDA device(s)"
            raise UsageError(message)
        torch.cuda.set_device(index)
        self._torch = torch
        self._spin_hz: float | None = None
        self.device = f"cuda:{index}"
        self.mark = self._mark

    def _mark(self) -> Any:
        event = self._torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def synchronize(self) -> None:
        self._torch.cuda.synchronize()

    def elapsed_s(self, start: Any, end: Any) -> float:
        """Seconds between two marks; both must have been reached (call `synchronize` first)."""
        return float(start.elapsed_time(end)) / 1e3

    def device_wait(self, seconds: float) -> None:
        """Queue a spin kernel of about `seconds` on the current stream; returns at once."""
        if self._spin_hz is None:
            self._spin_hz = self._calibrate_spin()
        self._spin(round(seconds * self._spin_hz))

    def _spin(self, cycles: int) -> None:
        self._torch.cuda._sleep(cycles)  # noqa: SLF001  torch's only spin kernel; its own tests rest on it

    def _calibrate_spin(self) -> float:
        cycles = 20_000_000
        for _ in range(2):
            start = self._mark()
            self._spin(cycles)
            end = self._mark()
            self.synchronize()
        return cycles / self.elapsed_s(start, end)

    def reset_peaks(self) -> None:
        super().reset_peaks()
        self._torch.cuda.reset_peak_memory_stats()

    def peaks(self) -> Mapping[str, float | None]:
        free, total = self._torch.cuda.mem_get_info()
        return {
            "rss_peak": _rss_peak_bytes(),
            "peak_allocated": float(self._torch.cuda.max_memory_allocated()),
            "peak_reserved": float(self._torch.cuda.max_memory_reserved()),
            "driver_used": float(total - free),
        }

    def hold_dose(self) -> Any:
        return self._torch.empty(DOSE_BYTES, dtype=self._torch.uint8, device=self.device), super().hold_dose()

    def unavailable(self) -> Mapping[str, str]:
        return {}

    def describe(self) -> Mapping[str, Any]:
        properties = self._torch.cuda.get_device_properties(self.device)
        return {
            **super().describe(),
            "device": self.device,
            "gpu": properties.name,
            "gpu_memory_bytes": properties.total_memory,
            "gpu_multiprocessors": properties.multi_processor_count,
            "cuda": self._torch.version.cuda,
            "cudnn": self._torch.backends.cudnn.version(),
            "tf32_matmul": self._torch.backends.cuda.matmul.allow_tf32,
        }


class FakeMachine:
    """A machine whose time passes only when it is told to: `advance_s`. Has events and memory counters as a GPU has."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.mark: Callable[[], Any] | None = self.clock_ns if device != "cpu" else None
        self._now_ns = 0
        self._held_bytes = 0
        self._peak_bytes = 0

    def advance_s(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)

    def use_bytes(self, size: int) -> None:
        """Say that `size` bytes were in use at some moment since the last reset."""
        self._peak_bytes = max(self._peak_bytes, self._held_bytes + size)

    def clock_ns(self) -> int:
        return self._now_ns

    def cpu_time_ns(self) -> int:
        return self._now_ns

    def synchronize(self) -> None:
        pass

    def elapsed_s(self, start: Any, end: Any) -> float:
        return float(end - start) / 1e9

    def busy_wait_s(self, seconds: float) -> float:
        self.advance_s(seconds)
        return seconds

    def device_wait(self, seconds: float) -> None:
        self.advance_s(seconds)

    def reset_peaks(self) -> None:
        self._peak_bytes = self._held_bytes

    def peaks(self) -> Mapping[str, float | None]:
        names: Sequence[str] = ("rss_peak", "peak_allocated", "peak_reserved", "driver_used")
        return {name: None if name in self.unavailable() else float(self._peak_bytes) for name in names}

    def hold_dose(self) -> Any:
        self._held_bytes += DOSE_BYTES
        return None

    def unavailable(self) -> Mapping[str, str]:
        reason = "a fake CPU has no device memory"
        return {} if self.mark else dict.fromkeys(("peak_allocated", "peak_reserved", "driver_used"), reason)

    def describe(self) -> Mapping[str, Any]:
        return {"device": self.device, "fake": True}


def machine(device: str, *, fake: bool = False) -> Machine:
    """The machine for device "cpu", "cuda" or "cuda:N". Raises UsageError where that device cannot be used."""
    if fake:
        return FakeMachine(device)
    return CpuMachine() if device == "cpu" else CudaMachine(device)


def _rss_peak_bytes() -> float | None:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)
