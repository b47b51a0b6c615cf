"""The metrics of the contract: name, unit, what it says, which pass measures it. One place for each fact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from harness.worker.vram import NON_TORCH, OOMS, STAGE_PEAKS, WHOLE

Unit = Literal["s", "bytes", "ratio", "1/s", "count", "J/s"]  # joules per second of audio

ALLOCATOR_UNIT_BYTES = 2 * 2**20
"""What PyTorch's caching allocator asks the driver for is a multiple of this. A tensor counts with the whole block that it
was given, which may be larger than asked for by less than this."""
_PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measured quantity. `better` says which direction is a gain; `title` is for tables, `doc` for readers.

    `added` says that single values are too coarse to compare, so that effects are of sums over many requests.
    `step` is that of the counter, in the unit: two readings that are equal may still be so far apart; 0 where it is exact
    or does not matter.
    """

    name: str
    title: str
    unit: Unit
    better: Literal["lower", "higher"]
    pass_: Literal["latency", "first", "memory", "micro"]
    doc: str
    added: bool = False
    step: float = 0.0

    @property
    def is_memory(self) -> bool:
        """Memory metrics say `less`/`more` where the others say `faster`/`slower`."""
        return self.pass_ == "memory"


_METRICS = (
    Metric(name="latency", title="Latency", unit="s", better="lower", pass_="latency",
           doc="Host time of one request, device work included: from the call to the last audio sample on the host. Of "
               "several at the same moment, the mean of each one's own."),
    Metric(name="ttfa", title="Time to first audio", unit="s", better="lower", pass_="latency",
           doc="From the call of a streaming request to its first audio chunk on the host."),
    Metric(name="chunk_gap", title="Longest chunk gap", unit="s", better="lower", pass_="latency",
           doc="Longest wait between two chunks of a streaming request, as they reach the host; one chunk has none."),
    Metric(name="rtf", title="Real-time factor", unit="ratio", better="lower", pass_="latency",
           doc="Latency over the duration of the audio made: below 1 is faster than it plays."),
    Metric(name="audio_rate", title="Audio seconds per second", unit="ratio", better="higher", pass_="latency",
           doc="Seconds of audio made in one second: the inverse of the real-time factor; of several requests at the same "
               "moment, all of their audio over the time until the last has ended."),
    Metric(name="init", title="Init", unit="s", better="lower", pass_="latency",
           doc="Building the pipeline over weights that are already loaded, with the toggles bound."),
    Metric(name="first_request", title="First request", unit="s", better="lower", pass_="first",
           doc="Host time of the first request of a fresh process, right after init: with what is looked up, compiled and "
               "allocated once, and what a cache saves only later. Only where it is asked for."),
    Metric(name="cpu_time", title="CPU time", unit="s", better="lower", pass_="latency",
           doc="Processor time that all threads of the worker used during one request, or several at the same moment."),
    Metric(name="energy", title="Energy", unit="J/s", better="lower", pass_="latency",
           added=True,
           doc="Joules that the whole card used during one request, by its own counter, per second of audio made. The "
               "counter is renewed some ten times a second, so that sums over all requests of a worker are compared."),
    Metric(name="site", title="Place, timed alone", unit="s", better="lower", pass_="micro",
           doc="One call of the place that an optimization changes, timed alone in batches of calls: for what is too small to "
               "be seen in a request. Only where it is asked for."),
    Metric(name="peak_allocated", title="Peak allocated", unit="bytes", better="lower", pass_="memory",
           doc="Most bytes that tensors held on the device at once during one request."),
    Metric(name="peak_reserved", title="Peak reserved", unit="bytes", better="lower", pass_="memory",
           step=ALLOCATOR_UNIT_BYTES, doc="Most bytes that the caching allocator held on the device at once."),
    Metric(name="driver_used", title="Driver used", unit="bytes", better="lower", pass_="memory",
           step=ALLOCATOR_UNIT_BYTES, doc="Most device memory in use as the driver sees it, by all processes on the card, at the edges of stages."),
    Metric(name="fragmentation", title="Unused share of reserved", unit="ratio", better="lower", pass_="memory",
           step=0.001, doc="Share of the peak reserved that no tensor needed at the peak allocated: what the allocator's blocks waste."),
    Metric(name="rss_peak", title="Peak resident", unit="bytes", better="lower", pass_="memory",
           step=_PAGE_BYTES, doc="Most host memory that the worker process held resident."),
)  # fmt: skip

