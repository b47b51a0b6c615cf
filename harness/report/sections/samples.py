"""Every sample of a device's headline metric: how they are distributed, and in the order in which they were measured."""

from __future__ import annotations

from functools import partial

from harness import units
from harness.report import sample_plots, series
from harness.report.model import Device
from harness.report.reading import Reading
from harness.report.rows import describe
from harness.report.section import Drawing, Section
from harness.report.words import say


def distributions(reading: Reading, device: Device) -> Section | None:
    """Samples and quantiles of each arm."""
    found = series.spreads(reading, device)
    if not found or describe(device.headline.metric).unit != "s":
        return None
    metric = device.headline.title
    drawn: dict[str, Drawing] = {"distributions": partial(sample_plots.distributions, found, metric, device.name)}
    ends = [spread for spread in found[:2] if len(spread.values) > 1]
    if ends:
        drawn["quantiles"] = partial(sample_plots.quantiles, ends, metric, device.name)
    return Section(name="samples", title=say("Every sample"), template="samples.html.j2", plots=drawn,
                   data={"device": device, "drawn": _drawn(found), "left_out": _left_out(device, len(found))})  # fmt: skip


def _drawn(found: tuple[series.Spread, ...]) -> str:
    there, drawn = sum(len(spread.values) for spread in found), sum(len(spread.drawn) for spread in found)
    if there == drawn:
        return say("All {count} samples are drawn.", count=units.count(there))
    return say("Of {count} samples {drawn} are drawn, of each arm at even ranks, the lowest and the highest among them.",
               count=units.count(there), drawn=units.count(drawn))  # fmt: skip


def _left_out(device: Device, shown: int) -> str:
    rows = len({row.name for row in device.headline.rows})
    if rows < series.MOST_ARMS:
        return ""
    return say("The first {count} of {all} arms of the table are drawn.", count=shown, all=rows + 1)


def in_order(reading: Reading, device: Device) -> Section | None:
    """Samples over time, how arms warmed up, and whether the place in a block matters."""
    found = series.courses(reading, device.name)
    if not found:
        return None
    drawn: dict[str, Drawing] = {"levels": partial(sample_plots.in_order, found, device.name)}
    warm = series.warmup(reading, device.name)
    if warm is not None:
        drawn["warmup"] = partial(sample_plots.warmup, *warm, device.name)
    places = series.positions(reading, device.name)
    if places is not None:
        drawn["positions"] = partial(sample_plots.positions, places, device.name)
    there = sum(course.count for course in found)
    shown = sum(len(course.timed[0]) + len(course.warmup[0]) for course in found)
    thinned = "" if shown == there else say(
        "Of {count} samples {drawn} are drawn: of each stretch the first, the lowest and the highest.",
        count=units.count(there), drawn=units.count(shown),
    )  # fmt: skip
    return Section(name="order", title=say("In the order measured"), template="order.html.j2", plots=drawn,
                   data={"device": device, "thinned": thinned})  # fmt: skip
