"""Memory of one process: what is in use, its peaks, and what the allocator did. Host, CUDA and a fake.

Sizes are bytes. Where a counter does not exist its reading is None and `unavailable` says why: never zero.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from .card import Card
from .errors import UsageError
from .sizes import size

STAGE_PEAKS = ("peak_allocated", "peak_reserved")
"""Metrics of memory of which each stage has its own."""
DOSE_BYTES = 64 * 2**20
"""Size of the known allocation that the memory pass makes to check its own counters."""
OOMS = "ooms"
"""Allocations that were refused for good since the process started, whether or not somebody caught that."""
EVENTS = ("device_mallocs", "device_frees", "alloc_retries", OOMS)
"""Counts since the process started: memory asked from the driver, given back to it, asked again after a refusal, and refused for good."""
NON_TORCH = "non_torch"
"""What a process holds of a card outside the caching allocator: its CUDA context, kernels, workspaces of libraries."""
WHOLE = "process_peak"
"""What a process holds of a card in all: the allocator's blocks, and what is outside it."""
_SIZE = r"([0-9.]+) (bytes|KiB|MiB|GiB)"
_ASKED = re.compile(rf"Tried to allocate {_SIZE}")
_ALLOCATED = re.compile(rf"Of the allocated memory {_SIZE} is allocated by PyTorch")
_UNUSED = re.compile(rf"{_SIZE} is reserved by PyTorch but unallocated")
_FREE = re.compile(rf"of which {_SIZE} is free")
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class Memory(Protocol):
    """The counters of one device. `in_use` has the keys allocated, reserved and driver; `limit_bytes` is what the process may hold."""

    limit_bytes: int | None

    def in_use(self) -> Mapping[str, float | None]: ...

    def peaks(self) -> Mapping[str, float | None]: ...

    def reset(self) -> None: ...

    def release(self) -> None: ...

    def events(self) -> Mapping[str, float | None]: ...

    def count_non_torch(self) -> float | None: ...

    def holding_dose(self) -> AbstractContextManager[None]: ...

    def refusal(self, error: BaseException) -> str: ...

    def unavailable(self) -> Mapping[str, str]: ...


class HostMemory:
    """Resident memory of this process."""

    limit_bytes: int | None = None

    def in_use(self) -> Mapping[str, float | None]:
        return {"allocated": None, "reserved": None, "driver": None}

    def peaks(self) -> Mapping[str, float | None]:
        return {"rss_peak": _rss_peak_bytes(), "peak_allocated": None, "peak_reserved": None}

    def reset(self) -> None:
        """Make the peak of resident memory start again from what is resident now, where the system can."""
        with suppress(OSError):  # absent, or not allowed: then the peak is that of the process so far
            Path("/proc/self/clear_refs").write_text("5")

    def release(self) -> None:
        """Give back what is kept for later, so that the next peak does not begin with it."""
        gc.collect()

    def events(self) -> Mapping[str, float | None]:
        return dict.fromkeys(EVENTS)

    def count_non_torch(self) -> float | None:
        """Nothing is outside an allocator that is not there."""
        return None

    @contextmanager
    def holding_dose(self) -> Iterator[None]:
        """Hold `DOSE_BYTES` that were allocated and touched."""
        held = bytearray(b"\x01") * DOSE_BYTES
        yield
        del held

    def refusal(self, error: BaseException) -> str:
        return str(error)

    def unavailable(self) -> Mapping[str, str]:
        reason = "PyTorch counts device allocations on a GPU only"
        counted = (*STAGE_PEAKS, "fragmentation", *EVENTS, NON_TORCH, WHOLE)
        return {**dict.fromkeys(counted, reason), "driver_used": "the CPU has no device memory"}