_SUMMARISED = (
    Metric(name="underruns", title="Underruns", unit="count", better="lower", pass_="latency",
           doc="How often a player that starts at the first chunk runs dry before the next arrives."),
    Metric(name="stall", title="Silence", unit="s", better="lower", pass_="latency",
           doc="How long a player that starts at the first chunk is silent in all, waiting for chunks."),
    Metric(name="device_mallocs", title="Device mallocs", unit="count", better="lower", pass_="memory",
           doc="How often the caching allocator asked the driver for memory in the requests of one cycle."),
    Metric(name="device_frees", title="Device frees", unit="count", better="lower", pass_="memory",
           doc="How often the caching allocator gave memory back to the driver in the requests of one cycle."),
    Metric(name="alloc_retries", title="Allocator retries", unit="count", better="lower", pass_="memory",
           doc="How often memory was refused at first, by the driver or by a limit, and the allocator emptied its cache and asked again."),
    Metric(name=OOMS, title="Refused allocations", unit="count", better="lower", pass_="memory",
           doc="How often the allocator refused memory for good, from the loaded model to the end of a cycle, although the requests went on: a "
               "library that can do with less, as cuDNN can, takes another algorithm, which may be slower and differ in the last bits of its sound."),
    Metric(name=NON_TORCH, title="Outside the allocator", unit="bytes", better="lower", pass_="memory",
           doc="Most device memory that the process held outside PyTorch's allocator, by the driver's count at the edges of stages: its CUDA "
               "context, the kernels loaded until then, and what libraries keep for each thread."),
    Metric(name=WHOLE, title="Held by the process", unit="bytes", better="lower", pass_="memory",
           doc="Most device memory that the process held in all: the blocks of PyTorch's allocator, and what was outside it at the next edge."),
)  # fmt: skip

_FACTS_OF_WORK = (
    Metric(name="audio", title="Audio made", unit="s", better="higher", pass_="latency",
           doc="Duration of the audio that one request made."),
    Metric(name="tokens", title="Speech tokens", unit="count", better="lower", pass_="latency",
           doc="Speech tokens that one request made: the work that both sides of a comparison must share."),
    Metric(name="alike", title="Alike", unit="ratio", better="higher", pass_="latency",
           doc="Share of equal requests at the same moment that made the same speech tokens and as much audio as the first of them."),
    Metric(name="calls", title="Calls", unit="count", better="lower", pass_="micro",
           doc="Calls of a place in one timed batch."),
    Metric(name="events", title="Events", unit="count", better="lower", pass_="micro",
           doc="What the witness of a toggle counts in one call of its place."),
    Metric(name="first_init", title="Init of a fresh process", unit="s", better="lower", pass_="first",
           doc="Building the pipeline before the first request of a fresh process."),
    Metric(name="start", title="Start", unit="s", better="lower", pass_="first",
           doc="Building the pipeline in a fresh process, and its first request: both together."),
    Metric(name="dose", title="Dose", unit="s", better="lower", pass_="latency",
           doc="The delay that a dose arm really added to its request."),
)  # fmt: skip

METRICS = {metric.name: metric for metric in _METRICS}
"""The metrics that can be compared, by name, in the order of tables."""
SUMMARISED = {metric.name: metric for metric in _SUMMARISED}
"""Recorded where it can be and shown for each arm, never as a change: zero has no ratio."""
FACTS_OF_WORK = {metric.name: metric for metric in _FACTS_OF_WORK}
"""What a trial says about the work it did; recorded, never compared."""
WORK = ("tokens", "audio")
"""What a request made, as every trial says it: the work that both sides of a comparison must share."""
SITE = "site"
"""The metric of a toggle's own place."""
FIRST, FIRST_INIT, START = "first_request", "first_init", "start"
"""What is measured once in each fresh process: its first request, the building before it, and both."""
EXACT = "peak_allocated"
"""The metric that is the same to the byte whenever the same request is repeated."""


def memory_alone(names: Iterable[str]) -> bool:
    """Whether metrics are asked for, and all of them are of memory, so that no time has to be measured."""
    return {name in METRICS and METRICS[name].is_memory for name in names} == {True}


def metric(name: str) -> Metric:
    """The metric called `name`; those of a stage X are made from `stage.X`, `device.X`, `peak_allocated.X` and
    `peak_reserved.X`. Raises KeyError if unknown.
    """
    for known in (METRICS, SUMMARISED, FACTS_OF_WORK):
        if name in known:
            return known[name]
    prefix, _, rest = name.partition(".")
    if prefix == "stage" and rest:
        return Metric(name=name, title=f"Stage {rest}", unit="s", better="lower", pass_="latency",
                      doc=f"Host time spent in stage {rest} of one request.")  # fmt: skip
    if prefix == "device" and rest:
        return Metric(name=name, title=f"Device {rest}", unit="s", better="lower", pass_="latency",
                      doc=f"Time between CUDA events around {rest}, on the stream that did the work.")  # fmt: skip
    if prefix in STAGE_PEAKS and rest:
        whole = METRICS[prefix]
        return replace(whole, name=name, title=f"{whole.title} in {rest}",
                       doc=f"{whole.doc.removesuffix('.')}, while stage {rest} was open.")  # fmt: skip
    raise KeyError(name)


def is_of_stage(name: str) -> bool:
    """Whether a metric is that of one stage only."""
    return "." in name
