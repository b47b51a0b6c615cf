"""The machine under the measurement: clock, device synchronisation, events, memory counters. CPU, CUDA and a fake.

All hardware is touched through `Machine`. `FakeMachine` keeps its own time, so that tests neither sleep nor time.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from .card import Card
from .errors import UsageError
from .vram import CudaMemory, FakeMemory, HostMemory, Memory


class Machine(Protocol):
    """One device of this machine, as the process that measures sees it.

    `mark` records a point on the device's stream and returns at once, None where there is no stream; after `forget_marks`
    those that were made before must not be read any more. Every time is in nanoseconds of a monotonic clock, or seconds
    where the name ends in `_s`.
    """

    device: str
    mark: Callable[[], Any] | None

    @property
    def memory(self) -> Memory: ...

    def clock_ns(self) -> int: ...

    def cpu_time_ns(self) -> int: ...

    def forget_marks(self) -> None: ...

    def synchronize(self) -> None: ...

    def elapsed_s(self, start: Any, end: Any) -> float: ...

    def enter_thread(self, now_ns: int) -> None: ...

    def busy_wait_s(self, seconds: float) -> float: ...

    def device_wait(self, seconds: float) -> None: ...

    def energy_j(self) -> float | None: ...

    def unavailable(self) -> Mapping[str, str]: ...

    def room(self) -> Mapping[str, tuple[float, float]]: ...

    def describe(self) -> Mapping[str, Any]: ...


class CpuMachine:
    """The host itself: nothing to synchronise, resident memory only."""

    device = "cpu"
    mark: Callable[[], Any] | None = None

    def __init__(self) -> None:
        self.memory: Memory = HostMemory()

    def clock_ns(self) -> int:
        return time.perf_counter_ns()

    def cpu_time_ns(self) -> int:
        return time.process_time_ns()

    def forget_marks(self) -> None:
        pass

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

    def energy_j(self) -> float | None:
        return None

    def unavailable(self) -> Mapping[str, str]:
        """Metrics that this device cannot give, and why."""
        return {**self.memory.unavailable(), "energy": "no counter of energy is read on the CPU"}

    def room(self) -> Mapping[str, tuple[float, float]]:
        """Of each memory, the bytes that this process holds and those that are still free, where that can be told."""
        host = host_room()
        return {} if host is None else {"host": host}

    def describe(self) -> Mapping[str, Any]:
        torch = sys.modules.get("torch")
        if torch is None:  # the model does without
            return {"device": "cpu", "threads": None, "torch": None}
        return {"device": "cpu", "threads": torch.get_num_threads(), "torch": torch.__version__}


class CudaMachine(CpuMachine):
    """One CUDA device. Raises UsageError where PyTorch cannot use it."""

    def __init__(self, device: str, vram_limit_bytes: int | None = None) -> None:
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
        self._events: list[Any] = []
        self._recorded = 0
        self.device = f"cuda:{index}"
        self._event = event_of(torch, self.device)
        self.mark = self._mark
        self._uuid = gpu_uuid(index)
        self._card = None if self._uuid is None else open_card(self._uuid)
        self._spin_hz = self._calibrate_spin()
        self.memory: CudaMemory = CudaMemory(index, vram_limit_bytes, self._card)

    def _mark(self) -> Any:
        """An event that was recorded; one is made only where all that there are, are in use."""
        if self._recorded == len(self._events):
            self._events.append(self._event())
        event = self._events[self._recorded]
        self._recorded += 1
        event.record()
        return event

    def forget_marks(self) -> None:
        self._recorded = 0

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

    def energy_j(self) -> float | None:
        """Joules from the card's counter, which the driver renews some ten times a second."""
        return None if self._card is None else self._card.energy_j()

    def unavailable(self) -> Mapping[str, str]:
        memory = self.memory.unavailable()
        if self._card is None:
            return {**memory, "energy": "the NVIDIA driver cannot be asked"}
        return {**memory, "energy": self._card.unavailable["energy"]} if self.energy_j() is None else memory

    def room(self) -> Mapping[str, tuple[float, float]]:
        held = self.memory.context_bytes + self._torch.cuda.memory_reserved(self.device)
        free, _ = self._torch.cuda.mem_get_info(self.device)
        return {**super().room(), "device": (held, float(free))}

    def describe(self) -> Mapping[str, Any]:
        properties = self._torch.cuda.get_device_properties(self.device)
        return {
            **super().describe(),
            "device": self.device,
            "gpu": properties.name,
            "gpu_uuid": self._uuid,
            "context_bytes": self.memory.context_bytes,
            "vram_limit_bytes": self.memory.limit_bytes,
            "gpu_memory_bytes": properties.total_memory,
            "gpu_multiprocessors": properties.multi_processor_count,
            "cuda": self._torch.version.cuda,
            "cudnn": self._torch.backends.cudnn.version(),
            "tf32_matmul": self._torch.backends.cuda.matmul.allow_tf32,
        }


