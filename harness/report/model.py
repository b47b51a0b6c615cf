"""What a report says, before it is Markdown or HTML: rows of finished text, and raw numbers only where a plot needs them.

`page.build` makes a `Page` from a `Run`; `markdown`, `html` and `plots` lay it out and decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.profiles.index import Index

Tone = Literal["good", "bad", "level", "open", "invalid"]
"""The mood of a verdict, always shown beside its word: gain, loss, no difference, undecided, not to be judged."""

Facts = tuple[tuple[str, str], ...]
"""Names and texts, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A verdict: as text, the mood that colours it, a mark where that of the mood would mislead (`macros.html.j2`), and its word.

    `word` is that of the contract, which is the same in every language; "" where it is none of them.
    """

    text: str
    tone: Tone
    glyph: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """One quantile of both arms: text, and the numbers that the page's script sorts and scales."""

    name: str
    before: str
    after: str
    before_value: float | None = None
    after_value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One arm against its reference in one metric. `low`, `ratio` and `high` are for plots, None where there are none;
    `before_value` and `after_value` are in `unit`, `margin` is a share.

    `against` names the reference where it is not the arm without toggles; `name` is the toggle, or "all"; `setting` is
    the state, where the toggle was measured in several. `kind` is the kind of request in a row that is not about the
    whole workload, `level` the certainty of its interval.
    """

    name: str
    title: str
    against: str
    metric: str
    metric_title: str
    before: str
    after: str
    quantiles: tuple[Quantile, ...]
    change: str
    interval: str
    verdict: Badge
    reason: str
    witness: str
    equivalence: str
    evidence: str
    ratio: float | None
    low: float | None
    high: float | None
    setting: str = ""
    kind: str = ""
    level: str = ""
    unit: str = ""
    before_value: float | None = None
    after_value: float | None = None
    margin: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KindsTable:
    """One toggle (or "all") by kind of request. `plotted` are the rows of the headline metric, the whole workload first."""

    name: str
    title: str
    rows: tuple[Row, ...]
    plotted: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackRow:
    """What a listener hears of one arm's streamed requests of one kind: medians, and p95 where a field says `worst`."""

    arm: str
    kind: str
    first: str
    gap: str
    worst_gap: str
    dry: str
    underruns: str
    silence: str
    worst_silence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTable:
    """All rows of one metric on one device. `left_out` names arms that may not be compared, `note` says what to know."""

    metric: str
    title: str
    doc: str
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidRow:
    """A toggle that has no place among gains, and why."""

    name: str
    title: str
    verdict: Badge
    reason: str
    witness: str
    equivalence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleRow:
    """A toggle's place, timed alone, beside a request: the change of a call, how many calls a request has, the change to
    expect of it with its share, and that which was measured. Intervals are empty where there are none.
    """

    name: str
    title: str
    call: str
    call_interval: str
    calls: str
    expected: str
    expected_interval: str
    share: str
    measured: str
    measured_interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRow:
    """A control and its outcome in words. For the plot, log-ratios: its interval, and where it is known to lie."""

    name: str
    metric: str
    expected: str
    measured: str
    passed: bool
    reason: str
    log_low: float | None = None
    log_high: float | None = None
    log_known: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of the pipeline before and after: seconds for the plot, text for the table. `tone` is that of the verdict on its change."""

    name: str
    before_s: float
    after_s: float
    before: str
    after: str
    share_before: str
    share_after: str
    change: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBar:
    """One memory metric of the arms none and all: bytes for the plot, text for its labels."""

    title: str
    before_bytes: float
    after_bytes: float
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Memory over the requests of one arm: points (seconds, bytes), and its outermost stages (name, start, end)."""

    label: str
    allocated: tuple[tuple[float, float], ...]
    reserved: tuple[tuple[float, float], ...]
    stages: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePeak:
    """Peaks of one stage as text: allocated before and after, reserved before and after; the first two in bytes, too."""

    stage: str
    figures: tuple[str, ...]
    allocated: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatorRow:
    """What the allocator asked of the driver for one arm, as text, in the order of `Allocator.titles`."""

    arm: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocator:
    """What the caching allocator asked of the driver, and what was held outside it: what was counted, and it for each arm.

    `note` says which arm holds a known allocation besides.
    """

    titles: tuple[str, ...]
    rows: tuple[AllocatorRow, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One after-state of a toggle: text for the table; shares and bytes for the plot, None where not measured."""

    name: str
    latency: str
    change: str
    interval: str
    rate: str
    peak: str
    peak_change: str
    efficient: bool
    reason: str
    ratio: float | None
    low: float | None
    high: float | None
    peak_bytes: float | None
    peak_low_bytes: float | None
    peak_high_bytes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """All states of a toggle at one concurrency, that before first."""

    title: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """Time against peak of a toggle on a device. `name` is that of its plot, `note` what to know before reading it."""

    toggle: str
    name: str
    title: str
    peak_title: str
    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Everything about one device. `calibrated` is about the headline metric, `foresight` says what runs like this tell apart, `uncalibrated` names the families of
    metrics whose controls failed. `limit` is the least ratio that the hardware allows, where it is known. `placebo` holds the log-ratios between which the baseline differs from its twin.
    """

    name: str
    anchor: str
    answer: str
    answer_lead: str
    answer_rest: str
    calibrated: bool
    foresight: str
    uncalibrated: tuple[str, ...]
    controls: tuple[ControlRow, ...]
    headline: MetricTable
    invalid: tuple[InvalidRow, ...]
    together: tuple[Row, ...]
    tables: tuple[MetricTable, ...]
    kinds: tuple[KindsTable, ...]
    playback: tuple[PlaybackRow, ...]
    unavailable: tuple[tuple[str, str], ...]
    stages: tuple[Stage, ...]
    request_s: tuple[float, float]
    memory: tuple[MemoryBar, ...]
    courses: tuple[Course, ...]
    stage_peaks: tuple[StagePeak, ...]
    allocator: Allocator | None
    snapshots: tuple[tuple[str, str], ...]
    conditions: Facts
    placebo: tuple[float, float] | None
    margin: float
    effects_caption: str
    limit: float | None
    frontiers: tuple[Frontier, ...] = ()
    scales: tuple[ScaleRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessRow:
    """What a witness counted with one arm bound."""

    arm: str
    at_bind: str
    per_request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceRow:
    """The output on one request against that of the arm without toggles."""

    request: str
    grade: str
    bound: str
    required: str
    accepted: Badge
    tokens: str
    heard: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleOnDevice:
    """What was measured of one toggle on one device. `verdicts` are the change of the headline metric and its verdict, one
    for each state; `sentence` says the same in plain words.
    """

    device: str
    verdicts: tuple[tuple[str, Badge | None], ...]
    sentence: str
    rows: tuple[Row, ...]
    stages: tuple[Row, ...]
    witnesses: tuple[WitnessRow, ...]
    equivalences: tuple[EquivalenceRow, ...]
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle:
    """One optimization: what it is, its code on both sides, and what was measured of it.

    `claim` is what the seed document says of it, in its own words and in English, and `claimed_in` where; `again` is the
    command that measures it alone.
    """

    name: str
    anchor: str
    title: str
    claim: tuple[str, str] | None
    claimed_in: str
    doc: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    before_source: str
    after_source: str
    witness_unit: str
    devices: tuple[ToggleOnDevice, ...]
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One piece of audio: its label and its path relative to the run's folder."""

    label: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The audio of one request on one device, before first."""

    device: str
    request: str
    players: tuple[Player, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A failure or a finding."""

    device: str
    kind: str
    about: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a page calls what it compares: optimizations, or in a gate the settings of two revisions.

    `about` ends the title, `column` heads the names in tables, `none` says that there are none, `whole` is the one that is
    shown in every metric, and `sides` says what before and after are.
    """

    about: str
    column: str
    none: str
    whole: str
    sides: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole report. `where` says what was measured where, `files` are those beside the page with their sizes, `profiles` the index of
    some of them.
    """

    title: str
    where: str
    gate: bool
    run_id: str
    facts: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    devices: tuple[Device, ...]
    toggles: tuple[Toggle, ...]
    listening: tuple[Listening, ...]
    failures: tuple[Incident, ...]
    findings: tuple[Incident, ...]
    environment: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    command: str
    headline_metric: str
    glossary: tuple[tuple[str, str], ...]
    words: Wording
    files: Mapping[str, int] | None = None
    profiles: Index | None = None
