"""The machine under the measurement: clock, device synchronisation, events, memory counters. CPU, CUDA and a fake.

All hardware is touched through `Machine`. `FakeMachine` keeps its own time, so that tests neither sleep nor time.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
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

    def enter_thread(self, now_ns: int) -> None: ...

    def busy_wait_s(self, seconds: float) -> float: ...

    def device_wait(self, seconds: float) -> None: ...

    def release(self) -> None: ...

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

    def enter_thread(self, now_ns: int) -> None:
        """Called in a thread that is about to run a request, at `now_ns`."""

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

    def release(self) -> None:
        """Give back what allocators keep for later, so that the next peak does not begin with it."""
        gc.collect()

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
        self._index = index
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

    def enter_thread(self, now_ns: int) -> None:
        """The current device is a thread's own, and the first one until it is set."""
        self._torch.cuda.set_device(self._index)

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

    def release(self) -> None:
        super().release()
        self._torch.cuda.empty_cache()

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


class _Held:
    """A known allocation of a fake machine, freed when it goes."""


class FakeMachine:
    """A machine whose time passes only when it is told to: `advance_s`. Has events and memory counters as a GPU has.

    A thread that has entered has a clock of its own, as if it had a processor of its own; the machine's is the furthest.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.mark: Callable[[], Any] | None = self.clock_ns if device != "cpu" else None
        self._now_ns = 0
        self._own = threading.local()
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._peak_bytes = 0

    def advance_s(self, seconds: float) -> None:
        with self._lock:
            now_ns = self.clock_ns() + round(seconds * 1e9)
            if hasattr(self._own, "now_ns"):
                self._own.now_ns = now_ns
            self._now_ns = max(self._now_ns, now_ns)

    def enter_thread(self, now_ns: int) -> None:
        self._own.now_ns = now_ns

    def use_bytes(self, size: int) -> None:
        """Say that `size` bytes were in use at some moment since the last reset."""
        with self._lock:
            self._peak_bytes = max(self._peak_bytes, self._held_bytes + size)

    def clock_ns(self) -> int:
        return getattr(self._own, "now_ns", self._now_ns)

    def cpu_time_ns(self) -> int:
        return self.clock_ns()

    def synchronize(self) -> None:
        pass

    def elapsed_s(self, start: Any, end: Any) -> float:
        return float(end - start) / 1e9

    def busy_wait_s(self, seconds: float) -> float:
        self.advance_s(seconds)
        return seconds

    def device_wait(self, seconds: float) -> None:
        self.advance_s(seconds)

    def release(self) -> None:
        pass

    def reset_peaks(self) -> None:
        self._peak_bytes = self._held_bytes

    def peaks(self) -> Mapping[str, float | None]:
        names: Sequence[str] = ("rss_peak", "peak_allocated", "peak_reserved", "driver_used")
        return {name: None if name in self.unavailable() else float(self._peak_bytes) for name in names}

    def hold_dose(self) -> Any:
        held = _Held()
        self._held_bytes += DOSE_BYTES
        weakref.finalize(held, self._let_go)
        return held

    def _let_go(self) -> None:
        self._held_bytes -= DOSE_BYTES

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
