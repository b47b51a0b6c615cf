"""Where the time and the memory of a device go, and what a listener hears of streamed requests."""

from __future__ import annotations

from functools import partial

from harness.report import frontier_plot, plots
from harness.report.model import Device
from harness.report.reading import Reading
from harness.report.section import Drawing, Section
from harness.report.words import say


def stages(reading: Reading, device: Device) -> Section | None:
    """The stages of a request, before against after."""
    if not device.stages:
        return None
    return Section(name="stages", title=say("Where the time goes"), template="stages.html.j2", data=device,
                   plots={"stages": partial(plots.stages, device.stages, device.request_s, device.name)})  # fmt: skip


def memory(reading: Reading, device: Device) -> Section | None:
    """Peaks of memory, their course over the requests, and what the card was like."""
    told = (device.memory, device.courses, device.stage_peaks, device.allocator, device.snapshots, device.conditions)
    if not any(told) and not device.unavailable:
        return None
    drawn: dict[str, Drawing] = {}
    if device.memory:
        drawn["memory"] = partial(plots.memory, device.memory, device.name)
    if device.courses:
        drawn["course"] = partial(plots.course, device.courses, device.name)
    if any(None not in peak.allocated and "." not in peak.stage for peak in device.stage_peaks):
        drawn["stage-peaks"] = partial(plots.stage_peaks, device.stage_peaks, device.name)
    return Section(name="memory", title=say("Memory"), template="memory.html.j2", data=device, plots=drawn)


def streaming(reading: Reading, device: Device) -> Section | None:
    """What a listener of streamed requests hears."""
    if not device.playback:
        return None
    return Section(name="streaming", title=say("Streaming"), template="streaming.html.j2", data=device)


def frontiers(reading: Reading, device: Device) -> Section | None:
    """Time against peak of memory, for toggles that were measured in several states."""
    if not device.frontiers:
        return None
    drawn = {entry.name: partial(frontier_plot.draw, entry, device.name)
             for entry in device.frontiers if frontier_plot.drawable(entry)}  # fmt: skip
    return Section(
        name="frontiers", title=say("Time against memory"), template="frontiers.html.j2", data=device, plots=drawn
    )
