"""Memory that the target gives back after each segment: `empty_cache`, `synchronize` and `gc.collect` of its modules."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..code import names
from ..counting import Probe, calls
from ..patches import Patch
from ..views import view
from .toggle import Toggle

EMPTY, COLLECT = "torch.cuda.empty_cache", "gc.collect"
GIVING_BACK = (EMPTY, COLLECT)
WAITING = "torch.cuda.synchronize"
STREAM = "torch.cuda.current_stream"


class PutOff:
    """What the target asks for after each segment, done less often: after every N segments, once a request, or when much
    memory is in use. A segment has ended when the target asks for the first of its kinds of cleanup.
    """

    def __init__(self, device: str, every: Any, above_bytes: int | None) -> None:
        self._device = device
        self._every = every
        self._above_bytes = above_bytes
        self._segments = 0
        self._first = ""
        self._really: dict[str, Callable[[], Any]] = {}
        self._asked: set[str] = set()

    def instead_of(self, path: str) -> Callable[[Any], Any]:
        """Takes the place of the function at `path`."""

        def made(original: Any) -> Any:
            self._really[path] = original

            def put_off(*_: Any, **__: Any) -> int:
                self._first = self._first or path
                self._asked.add(path)
                if path == self._first:
                    self._segment_ended()
                return 0

            return put_off

        return made

    def nothing(self, _: Any) -> Any:
        """Takes the place of waiting for the device."""
        return lambda *_, **__: None

    def stream(self, original: Any) -> Any:
        """Takes the place of `current_stream`: streams that are not waited for."""
        return lambda *args, **kwargs: _Unwaited(original(*args, **kwargs))

    def end_request(self) -> None:
        """Clean up once, where that is what `every` says."""
        if self._every == "request":
            self._clean()

    def _segment_ended(self) -> None:
        self._segments += 1
        due = isinstance(self._every, int) and self._segments >= self._every
        if due or (self._above_bytes is not None and in_use_bytes(self._device) > self._above_bytes):
            self._clean()

    def _clean(self) -> None:
        self._segments = 0
        for path in sorted(self._asked):
            self._really[path]()
        self._asked.clear()


class _Unwaited:
    """A stream whose `synchronize` does nothing."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def synchronize(self) -> None:
        pass


class BatchedCleanup(Toggle):
    """After, what the target's modules see as `empty_cache`, `gc.collect` and waiting for the device is put off."""

    def lacks(self) -> str:
        empties, collects = self._mentioned("empty_cache"), self._mentioned("collect")
        if not empties and not collects:
            return "its code never empties the cache or collects garbage"
        if self.device == "cpu" and not collects:
            return "its code gives memory back on a GPU alone"
        return ""

    def after(self, arm: Any, *, every: Any = "request", above: str | None = None, **_: Any) -> list[Patch]:
        put_off = PutOff(self.device, every, None if above is None else parse_bytes(above))
        arm.after_request.append(put_off.end_request)
        made = {path: put_off.instead_of(path) for path in GIVING_BACK}
        made.update({WAITING: put_off.nothing, STREAM: put_off.stream})
        return [
            patch for module in self._modules() for path, make in made.items() for patch in view(module, path, make)
        ]

    def probe(self, **_: Any) -> Probe:
        import torch

        modules = {__name__, *(module.__name__ for module in self._modules())}
        return calls((torch.cuda, "empty_cache"), (gc, "collect"), modules=modules)

    def _modules(self) -> tuple[Any, ...]:
        return tuple(sys.modules[name] for name in {*self._mentioned("empty_cache"), *self._mentioned("collect")})

    def _mentioned(self, name: str) -> list[str]:
        """Modules of the target with a function that mentions `name`."""
        return sorted({function.__module__ for function in self.code.functions() if name in names(function)})


def parse_bytes(size: str) -> int:
    """Bytes of "1GiB" or "512 MB", as scenarios write them."""
    number, power = re.fullmatch(r"([0-9.]+) ?([KMGT]i?)B", size).groups()  # type: ignore[union-attr]  # the scenario checked it
    return int(float(number) * (1024 if power.endswith("i") else 1000) ** (1 + "KMGT".index(power[0])))


def in_use_bytes(device: str) -> int:
    """Bytes that the caching allocator holds on a GPU; on the CPU, resident memory of the process (Linux alone)."""
    import torch

    if device != "cpu":
        return int(torch.cuda.memory_reserved(device))
    import resource

    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


TOGGLE = BatchedCleanup
