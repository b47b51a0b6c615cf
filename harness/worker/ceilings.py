"""In a fresh process: what a device can do at most. `python -m harness.worker.ceilings DEVICE THREADS` prints it as JSON.

Each figure is taken again and again, on the host by the clock and on a GPU by events; the best is the ceiling, and the
rest say how sure that is. Needs the standard library; torch is imported when something is measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from .machine import Machine, machine, torch_here
from .serving import set_threads

REPEATS = 15
SHORTEST_S = 2e-3
"""One reading lasts at least so long: shorter ones are repeated within it."""
BLOCKS = {"cpu": (2**18, 2**20, 2**22, 2**24, 2**26, 2**28), "cuda": (2**20, 2**23, 2**25, 2**27, 2**30)}
"""Bytes of the blocks that are copied and read: from those that lie in a cache to those that lie in none."""
SIDES = {"cpu": (256, 512, 1024), "cuda": (2048, 4096, 8192)}
"""Rows and columns of the matrices; the best side counts."""
CALLS = 1000
"""Small operations in one reading of what a call costs."""
QUEUED_S = 0.02
"""How long a GPU is kept busy while small kernels queue up behind."""


def measured(device: Machine) -> dict[str, Any]:
    """All ceilings of a device, as `results.Ceilings` has them, without what the machine is."""
    kind = "cpu" if device.mark is None else "cuda"
    return {
        "bandwidths": [bandwidth(device, size) for size in BLOCKS[kind]],
        "rates": {name: rate(device, name, SIDES[kind]) for name in precisions(kind)},
        "call": call(device),
        "launch": None if device.mark is None else launch(device),
    }


def precisions(kind: str) -> tuple[str, ...]:
    """Of matrix products: what PyTorch can be asked for on such a device."""
    return ("float32", "bfloat16") if kind == "cpu" else ("float32", "tf32", "bfloat16", "float16")


def bandwidth(device: Machine, size: int) -> dict[str, Any]:
    """Bytes a second through a block of `size` bytes: copied, which reads and writes each, and summed, which reads."""
    import torch

    source = torch.ones(size // 4, device=device.device)
    target = torch.empty_like(source)
    copied = _readings(device, lambda: target.copy_(source))
    read = _readings(device, lambda: torch.sum(source))
    return {
        "block_bytes": size,
        "copy": _most([2 * size / taken_s for taken_s in copied]),
        "read": _most([size / taken_s for taken_s in read]),
    }


def rate(device: Machine, precision: str, sides: Sequence[int]) -> dict[str, Any]:
    """Operations a second of the product of two square matrices: the side on which it is highest."""
    found = [_most([2 * side**3 / taken_s for taken_s in _products(device, precision, side)]) for side in sides]
    return max(found, key=lambda known: known["best"])


def _products(device: Machine, precision: str, side: int) -> list[float]:
    import torch

    dtype = getattr(torch, "float32" if precision == "tf32" else precision)
    left, right = (torch.ones(side, side, device=device.device, dtype=dtype) for _ in range(2))
    into = torch.empty_like(left)
    with _tf32(on=precision == "tf32"):
        return _readings(device, lambda: torch.mm(left, right, out=into))


@contextmanager
def _tf32(*, on: bool) -> Iterator[None]:
    """Whether a GPU may shorten float32 in products of matrices."""
    import torch

    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = on
    try:
        yield
    finally:
        matmul.allow_tf32 = before


def call(device: Machine) -> dict[str, Any]:
    """Seconds of the host for one operation on one number; a GPU is not waited for within a reading."""
    import torch

    left = torch.ones(1, device=device.device)
    into = torch.empty_like(left)
    add = torch.add
    found = []
    for _ in range(REPEATS):
        device.synchronize()
        start = device.clock_ns()
        for _ in range(CALLS):
            add(left, left, out=into)
        found.append((device.clock_ns() - start) / 1e9 / CALLS)
    device.synchronize()
    return _least(found)


def launch(device: Machine) -> dict[str, Any]:
    """Seconds of a GPU for one small kernel, with others queued before it: the host is ahead, so that it is not timed."""
    import torch

    left = torch.ones(1, device=device.device)
    into = torch.empty_like(left)
    mark = device.mark
    if mark is None:
        message = f"{device.device} has no queue of kernels"
        raise ValueError(message)
    found = []
    for _ in range(REPEATS):
        device.synchronize()
        device.device_wait(QUEUED_S)
        start = mark()
        for _ in range(CALLS):
            torch.add(left, left, out=into)
        end = mark()
        device.synchronize()
        found.append(device.elapsed_s(start, end) / CALLS)
    return _least(found)


def _readings(device: Machine, once: Callable[[], object]) -> list[float]:
    """Seconds of one call, in each of the repeats; the first calls are for nothing."""
    _timed(device, once, 2)
    count = max(1, round(SHORTEST_S / max(_timed(device, once, 1), 1e-9)))
    return [_timed(device, once, count) / count for _ in range(REPEATS)]


def _timed(device: Machine, once: Callable[[], object], count: int) -> float:
    """Seconds of `count` calls: by events where there is a stream, else by the clock."""
    mark = device.mark
    device.synchronize()
    start, begun = device.clock_ns(), None if mark is None else mark()
    for _ in range(count):
        once()
    ended = None if mark is None else mark()
    device.synchronize()
    return (device.clock_ns() - start) / 1e9 if begun is None else device.elapsed_s(begun, ended)


def _most(found: Sequence[float]) -> dict[str, Any]:
    return {"best": max(found), "median": median(found), "worst": min(found), "repeats": len(found)}


def _least(found: Sequence[float]) -> dict[str, Any]:
    return {"best": min(found), "median": median(found), "worst": max(found), "repeats": len(found)}


def main(arguments: Sequence[str]) -> None:
    """Measure and print; a device that is not here is told as {"refused": why}."""
    from .errors import UsageError

    name, threads = arguments
    torch_here()  # imported first, so that the threads are its own
    set_threads(int(threads))
    try:
        found: Mapping[str, Any] = measured(machine(name))
    except UsageError as error:
        found = {"refused": str(error)}
    print(json.dumps(found))  # noqa: T201  this process's answer


if __name__ == "__main__":
    main(sys.argv[1:])
