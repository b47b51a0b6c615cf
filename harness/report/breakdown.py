"""What lies below one figure of a device: stages, memory, and the band of the placebo."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.report.model import MemoryBar, Stage
from harness.report.reading import INVALID, Reading
from harness.report.rows import describe
from harness.report.words import say

_MEMORY_BARS = ("peak_allocated", "peak_reserved", "driver_used", "rss_peak")


def stages(reading: Reading, device: str) -> tuple[Stage, ...]:
    """The stages of a request before (none) and after (all); what no stage covers comes last, as "other"."""
    prefix, names = reading.stages(device)
    pairs = [(name, *_before_after(reading, device, f"{prefix}{name}")) for name in names]
    timed = [(name, b, a) for name, b, a in pairs if b is not None and a is not None]
    if not timed:
        return ()
    whole = "device.latency" if prefix == "device." else "latency"
    before, after = _before_after(reading, device, whole, beside=f"{prefix}{names[0]}")
    rest_before = (before or 0.0) - sum(b for _, b, _ in timed)
    rest_after = (after or 0.0) - sum(a for _, _, a in timed)
    if rest_before > 0 and rest_after > 0:
        timed.append(("other", rest_before, rest_after))
    totals = sum(b for _, b, _ in timed), sum(a for _, _, a in timed)
    return tuple(_stage(name, b, a, totals) for name, b, a in timed)


def _stage(name: str, before: float, after: float, totals: tuple[float, float]) -> Stage:
    saved = before - after
    return Stage(
        name=name,
        before_s=before,
        after_s=after,
        before=units.seconds(before),
        after=units.seconds(after),
        share_before=units.percent(before / totals[0]),
        share_after=units.percent(after / totals[1]),
        change=_change(saved),
    )


def _change(saved_s: float) -> str:
    if saved_s == 0:
        return say("no change")
    amount = units.seconds(abs(saved_s), 3)
    return say("{amount} less", amount=amount) if saved_s > 0 else say("{amount} more", amount=amount)


def memory_bars(reading: Reading, device: str) -> tuple[MemoryBar, ...]:
    """Memory with nothing and with everything on. A metric that could not be read has no bar (`Device.unavailable`)."""
    return tuple(_memory_bars(reading, device))


def _memory_bars(reading: Reading, device: str) -> Iterator[MemoryBar]:
    for name in _MEMORY_BARS:
        for contrast in reading.contrasts(device, name, reading.whole):
            if contrast.before is not None and contrast.after is not None and contrast.verdict not in INVALID:
                yield MemoryBar(
                    title=describe(name).title,
                    before_bytes=contrast.before,
                    after_bytes=contrast.after,
                    before=units.size(contrast.before),
                    after=units.size(contrast.after),
                )


def placebo_band(reading: Reading, device: str, name: str) -> tuple[float, float] | None:
    """The log-ratios between which the baseline differs from its own twin in metric `name`."""
    for control in reading.run.controls:
        if control.device == device and control.metric == name and control.name.startswith("placebo"):
            return None if control.low is None or control.high is None else (control.low, control.high)
    return None


def _before_after(reading: Reading, device: str, name: str, beside: str = "") -> tuple[float | None, float | None]:
    """Medians of a metric; with requests at the same moment, which have no stages, of those that have `beside`."""
    crowded = beside and any(concurrency > 1 for concurrency in reading.run.plan.concurrency.values())
    for contrast in reading.contrasts(device, name, reading.whole) if not crowded else ():
        if contrast.before is not None and contrast.after is not None:
            return contrast.before, contrast.after
    before, after = reading.ends()
    return reading.median(device, before, name, beside), reading.median(device, after, name, beside)
