"""What lies below one figure of a device: stages, memory, and the band of the placebo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from harness import units
from harness.report.model import MemoryBar, Stage, Tone
from harness.report.reading import INVALID, Reading
from harness.report.rows import badge, describe, verdict_of
from harness.report.words import say

_MEMORY_BARS = ("peak_allocated", "peak_reserved", "driver_used", "rss_peak")


def stages(reading: Reading, device: str) -> tuple[tuple[Stage, ...], tuple[float, float]]:
    """The stages of a request before and after, and the request itself: medians of each, which need not add up.

    What no stage covers comes last, as "other": the median over requests of what was left in each. A difference of medians would be of
    the noise of all of them.
    """
    prefix, names = reading.stages(device)
    pairs = [(name, *_before_after(reading, device, f"{prefix}{name}")) for name in names]
    timed = [(name, b, a) for name, b, a in pairs if b is not None and a is not None]
    if not timed:
        return (), (0.0, 0.0)
    whole = "device.latency" if prefix == "device." else "latency"
    before, after = _before_after(reading, device, whole, beside=f"{prefix}{names[0]}")
    totals = before or sum(b for _, b, _ in timed), after or sum(a for _, _, a in timed)
    rest_before, rest_after = (
        _rest(reading, device, arm, whole, [prefix + name for name, *_ in timed]) for arm in reading.ends()
    )
    if rest_before is not None and rest_after is not None:
        timed.append(("other", rest_before, rest_after))
    return tuple(_stage(name, b, a, totals, _tone(reading, device, f"{prefix}{name}")) for name, b, a in timed), totals


def _tone(reading: Reading, device: str, metric: str) -> Tone:
    """That of the verdict on a stage; open where none was drawn, as of what no stage covers, or nothing may be compared."""
    for contrast in reading.contrasts(device, metric, reading.whole):
        if contrast.verdict in INVALID:
            return "open"
        return badge(verdict_of(reading, contrast)).tone
    return "open"


def _rest(reading: Reading, device: str, arm: str | None, whole: str, names: Sequence[str]) -> float | None:
    """The median over an arm's requests of the seconds that none of the stages covers; None where there is nothing left."""
    left = []
    for trial in reading.timed_of(device, arm):
        found = [trial.values.get(name) for name in (whole, *names)]
        if None not in found:
            request_s, *covered_s = (value or 0.0 for value in found)
            left.append(request_s - sum(covered_s))
    rest = median(left) if left else 0.0
    return rest if rest > 0 else None


def _stage(name: str, before: float, after: float, totals: tuple[float, float], tone: Tone) -> Stage:
    return Stage(
        name=name,
        before_s=before,
        after_s=after,
        before=units.seconds(before),
        after=units.seconds(after),
        share_before=units.percent(before / totals[0]),
        share_after=units.percent(after / totals[1]),
        change=_change(before - after),
        tone=tone,
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
