"""What a run consists of: frozen data, no behaviour beyond looking things up.

Results cannot print, plot or write themselves (see `units`, `report` and `store`). Times are seconds and sizes bytes
throughout; the unit of a metric stands in `metrics`. `docs/method.md` explains the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA_VERSION = 1

State = bool | Mapping[str, Any]
"""A toggle's state in an arm: False = before, True = after with its defaults, a mapping = after with these parameters."""

ArmRole = Literal["none", "toggle", "all", "placebo", "dose"]
Isolation = Literal["request", "settled"]
Pass = Literal["latency", "memory", "equivalence"]
Verdict = Literal[
    "faster", "slower", "less", "more", "no material difference", "inconclusive",
    "inert", "not applicable", "already present", "output changed", "failed",
]  # fmt: skip
FailureKind = Literal["crash", "hang", "out_of_memory", "error", "usage"]
FAILURE_KINDS: tuple[FailureKind, ...] = ("crash", "hang", "out_of_memory", "error", "usage")
Grade = Literal["bitwise", "tolerance", "spectral", "words", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One full assignment of the scenario's toggles. `toggle` names the one that differs, for role "toggle"."""

    name: str
    role: ArmRole
    states: Mapping[str, State]
    toggle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One execution of one request (or of `bind`, for kind "init") by one arm.

    `values` maps metric names to numbers in the metric's unit, None where a reading could not be had
    (`Run.unavailable` says why). `block` counts per device across workers; `group` names the group of arms that shared
    it (`Plan.groups`, "" outside the latency pass) and `position` the place in it.
    """

    device: str
    pass_: Pass
    kind: Literal["request", "init"]
    phase: Literal["warmup", "timed"]
    worker: int
    block: int
    group: str
    position: int
    arm: str
    predecessor: str | None
    request: str
    stratum: str
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessCount:
    """What the witness of `optimization` counted while `arm` was bound (`at_bind`) and in each untimed request after."""

    device: str
    optimization: str
    arm: str
    at_bind: int
    per_request: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """The output of `arm` against that of the arm without toggles, on one request and seed.

    `grade` is the best grade that holds, `bound` its figure (largest absolute difference of samples for tolerance,
    log-mel distance in dB for spectral; None where lengths differ), `accepted` whether the check that the toggle declares is met.
    `audio_before`/`audio_after` are paths relative to the run's folder, or None.
    """

    device: str
    arm: str
    request: str
    grade: Grade
    bound: float | None
    accepted: bool
    required: str
    tokens_equal: bool
    tokens: int
    hit_cap: bool
    audio_before: str | None = None
    audio_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An arm (or, with arm None, a whole pass) that could not be measured, and why, in one message for people."""

    device: str
    pass_: Pass
    arm: str | None
    kind: FailureKind
    message: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a reader must know to believe the figures: noise, drift, carry-over, a skipped device."""

    kind: str
    device: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control of one device and its outcome. `low`/`high` are log-ratios for the placebo, seconds for a dose."""

    name: str
    device: str
    metric: str
    unit: str
    expected: float
    low: float | None
    high: float | None
    level: float
    bound: float | None
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One arm against its reference in one metric: the row of a before/after table. Fields as in contract.md.

    `level` is that of the interval; `reason` says in words why the verdict is what it is where the numbers alone do not; `quantiles` holds
    p50, p95 and p99 of both arms as `{"before": {...}, "after": {...}}`.
    """

    optimization: str
    metric: str
    device: str
    unit: str
    statistic: str
    reference_arm: str
    arm: str
    before: float | None
    after: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    margin: float
    verdict: Verdict
    blocks: int
    workers: int
    witness_before: float | None
    witness_after: float | None
    equivalence: str | None
    level: float = 0.95
    reason: str = ""
    quantiles: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """One arm on one device: its toggles, and per metric p50, p95, p99 and `count` of its own trials."""

    device: str
    arm: str
    role: ArmRole
    states: Mapping[str, State]
    failed: bool
    metrics: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was planned for each device: the arms, which of them share a block, and the pairs to compare.

    `pairs` are (optimization, reference arm, arm); `strata` gives each kind of request its share of the workload, which
    is its weight in an effect.
    """

    devices: tuple[str, ...]
    arms: tuple[Arm, ...]
    groups: Mapping[str, tuple[str, ...]]
    pairs: tuple[tuple[str, str, str], ...]
    requests: tuple[str, ...]
    strata: Mapping[str, float]
    workers: int
    budget_s: float
    margin: Mapping[str, float]
    not_applicable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that one `harness run` measured. `trials` are rows of samples.parquet, the rest is run.json."""

    id: str
    scenario: Mapping[str, Any]
    environment: Mapping[str, Any]
    plan: Plan
    optimizations: Mapping[str, Mapping[str, Any]]
    complete: bool
    trials: tuple[Trial, ...] = ()
    witnesses: tuple[WitnessCount, ...] = ()
    equivalences: tuple[Equivalence, ...] = ()
    failures: tuple[Failure, ...] = ()
    findings: tuple[Finding, ...] = ()
    controls: tuple[Control, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    arms: tuple[ArmSummary, ...] = ()
    unavailable: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