class CudaMemory(HostMemory):
    """The caching allocator of PyTorch on one device, and the driver's view of the card.

    `context_bytes` is the most that the process was counted to hold outside the allocator.
    """

    def __init__(self, index: int, limit_bytes: int | None = None, card: Card | None = None) -> None:
        import torch

        self._cuda = torch.cuda
        self._index = index
        self._card = card
        self.limit_bytes = limit_bytes
        self._dose_bytes = 0
        self._load_libraries()
        found = self._outside()
        self._is_counted = found is not None
        # where the driver does not tell processes apart: all that is in use on the card and not the allocator's
        self.context_bytes = (self.in_use()["driver"] or 0.0) - self._reserved() if found is None else found
        if limit_bytes is None:
            return
        if limit_bytes <= self.context_bytes:
            message = (
                f"measure.vram_limit: {size(limit_bytes)} is less than the CUDA context of a process takes here "
                f"({size(self.context_bytes)})"
            )
            raise UsageError(message)
        self._limit(limit_bytes)

    def _outside(self) -> float | None:
        """The driver's count of this process less the allocator's blocks; None where it has none, or one that cannot be this process's."""
        before = self._reserved()
        used = None if self._card is None else self._card.used_by(os.getpid())
        held = max(before, self._reserved())
        return None if used is None or used < held else used - held

    def _reserved(self) -> float:
        return float(self._cuda.memory_reserved(self._index))

    def _of_the_model(self) -> float:
        """What the allocator has reserved but for the known allocation, for which a limit is wider."""
        return self._reserved() - self._dose_bytes

    def count_non_torch(self) -> float | None:
        """Bytes that the process holds of the card outside the caching allocator; None where the driver does not tell.

        That grows after the start: kernels are loaded when they are first launched, and libraries keep workspaces for each
        thread. Under a limit, what has come since is no longer the allocator's, and blocks beyond are given back. Raises
        torch.cuda.OutOfMemoryError where tensors are in them. Not for a timed region.
        """
        found = self._outside()
        if found is None:
            return None
        self.context_bytes = max(found, self.context_bytes) if self._is_counted else found
        self._is_counted = True
        if self.limit_bytes is not None:
            self._make_room(self.limit_bytes)
        return found

    def _make_room(self, limit_bytes: int) -> None:
        if self._of_the_model() + self.context_bytes > limit_bytes:
            gc.collect()  # which is off: tensors in cycles are nobody's
            self._cuda.empty_cache()
        if (beyond := self._of_the_model() + self.context_bytes - limit_bytes) > 0:
            message = (
                f"{size(self._of_the_model())} in blocks of tensors and {size(self.context_bytes)} of context: {size(beyond)} more than "
                f"the limit of {size(limit_bytes)}"
            )
            raise self._cuda.OutOfMemoryError(message)
        self._limit(limit_bytes)

    def _load_libraries(self) -> None:
        """Run one kernel of cuBLAS, cuDNN and cuFFT, so that what they load is counted."""
        import torch

        device = torch.device("cuda", self._index)
        signal = torch.ones(1, 8, 64, device=device)
        torch.nn.functional.conv1d(signal @ signal.transpose(1, 2), torch.ones(8, 8, 3, device=device))
        torch.fft.rfft(signal)
        self._cuda.synchronize(self._index)
        del signal
        self._cuda.empty_cache()

    def _limit(self, limit_bytes: int) -> None:
        """Leave the allocator no more than what the process does not hold outside it, and the known allocation that is held."""
        total = self._cuda.get_device_properties(self._index).total_memory
        room = limit_bytes - self.context_bytes + self._dose_bytes
        self._cuda.set_per_process_memory_fraction(min(1.0, max(0.0, room / total)), self._index)

    def refusal(self, error: BaseException) -> str:
        """What an out-of-memory error of PyTorch means: how much was asked for, in use at that moment, and beyond the limit."""
        self.context_bytes = max(self._outside() or 0.0, self.context_bytes)
        whole = self.limit_bytes or self._cuda.get_device_properties(self._index).total_memory
        return refused(
            str(error), now_bytes=self.in_use()["allocated"] or 0.0, dose_bytes=self._dose_bytes,
            context_bytes=self.context_bytes, limit_bytes=whole, limit=f"the limit of {size(whole)}" if self.limit_bytes else f"the card's {size(whole)}",
        )  # fmt: skip

    def in_use(self) -> Mapping[str, float | None]:
        free, total = self._cuda.mem_get_info(self._index)
        return {
            "allocated": float(self._cuda.memory_allocated(self._index)),
            "reserved": float(self._cuda.memory_reserved(self._index)),
            "driver": float(total - free),
        }

    def peaks(self) -> Mapping[str, float | None]:
        return {
            "rss_peak": _rss_peak_bytes(),
            "peak_allocated": float(self._cuda.max_memory_allocated(self._index)),
            "peak_reserved": float(self._cuda.max_memory_reserved(self._index)),
        }

    def reset(self) -> None:
        super().reset()
        self._cuda.reset_peak_memory_stats(self._index)

    def release(self) -> None:
        super().release()
        self._cuda.empty_cache()

    def events(self) -> Mapping[str, float | None]:
        stats = self._cuda.memory_stats(self._index)
        keys = ("num_device_alloc", "num_device_free", "num_alloc_retries", "num_ooms")
        return {name: float(stats[key]) if key in stats else None for name, key in zip(EVENTS, keys)}

    @contextmanager
    def holding_dose(self) -> Iterator[None]:
        """Hold the known allocation, in blocks of its own. It is not the model's: a limit is wider by it meanwhile.

        After an error nothing is put back: the process ends, and what it lacked is told as it was.
        """
        import torch

        self._set_aside(DOSE_BYTES)
        held = torch.empty(DOSE_BYTES, dtype=torch.uint8, device=torch.device("cuda", self._index))
        with super().holding_dose():
            yield
        del held
        self._set_aside(0)

    def _set_aside(self, dose_bytes: int) -> None:
        if self.limit_bytes is not None:
            self._cuda.empty_cache()
            self._dose_bytes = dose_bytes
            self._limit(self.limit_bytes)

    def unavailable(self) -> Mapping[str, str]:
        if self._outside() is not None:
            return {}
        told = "the NVIDIA driver cannot be asked"
        if self._card is not None:
            told = self._card.unavailable.get("process_used", "the driver's count is of another process")
        return dict.fromkeys((NON_TORCH, WHOLE), told)


