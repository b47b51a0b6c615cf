"""What a worker asks the NVIDIA driver of its card: energy, and how much of its memory a process holds.

A reading that the driver refuses is None; `Card.unavailable` says why. `harness.nvml` reads more, in the runner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import UsageError


@contextmanager
def driver() -> Iterator[Any]:
    """The library `pynvml`, initialised. Raises UsageError where this machine has no NVIDIA driver, or Python lacks it."""
    try:
        import pynvml
    except ImportError:
        message = "the NVIDIA driver cannot be asked: nvidia-ml-py is not installed"
        raise UsageError(message) from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        message = f"the NVIDIA driver cannot be asked: {error}"
        raise UsageError(message) from None
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


CardT = TypeVar("CardT", bound="Card")


class Card:
    """One card by its UUID ("GPU-..." as NVML writes it). Use it as a context."""

    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        self.unavailable: dict[str, str] = {}
        self._driver = driver()

    def __enter__(self: CardT) -> CardT:  # noqa: PYI019  typing.Self is newer than Python 3.9
        self._nvml = self._driver.__enter__()
        self._handle = self._nvml.nvmlDeviceGetHandleByUUID(self.uuid)
        return self

    def __exit__(self, *error: object) -> None:
        self._driver.__exit__(None, None, None)

    def energy_j(self) -> float | None:
        """Joules that the card has used since the driver was loaded, from its own counter."""
        millijoules = self._read("energy", lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        return None if millijoules is None else millijoules / 1e3

    def used_by(self, pid: int) -> float | None:
        """Bytes of the card that process `pid` holds, its context included.

        In a container the driver knows processes by other numbers: the only one on the card is then taken for it.
        """

        def read() -> float:
            running = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
            own = [process for process in running if process.pid == pid or len(running) == 1]
            return float(next(process.usedGpuMemory for process in own))

        return self._read("process_used", read)

    def _read(self, what: str, read: Callable[[], float]) -> float | None:
        try:
            return float(read())
        except (self._nvml.NVMLError, StopIteration, TypeError) as error:
            self.unavailable.setdefault(what, f"the driver does not say: {str(error) or 'no such process'}")
            return None
