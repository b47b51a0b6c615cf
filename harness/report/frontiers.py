"""Points of time against peak as finished text, one frontier for each toggle that has several after-states."""

from __future__ import annotations

from harness import units
from harness.report.model import Frontier, Panel, Point
from harness.report.reading import Reading, anchor
from harness.report.rows import describe, direction, title_of
from harness.report.words import mark, say
from harness.results import TOGETHER, FrontierPoint, at_once
from harness.toggling import toggle_of

_CHOOSE = mark(
    "Choose among the sets on the frontier, by the memory that you have: every other set is beaten in time or in memory, or is "
    "no better than a smaller one that is shown. None and all stand beside them."
)


def frontiers(reading: Reading, device: str) -> tuple[Frontier, ...]:
    """The frontiers of a device in the order of the scenario."""
    here = [point for point in reading.run.frontier if point.device == device]
    return tuple(
        _frontier(reading, [point for point in here if point.toggle == toggle], toggle)
        for toggle in dict.fromkeys(point.toggle for point in here)
    )


def _frontier(reading: Reading, points: list[FrontierPoint], toggle: str) -> Frontier:
    peak_title = describe(points[0].peak_metric).title
    return Frontier(
        toggle=toggle,
        name=anchor("frontier", toggle),
        title=say("{name}: latency against {peak}", name=_name(reading, toggle), peak=peak_title.lower()),
        peak_title=peak_title,
        note=_note(reading, points[0]),
        panels=tuple(
            Panel(title=at_once(concurrency), points=_points([p for p in points if p.concurrency == concurrency]))
            for concurrency in dict.fromkeys(point.concurrency for point in points)
        ),
    )


def _name(reading: Reading, toggle: str) -> str:
    return say("Sets of optimizations") if toggle == TOGETHER else title_of(reading, toggle)


def _note(reading: Reading, point: FrontierPoint) -> str:
    failed = [name for name in ("latency", point.peak_metric) if not reading.calibrated(point.device, name)]
    if not failed:
        return say(_CHOOSE) if point.toggle == TOGETHER else ""
    titles = say(" and ").join(describe(name).title.lower() for name in failed)
    return say(
        "Not calibrated in {titles}: the controls did not pass, so that the figures prove nothing.", titles=titles
    )


def _points(points: list[FrontierPoint]) -> tuple[Point, ...]:
    before = points[0]
    return tuple(_point(point, None if point is before else before) for point in points)


def _point(point: FrontierPoint, before: FrontierPoint | None) -> Point:
    words = direction(describe("latency"))
    name = point.optimization.removeprefix(toggle_of(point.optimization)).strip("[]")
    return Point(
        name=name or point.optimization,
        latency=units.seconds(point.latency),
        change=units.DASH if before is None else units.estimate(point.ratio, point.ratio_low, point.ratio_high, words),
        interval="" if before is None else units.interval(point.ratio_low, point.ratio_high, words),
        rate=units.DASH if point.audio_rate is None else units.significant(point.audio_rate, 3),
        peak=units.size(point.peak),
        peak_change=_peak_change(point, before),
        efficient=point.efficient,
        reason=point.reason,
        ratio=point.ratio,
        low=point.ratio_low,
        high=point.ratio_high,
        peak_bytes=point.peak,
        peak_low_bytes=point.peak_low,
        peak_high_bytes=point.peak_high,
    )


def _peak_change(point: FrontierPoint, before: FrontierPoint | None) -> str:
    if before is None or point.peak is None or not before.peak:
        return units.DASH
    return units.change(point.peak / before.peak, units.MEMORY)
