"""Clean up memory in batches (seed document: `TTS.py`, and "optional" 1: less frequent `empty_cache`)."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Annotated, Literal

from harness.optimizations.allowed import Field
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext, Cleanup
from harness.optimizations.witness import Witness
from harness.units import parse_bytes
from harness.worker.probes import calls


class CleanedPerSegment:
    """Collects garbage and empties the allocator's cache after every segment."""

    def __init__(self, device: str) -> None:
        self._device = device

    def after_segment(self) -> None:
        release_memory(self._device)

    def after_request(self) -> None:
        pass


class CleanedInBatches:
    """Cleans up after each request, every N segments, or when memory in use passes a threshold."""

    def __init__(self, device: str, every: int | str, above_bytes: int | None) -> None:
        self._device = device
        self._every = every
        self._above_bytes = above_bytes
        self._segments = 0

    def start_over(self) -> None:
        """No segment has ended since memory was cleaned."""
        self._segments = 0

    def after_segment(self) -> None:
        self._segments += 1
        due = isinstance(self._every, int) and self._segments >= self._every
        if due or (self._above_bytes is not None and memory_in_use_bytes(self._device) > self._above_bytes):
            self._clean()

    def after_request(self) -> None:
        if self._every == "request":
            self._clean()

    def _clean(self) -> None:
        release_memory(self._device)
        self.start_over()


def release_memory(device: str) -> None:
    """Collect Python's garbage, and give the caching allocator's free blocks back to the driver."""
    gc.collect()
    if device != "cpu":
        import torch

        torch.cuda.empty_cache()


def memory_in_use_bytes(device: str) -> int:
    """Bytes that the caching allocator holds on a GPU; on the CPU, resident memory of the process."""
    if device == "cpu":
        import psutil

        return int(psutil.Process().memory_info().rss)
    import torch

    return int(torch.cuda.memory_reserved(device))


def clean_each_segment(context: BindContext) -> Cleanup:
    """Clean up after every segment of a text."""
    return CleanedPerSegment(context.device)


def end_of_first_segment(cleanup: Cleanup) -> Callable[[], None]:
    """The end of a segment after which memory is cleaned without the toggle, and with it only later."""
    if not isinstance(cleanup, CleanedInBatches):
        return cleanup.after_segment

    def call() -> None:
        cleanup.start_over()
        cleanup.after_segment()

    return call


@optimization(
    title="Clean up memory in batches",
    sites=("engine.cleanup",),
    before=clean_each_segment,
    witness=Witness(
        unit="calls of gc.collect() or empty_cache() by the cleanup",
        probe=lambda **_: calls("gc:collect", caller=__name__),
        before="every request",
        after="fewer",
    ),
    isolation="settled",
    seed_section="other 4",
    place=end_of_first_segment,
)
def batched_cleanup(
    context: BindContext,
    *,
    every: Annotated[int, Field(ge=1)] | Literal["request", "never"] = "request",
    above: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$", description="a size such as 1GiB")] | None = None,
) -> Cleanup:
    """Run `gc.collect()` and `torch.cuda.empty_cache()` less often than after every segment.

    `every: request` cleans once at the end of a request, `every: 8` after each eighth segment, `every: never` not at
    all; `above: 1GiB` cleans after a segment that leaves more memory than that in use. The price of cleaning less is
    memory that stays reserved for longer.
    """
    return CleanedInBatches(context.device, every, None if above is None else parse_bytes(above))