class FakeMemory:
    """Counters that read what they are told: `use_bytes`."""

    def __init__(self, *, device: bool, limit_bytes: int | None = None) -> None:
        self._device = device
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._held_bytes = 0
        self._peak_bytes = 0
        self._refused = 0

    def use_bytes(self, size: int) -> None:
        """Say that `size` bytes were in use at some moment since the last reset. Raises MemoryError above the limit."""
        with self._lock:
            if self.limit_bytes is not None and size > self.limit_bytes:
                self._refused += 1
                message = f"{size - self.limit_bytes} B more than the limit"
                raise MemoryError(message)
            self._peak_bytes = max(self._peak_bytes, self._held_bytes + size)

    def in_use(self) -> Mapping[str, float | None]:
        held = float(self._held_bytes) if self._device else None
        return {"allocated": held, "reserved": held, "driver": held}

    def peaks(self) -> Mapping[str, float | None]:
        peak = float(self._peak_bytes)
        return {"rss_peak": peak, **dict.fromkeys(STAGE_PEAKS, peak if self._device else None)}

    def reset(self) -> None:
        self._peak_bytes = self._held_bytes

    def release(self) -> None:
        pass

    def events(self) -> Mapping[str, float | None]:
        return {**dict.fromkeys(EVENTS, 0.0), OOMS: float(self._refused)} if self._device else dict.fromkeys(EVENTS)

    def count_non_torch(self) -> float | None:
        return 0.0 if self._device else None

    @contextmanager
    def holding_dose(self) -> Iterator[None]:
        self._held_bytes += DOSE_BYTES
        try:
            yield
        finally:
            self._held_bytes -= DOSE_BYTES

    def refusal(self, error: BaseException) -> str:
        return str(error)

    def unavailable(self) -> Mapping[str, str]:
        if self._device:
            return {}
        return dict.fromkeys(
            (*STAGE_PEAKS, "driver_used", "fragmentation", *EVENTS, NON_TORCH, WHOLE), "a fake CPU has no device memory"
        )


def _rss_peak_bytes() -> float | None:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    if sys.platform == "win32":
        try:
            import psutil
        except ImportError:
            return None
        return float(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


def refused(
    message: str, *, now_bytes: float, context_bytes: float, limit_bytes: float, limit: str, dose_bytes: float = 0.0
) -> str:
    """What an out-of-memory error of PyTorch says, told against a `limit` in which the process's context counts.

    The `message` has what was in use when memory was asked for, to two decimals, a known allocation of `dose_bytes` with it, which no
    limit counts; `now_bytes`, after the error, stand for it only where it does not, as what the request held is free by then. A
    message of another form is returned as it is.
    """
    asked_bytes = _told(_ASKED, message)
    if asked_bytes is None:
        return message
    then_bytes, unused_bytes, free_bytes = (_told(what, message) for what in (_ALLOCATED, _UNUSED, _FREE))
    in_use = now_bytes if then_bytes is None else then_bytes - dose_bytes
    short = in_use + asked_bytes + context_bytes - limit_bytes
    if short > 0:
        why = f"{size(short)} more than {limit}"
    elif unused_bytes is not None and unused_bytes >= asked_bytes:
        why = (
            f"{limit} would hold it, were it not fragmented ({size(unused_bytes)} are reserved, and in use by nothing)"
        )
    elif free_bytes is not None and free_bytes < asked_bytes:
        why = f"of the card {size(free_bytes)} are free, as others hold the rest"
    else:
        why = f"no block of that size is left in {limit}"
    return f"{size(asked_bytes)} asked for with {size(in_use)} in use and {size(context_bytes)} of context: {why}"


def _told(what: re.Pattern[str], message: str) -> float | None:
    """A size in bytes that a message of PyTorch's allocator has; None where it has none."""
    found = what.search(message)
    return None if found is None else float(found[1]) * _UNITS[found[2]]
