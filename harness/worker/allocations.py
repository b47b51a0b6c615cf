"""What held the memory of a GPU: every allocation of some requests, from the history that PyTorch's allocator keeps.

`record` writes two files: NAME.pickle, which PyTorch's own viewer (pytorch.org/memory_viz) opens and nothing here ever reads,
and NAME.json, the same thing as plain data: memory over time, and who held it at the peak. The report draws the latter,
so that it can be read without a network.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .machine import is_torchs

MAX_EVENTS = 400_000
"""Allocations and frees that are kept; the oldest are dropped beyond this, which the summary says."""
MAX_POINTS = 2_000
"""Points of memory over time; more are thinned, and each stretch keeps its highest."""
MAX_HOLDERS = 40
STACK = 8

Event = Mapping[str, Any]


def record(run: Callable[[], object], file: Path) -> None:
    """Run `run()` on the current CUDA device with the allocator's history on; write `file` and its JSON (see above)."""
    import torch

    memory = torch.cuda.memory
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    memory._record_memory_history(max_entries=MAX_EVENTS, stacks="python")  # noqa: SLF001  torch documents it so
    try:
        run()
        torch.cuda.synchronize()
        snapshot = memory._snapshot()  # noqa: SLF001
        file.parent.mkdir(parents=True, exist_ok=True)
        memory._dump_snapshot(str(file))  # noqa: SLF001
    finally:
        memory._record_memory_history(enabled=None)  # noqa: SLF001
    events = snapshot["device_traces"][torch.cuda.current_device()]
    file.with_suffix(".json").write_text(json.dumps(summary(events, before)), encoding="utf-8")


def summary(events: Sequence[Event], before_bytes: int) -> dict[str, Any]:
    """Plain data of an allocator's trace: `points` [[s, bytes]], the peak, and its `holders`, largest first.

    `before_bytes` was held when the trace began (the weights, mostly). A holder is a place in the code:
    {"bytes", "count", "place", "stack"}.
    """
    totals = list(_totals(events, before_bytes))
    peak_index, peak_bytes = max(totals, key=lambda pair: pair[1], default=(-1, before_bytes))
    start_us = events[0]["time_us"] if events else 0
    return {
        "before_bytes": before_bytes,
        "peak_bytes": peak_bytes,
        "events": len(events),
        "complete": len(events) < MAX_EVENTS,
        "points": thinned([((events[index]["time_us"] - start_us) / 1e6, total) for index, total in totals]),
        "holders": _holders(_live(events[: peak_index + 1])),
    }


def _totals(events: Sequence[Event], before_bytes: int) -> Iterator[tuple[int, int]]:
    total = before_bytes
    for index, event in enumerate(events):
        if event["action"] == "alloc":
            total += event["size"]
        elif event["action"] == "free_completed":
            total -= event["size"]
        else:
            continue
        yield index, total


def _live(events: Sequence[Event]) -> list[Event]:
    """The allocations of a trace that it does not free again."""
    live: dict[int, Event] = {}
    for event in events:
        if event["action"] == "alloc":
            live[event["addr"]] = event
        elif event["action"] == "free_completed":
            live.pop(event["addr"], None)
    return list(live.values())


def _holders(live: Sequence[Event]) -> list[dict[str, Any]]:
    sizes: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for event in live:
        sizes[tuple(_frames(event))].append(event["size"])
    ranked = sorted(sizes.items(), key=lambda item: -sum(item[1]))[:MAX_HOLDERS]
    return [
        {"bytes": sum(found), "count": len(found), "place": stack[0] if stack else "unknown", "stack": list(stack)}
        for stack, found in ranked
    ]


def _frames(event: Event) -> Iterator[str]:
    """The innermost frames that are not PyTorch's own, as "file:line function"; paths from the package on."""
    own = [frame for frame in event.get("frames", ()) if not is_torchs(frame["filename"])]
    for frame in own[:STACK]:
        yield f"{'/'.join(Path(frame['filename']).parts[-3:])}:{frame['line']} {frame['name']}"


def thinned(points: Sequence[tuple[float, int]], most: int = MAX_POINTS) -> list[tuple[float, int]]:
    """At most `most` of the points, in order, the highest of each stretch of equal length among them."""
    if len(points) <= most:
        return list(points)
    stretch = -(-len(points) // most)
    return [max(points[i : i + stretch], key=lambda point: point[1]) for i in range(0, len(points), stretch)]
