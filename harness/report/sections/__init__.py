"""The parts of the page in their order: the lists below are the page's table of contents.

compared   what each optimization changes on a device: table and plot, every metric, kinds of requests
joint      what each optimization has of the whole change, and how they act together
lengths    effects over the length of text and prompt, and requests at once
starting   init, the first request and the steady ones, side by side
reuse      caches, by whether requests find their entry
samples    every sample: distributions, and in the order measured
resources  where the time and the memory go
limits     how far each stage is from what the machine allows, and what to do next
profiled   why: links to profiles
cards      one card for each optimization, made of parts
whole      what is said once: controls, audio, findings, environment, files, glossary
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.model import Device, Page, Toggle
from harness.report.reading import Reading
from harness.report.section import OfDevice, OfPage, OfToggle, Section
from harness.report.sections import (
    cards,
    compared,
    joint,
    lengths,
    limits,
    profiled,
    resources,
    reuse,
    samples,
    starting,
    whole,
)

DEVICE_PARTS: Sequence[OfDevice] = (
    compared.effects,
    joint.attribution,
    compared.metrics,
    compared.by_kind,
    lengths.curves,
    starting.of_device,
    reuse.caches,
    samples.distributions,
    samples.in_order,
    resources.stages,
    limits.floors,
    resources.memory,
    resources.streaming,
    resources.frontiers,
)
"""What is said of each device."""

CARD_PARTS: Sequence[OfToggle] = (starting.of_toggle, cards.by_kind, profiled.card)
"""What each optimization's card says below its figures, code, witness and output."""

PARTS_BEFORE: Sequence[OfPage] = (whole.controls,)
"""What is said once, before the devices."""

PARTS_AFTER: Sequence[OfPage] = (
    limits.advice,
    cards.optimizations,
    profiled.whole,
    whole.audio,
    whole.findings,
    whole.environment,
    whole.downloads,
    whole.again,
    whole.glossary,
)
"""What is said once, after the devices."""


def of_device(reading: Reading, device: Device) -> Iterator[Section]:
    """The parts of a device for which there is something to say."""
    yield from (found for build in DEVICE_PARTS if (found := build(reading, device)) is not None)


def of_toggle(reading: Reading, page: Page, toggle: Toggle) -> Iterator[Section]:
    """The parts of a card for which there is something to say."""
    yield from (found for build in CARD_PARTS if (found := build(reading, page, toggle)) is not None)


def of_page(builders: Sequence[OfPage], reading: Reading, page: Page) -> Iterator[Section]:
    """The parts of the page from one of the lists above."""
    yield from (found for build in builders if (found := build(reading, page)) is not None)
