"""torch.profiler inside a worker: a trace, and what it counted.

    record            runs something under the profiler: writes the trace (opens in Perfetto), returns the counts
    device_share      how long a device computed and how long it waited for the host, from times of kernels and launches

Needs the standard library; torch is imported when a trace is made. Times are nanoseconds unless the name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Kernel = tuple[int, int, int]
"""(start, end, launched at), the last being when the host began to ask for it, or 0 where that is not known."""
_DRIVER = ("cuda", "cu", "hip")
_LAUNCH, _WAITING = "Launch", "Synchronize"
"""How events of the driver's interface are named: all, those that launch kernels or graphs of them, those that wait."""


def record(run: Callable[[], object], file: Path) -> dict[str, Any]:
    """Run `run()`, which waits for the device at its end, under torch.profiler; write the trace to `file` (.json.gz).

    Returns operators, kernels, launches and the device's share.
    """
    import torch
    from torch.profiler import ProfilerActivity

    on_card = torch.cuda.is_available() and torch.cuda.is_initialized()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_card else [])]
    with torch.profiler.profile(activities=activities, acc_events=True) as profiler:
        run()
    profiler.export_chrome_trace(str(file))
    raw = list(profiler.profiler.kineto_results.events())
    cpu = type(raw[0].device_type()).CPU if raw else None
    return {
        "operators": operators(profiler.key_averages()),
        **_device(raw, cpu),
    }


def operators(averages: Iterable[Any]) -> list[dict[str, Any]]:
    """Of each operator: calls, and seconds of the host in it, without what it calls (`own_s`) and with (`total_s`)."""
    rows = [
        {"name": item.key, "calls": item.count, "own_s": item.self_cpu_time_total / 1e6, "total_s": item.cpu_time_total / 1e6}
        for item in averages
        if "cuda" not in str(getattr(item, "device_type", "")).lower()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -float(row["own_s"]))


def _device(raw: Sequence[Any], cpu: Any) -> dict[str, Any]:
    """What ran on the device: kernels by name, launches, and its share of the time. Empty where nothing ran on one.

    The time is that from the first event to the last; waiting for the device to be done is none, because the profiler does so too.
    """
    on_device = [
        event
        for event in raw
        if event.device_type() != cpu and event.duration_ns() > 0 and not event.is_user_annotation()
    ]
    if not on_device:
        return {"kernels": [], "launches": 0, "device": None}
    calls = [event for event in raw if event.device_type() == cpu and event.name().startswith(_DRIVER)]
    asked = {event.correlation_id(): event for event in calls}
    spans = [_span(event, asked.get(event.correlation_id())) for event in on_device]
    within = [event for event in raw if _WAITING not in event.name()]
    begin = min(event.start_ns() for event in within)
    end = max(event.start_ns() + event.duration_ns() for event in within)
    return {
        "kernels": _by_name(on_device),
        "launches": sum(_LAUNCH in event.name() for event in calls),
        "device": device_share(spans, begin, end),
    }


def _by_name(events: Iterable[Any]) -> list[dict[str, Any]]:
    """Calls and seconds of the device by name, the longest first."""
    found: dict[str, list[int]] = {}
    for event in events:
        known = found.setdefault(event.name(), [0, 0])
        known[0] += 1
        known[1] += event.duration_ns()
    rows = [{"name": name, "calls": calls, "own_s": spent / 1e9} for name, (calls, spent) in found.items()]
    return sorted(rows, key=lambda row: -float(str(row["own_s"])))


def _span(event: Any, asked: Any) -> Kernel:
    start = event.start_ns()
    return (start, start + event.duration_ns(), asked.start_ns() if asked is not None else 0)


def device_share(kernels: Sequence[Kernel], begin: int, end: int) -> dict[str, float]:
    """Shares of the time from `begin` to `end`: `busy`, and `waits_for_host`: idle with nothing asked of the device.

    Idle time before a kernel is the host's from when the device was free until the host began to ask for it; the rest of it is
    the way of the launch. After the last kernel the device waits for the host as well.
    """
    whole = end - begin
    if whole <= 0:
        return {"busy": 0.0, "waits_for_host": 0.0}
    busy, waits, free_at = 0, 0, begin
    for start, stop, launched in sorted(kernels):
        if start > free_at:
            asked = min(max(launched, free_at), start) if launched else start
            waits += asked - free_at
        busy += max(0, stop - max(start, free_at))
        free_at = max(free_at, stop)
    waits += max(0, end - free_at)
    return {"busy": busy / whole, "waits_for_host": waits / whole}