class FakeMachine:
    """A machine whose time passes only when it is told to: `advance_s`. Has events and memory counters as a GPU has.

    A thread that has entered has a clock of its own, as if it had a processor of its own; the machine's is the furthest.
    """

    def __init__(self, device: str = "cpu", vram_limit_bytes: int | None = None) -> None:
        self.device = device
        self.mark: Callable[[], Any] | None = self.clock_ns if device != "cpu" else None
        self.memory = FakeMemory(device=device != "cpu", limit_bytes=vram_limit_bytes)
        self._now_ns = 0
        self._own = threading.local()
        self._lock = threading.Lock()

    def advance_s(self, seconds: float) -> None:
        with self._lock:
            now_ns = self.clock_ns() + round(seconds * 1e9)
            if hasattr(self._own, "now_ns"):
                self._own.now_ns = now_ns
            self._now_ns = max(self._now_ns, now_ns)

    def enter_thread(self, now_ns: int) -> None:
        self._own.now_ns = now_ns

    def clock_ns(self) -> int:
        return getattr(self._own, "now_ns", self._now_ns)

    def cpu_time_ns(self) -> int:
        return self.clock_ns()

    def forget_marks(self) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def elapsed_s(self, start: Any, end: Any) -> float:
        return float(end - start) / 1e9

    def busy_wait_s(self, seconds: float) -> float:
        self.advance_s(seconds)
        return seconds

    def device_wait(self, seconds: float) -> None:
        self.advance_s(seconds)

    def energy_j(self) -> float | None:
        """The fake card uses 100 W."""
        return 100.0 * self._now_ns / 1e9 if self.mark else None

    def unavailable(self) -> Mapping[str, str]:
        reasons = self.memory.unavailable()
        return {**reasons, "energy": "a fake CPU has no counter of energy"} if reasons else {}

    def room(self) -> Mapping[str, tuple[float, float]]:
        return {}

    def describe(self) -> Mapping[str, Any]:
        return {"device": self.device, "fake": True, "vram_limit_bytes": self.memory.limit_bytes}


def machine(device: str, *, fake: bool = False, vram_limit_bytes: int | None = None) -> Machine:
    """The machine for device "cpu", "cuda" or "cuda:N". Raises UsageError where that device cannot be used.

    `vram_limit_bytes` is the share of a card that this process may take, its CUDA context counted in.
    """
    if fake:
        return FakeMachine(device, vram_limit_bytes)
    return CpuMachine() if device == "cpu" else CudaMachine(device, vram_limit_bytes)


def event_of(torch: Any, device: str) -> Callable[[], Any]:
    """What makes an event that can be timed by.

    `torch.Event` finds the current stream in C++, `torch.cuda.Event` builds an object of it in Python at each record; old
    PyTorch has the latter alone.
    """
    if hasattr(torch, "Event"):
        return lambda: torch.Event(device, enable_timing=True)
    return lambda: torch.cuda.Event(enable_timing=True)


def torch_here() -> Any:
    """PyTorch, imported; None where the interpreter has none."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch


def is_torchs(file: str) -> bool:
    """Whether a file of Python is one of PyTorch's own: of the one imported here, or of one that was installed elsewhere."""
    torch = sys.modules.get("torch")
    own = getattr(torch, "__file__", None)
    path = file.replace("\\", "/")
    return "-packages/torch/" in path or bool(own and path.startswith(f"{Path(own).parent.as_posix()}/"))


def host_room() -> tuple[float, float] | None:
    """Resident bytes of this process, and bytes that the host still has; None where the system does not say."""
    statm, meminfo = Path("/proc/self/statm"), Path("/proc/meminfo")
    if statm.exists() and meminfo.exists():
        resident = int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        free = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
        return float(resident), 1024.0 * int(free.split()[1])
    try:
        import psutil
    except ImportError:
        return None
    return float(psutil.Process().memory_info().rss), float(psutil.virtual_memory().available)


def gpu_uuid(index: int) -> str | None:
    """The UUID of the CUDA device `index` as NVML writes it: the two number cards differently. None from old PyTorch."""
    import torch

    found = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    return None if found is None else f"GPU-{found}"


def open_card(uuid: str) -> Card | None:
    """The card, opened for as long as the process lives; None where the driver cannot be asked."""
    card = Card(uuid)
    try:
        card.__enter__()
    except UsageError:
        return None
    return card
