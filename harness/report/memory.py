"""Memory of a GPU as rows of finished text and courses to draw, and what the card was like meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from statistics import median

from harness import units
from harness.metrics import SUMMARISED
from harness.report.model import Allocator, AllocatorRow, Course, Facts, StagePeak
from harness.report.reading import Reading
from harness.report.rows import describe
from harness.report.words import mark, say
from harness.results import CYCLE, ArmSummary, MemoryCourse
from harness.worker.vram import DOSE_BYTES, EVENTS, NON_TORCH, WHOLE

_EDGES = ("request", "")
"""Points of a course that are no stage's: those of the request itself, and what lies between requests."""
_COUNTED = (*EVENTS, NON_TORCH, WHOLE)


def courses(reading: Reading, device: str) -> tuple[Course, ...]:
    """Memory over the requests of one cycle with nothing and with everything on, or with each setting of a single toggle that
    has several; none where no allocator was heard.
    """
    found = {course.arm: course for course in reading.run.memory_courses if course.device == device}
    before, after = reading.ends()
    settings = [arm.name for arm in reading.run.plan.arms if arm.role == "toggle"]
    several = after in settings and len(settings) > 1
    told = [(say("before"), before), *([(name, name) for name in settings] if several else [(say("after"), after)])]
    return tuple(_course(label, found[arm]) for label, arm in told if arm in found and found[arm].points)


def _course(label: str, course: MemoryCourse) -> Course:
    """The peak of a stretch is drawn in its middle, between the edges at which memory was read."""
    allocated: list[tuple[float, float]] = []
    last_s = 0.0
    for at_s, _, held, _, peak in course.points:
        allocated += [((last_s + at_s) / 2, peak), (at_s, held)]
        last_s = at_s
    return Course(
        label=label,
        allocated=tuple(allocated),
        reserved=tuple((point[0], point[3]) for point in course.points),
        stages=tuple(_stages(course)),
    )


def _stages(course: MemoryCourse) -> Iterator[tuple[str, float, float]]:
    """(name, start, end) of the outermost stages: the point before a stage's first is where it was entered."""
    entered_s = 0.0
    for stage, points in groupby(course.points, key=lambda point: point[1].partition(".")[0]):
        left_s = [point[0] for point in points][-1]
        if stage not in _EDGES:
            yield stage, entered_s, left_s
        entered_s = left_s


def stage_peaks(reading: Reading, device: str) -> tuple[StagePeak, ...]:
    """Peaks of each stage with nothing and with everything on, highest first; none where no allocator was heard, nor where all requests are
    made at the same moment, whose stages are not heard.
    """
    cycles = [trial for trial in reading.trials(device, "memory") if trial.stratum == CYCLE]
    names = dict.fromkeys(name for trial in cycles for name in trial.values if name.startswith("peak_allocated."))
    rows = [(name.partition(".")[2], _sides(reading, device, name.partition(".")[2])) for name in names]
    rows.sort(key=lambda row: -(row[1][0] or 0.0))
    return tuple(
        StagePeak(stage=stage, figures=tuple(units.size(side) for side in sides), allocated=(sides[0], sides[1]))
        for stage, sides in rows
    )


def _sides(reading: Reading, device: str, stage: str) -> tuple[float | None, ...]:
    return tuple(
        _median(reading, device, arm, f"{metric}.{stage}")
        for metric in ("peak_allocated", "peak_reserved")
        for arm in reading.ends()
    )


def _median(reading: Reading, device: str, arm: str | None, metric: str) -> float | None:
    here = [trial for trial in reading.trials(device, "memory") if (trial.arm, trial.stratum) == (arm, CYCLE)]
    values = [value for trial in here if (value := trial.values.get(metric)) is not None]
    return median(values) if values else None


def allocator(reading: Reading, device: str) -> Allocator | None:
    """What the caching allocator asked of the driver, and what was held outside it, by arm; None where nothing was counted."""
    of_device = [arm for arm in reading.run.arms if arm.device == device]
    counted = [name for name in _COUNTED if any(name in arm.metrics for arm in of_device)]
    arms = [arm for arm in of_device if any(name in arm.metrics for name in counted)]
    if not arms:
        return None
    rows = (AllocatorRow(arm=arm.arm, figures=tuple(_figure(arm, name) for name in counted)) for arm in arms)
    dosed = ", ".join(arm.arm for arm in arms if arm.role == "dose")
    note = say("{arm} holds {size} besides, the control of these counters.", arm=dosed, size=units.size(DOSE_BYTES))
    return Allocator(
        titles=tuple(describe(name).title for name in counted), rows=tuple(rows), note=note if dosed else ""
    )


def _figure(arm: ArmSummary, name: str) -> str:
    found = arm.metrics.get(name)
    return units.quantity(None if found is None else found["p50"], SUMMARISED[name].unit)


def conditions(reading: Reading, device: str) -> Facts:
    """The card during the turns of the latency pass: (name, text); empty where nothing of it was read."""
    conditions = (item for item in reading.run.conditions if item.device == device and item.pass_ == "latency")
    turns = [item.readings for item in conditions if "slowed_share" in item.readings]
    if not turns:
        return ()
    slow = sum(bool(turn["slowed_share"]) for turn in turns)
    ranges = (
        (mark("SM clock"), "sm_clock_mhz", "MHz"), (mark("Memory clock"), "memory_clock_mhz", "MHz"), (mark("Power"), "power_w", "W"),
        (mark("Highest temperature"), "temperature_highest_c", "\u00b0C"),
    )  # fmt: skip
    found = ((title, _range([turn[key] for turn in turns if turn.get(key)], unit)) for title, key, unit in ranges)
    return (*((say(title), text) for title, text in found if text),
            (say("Turns slowed down"), say("{some} of {all}", some=slow, all=len(turns))))  # fmt: skip


def _range(values: list[float], unit: str) -> str:
    if not values:
        return ""
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return (
        f"{low}{units.SPACE}{unit}"
        if low == high
        else say("{low} to {high}", low=low, high=f"{high}{units.SPACE}{unit}")
    )


def snapshots(reading: Reading, device: str) -> tuple[tuple[str, str], ...]:
    """(arm, page of its allocations relative to the run's folder) of the arms for which every allocation was kept."""
    kept = [course for course in reading.run.memory_courses if course.device == device and course.snapshot]
    return tuple((course.arm, f"{(course.snapshot or '').removesuffix('.pickle')}.html") for course in kept)
