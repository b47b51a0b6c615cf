"""What a run consists of: frozen data, no behaviour beyond looking things up.

Results cannot print, plot or write themselves (see `units`, `report` and `store`). Times are seconds and sizes bytes
throughout; the unit of a metric stands in `metrics`. `docs/method.md` explains the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.toggling import Grade, State

SCHEMA_VERSION = 3
"""1: the first. 2: `Contrast.stratum`, so that several contrasts are about one arm and metric. 3: `Run.attribution`, and arms
of several toggles (role "combination")."""

TOGETHER = "all"
"""What `Contrast.optimization` is for all toggles of the scenario at once."""
NOTHING = "none"
"""What it is in a gate for the code with no toggle on."""

CYCLE = "cycle"
"""The stratum of a memory trial over all requests; others are over those of one concurrency (`at_once`)."""


def at_once(concurrency: int) -> str:
    """The name of so many requests at the same moment: "alone", "4 at once"."""
    return "alone" if concurrency == 1 else f"{concurrency} at once"


ArmRole = Literal["none", "toggle", "combination", "all", "placebo", "dose", "instrumentation"]
Pass = Literal["latency", "first", "memory", "equivalence", "micro", "profile"]
Verdict = Literal[
    "faster", "slower", "less", "more", "no material difference", "inconclusive",
    "inert", "not applicable", "already present", "output changed", "failed",
]  # fmt: skip
FailureKind = Literal["crash", "hang", "out_of_memory", "error", "usage"]
FAILURE_KINDS: tuple[FailureKind, ...] = ("crash", "hang", "out_of_memory", "error", "usage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One full assignment of the scenario's toggles. `toggle` names the one that differs, for role "toggle".

    Role "combination" has several on, and not all of them.
    """

    name: str
    role: ArmRole
    states: Mapping[str, State]
    toggle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One execution of one request by one arm; for kind "init" of `bind`, for kind "place" of a batch of calls of a place.

    `values` maps metric names to numbers in the metric's unit, None where a reading could not be had
    (`Run.unavailable` says why). `block` counts per device across workers; `group` names the group of arms that shared
    it (`Plan.groups`, "" outside the latency pass) and `position` the place in it.
    """

    device: str
    pass_: Pass
    kind: Literal["request", "init", "place"]
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
    """The output of `arm` against that of the run's reference, on one request and seed.

    The reference is the arm without toggles, or of the design leave_one_out the arm with all of them, against which an arm
    lacks one. `grade` is the best grade that holds, `bound` its figure (largest absolute difference of samples for tolerance,
    log-mel distance in dB for spectral, growth of the word error rate for words; None where lengths differ or samples are
    not finite), `accepted` whether the check that the toggle declares is met.
    `words_before`/`words_after` are word error rates as shares, `quality_before`/`quality_after` estimated opinion scores from
    1 to 5, `voice` the likeness of both voices as a cosine; None where nobody listened.
    `audio_before`/`audio_after` are paths relative to the run's folder, or None. `rate_before_hz`/`rate_after_hz` are their samples a
    second: 0 of what is no sound, and in runs from before they were kept. `stratum` is the kind of the request, which was made alone;
    "" where none is timed alone, and in runs from before it was kept. Where an arm drew other speech tokens, and may, `agreement` is
    the share of places with the same one, None elsewhere: the grade and the sound are then of what both speak from the reference's, and
    what was heard is of what each says by itself.
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
    words_before: float | None = None
    words_after: float | None = None
    quality_before: float | None = None
    quality_after: float | None = None
    voice: float | None = None
    rate_before_hz: int = 0
    rate_after_hz: int = 0
    stratum: str = ""
    agreement: float | None = None

    @property
    def figure(self) -> float | None:
        """The bound, where its unit is that of the grade; of "changed" the log-mel distance in dB.

        None of what is changed and no sound, and where somebody listened: what they called changed may have the bound of another grade.
        """
        heard = any(figure is not None for figure in (self.words_before, self.quality_before, self.voice))
        return None if self.grade == "changed" and (heard or not self.rate_after_hz) else self.bound


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
class Conditions:
    """What the machine was like during one block, by readings taken beside it (`nvml.summary` names them)."""

    device: str
    pass_: Pass
    worker: int
    block: int
    readings: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A moment at which a run looked at its figures (`sequential.LOOKS`), with `share` of the budget spent.

    `decided` are the optimizations whose verdicts were settled then; `passed` the controls of the latency pass that passed;
    `calibrated` whether all of them did. What is decided, and a dose that passed, is measured no further.
    """

    device: str
    number: int
    share: float
    blocks: int
    decided: tuple[str, ...]
    calibrated: bool
    passed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCourse:
    """Memory of a GPU over the requests of one arm, in one worker of the memory pass.

    `points` are (seconds since the start, the stage whose edge it is, bytes allocated, bytes reserved, most bytes
    allocated since the point before). `snapshot` is the file of every allocation, relative to the run's folder.
    """

    device: str
    arm: str
    requests: tuple[str, ...]
    points: tuple[tuple[float, str, float, float, float], ...]
    snapshot: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control of one device and its outcome. `low`/`high` are log-ratios for the placebo, seconds for a dose.

    `allowance`, a log-ratio, is by how much more than half its margin this placebo leaves open; intervals that cannot be formed against it
    as well are lengthened by that for their verdicts.
    """

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
    allowance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One arm against its reference in one metric: the row of a before/after table. Fields as in contract.md.

    `optimization` is the toggle, or "all"; where a toggle has several after-states, the toggle with its state (`setting`).
    `stratum` is "" for the whole workload, whose verdict is the toggle's, or one kind of request (docs/decisions/0007).
    `level` is that of the interval, looks allowed for (docs/method.md). `error` is the smallest error at which the verdict
    would stand, 1 - `level` or less where the interval shows it; None for metrics whose interval is exact. `reason` says in words why the verdict is what it is where the numbers alone do not; `quantiles` holds
    p50, p95 and p99 of both arms as `{"before": {...}, "after": {...}}`. `twin_low` and `twin_high` are the interval of the ratio of
    the arm to the reference's twin, which has to give the same verdict (docs/decisions/0034); None where there is none.
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
    stratum: str = ""
    level: float = 0.95
    error: float | None = None
    reason: str = ""
    twin_low: float | None = None
    twin_high: float | None = None
    quantiles: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the place of a toggle, timed alone, lets one expect of a request, beside what was measured. In seconds.

    `call_s` is how much longer a call takes after than before (negative where it is shorter), `calls` how many of a
    request's calls the toggle changes, by its witness. `expected_s` is their product, `share` that of the latency before.
    `measured_s` is the change of latency. Each has the ends of its 95 % interval; `reason` says why there is no more.
    """

    device: str
    optimization: str
    reference_arm: str
    arm: str
    call_s: float
    call_low_s: float | None
    call_high_s: float | None
    calls: float | None
    expected_s: float | None
    expected_low_s: float | None
    expected_high_s: float | None
    share: float | None
    measured_s: float | None
    measured_low_s: float | None
    measured_high_s: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """One after-state of a toggle at one concurrency, or what it is compared with (`optimization` "before").

    `ratio` is latency over that before, with its 95 % interval; `latency` and `audio_rate` are medians. `peak` is the
    median of `peak_metric` over repeats of the process, between `peak_low` and `peak_high`. A point is `efficient` if no
    other of its toggle, device and concurrency is clearly better in one and not clearly worse in the other, which is
    where intervals do not meet. `reason` says why an arm may not be compared.
    """

    device: str
    toggle: str
    optimization: str
    arm: str
    concurrency: int
    latency: float | None
    audio_rate: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    peak_metric: str
    peak: float | None
    peak_low: float | None
    peak_high: float | None
    efficient: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHeld:
    """What the cache of a toggle held on `arm` after the untimed requests of the examination: entries, and their bytes."""

    device: str
    optimization: str
    arm: str
    entries: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReplay:
    """The first requests of a life, by a stated popularity of speakers, made untimed in their order on `arm`.

    By the witness of `optimization`, `hits` of `requests` found their entry, None where nothing shows that the witness counts misses; of
    the same requests `drawn` would in a cache that loses none, and `expected` (not a whole number) on average over draws.
    """

    device: str
    optimization: str
    arm: str
    requests: int
    hits: int | None
    drawn: int
    expected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHitRate:
    """What a cache changes of a request at a hit rate from 0 to 1, on average, in seconds after - before."""

    rate: float
    change_s: float
    low_s: float | None
    high_s: float | None


CacheWarning = Literal["only hits", "one speaker"]
"""Why a cache looks better in a workload than it is in life: no request misses it; all of them are by the same speaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEffect:
    """A toggle that is a cache, told apart by whether requests find their entry (docs/caches.md).

    `misses` is as its file declares. `stated_rate` is the hit rate of the workload, once pipelines are warm. `at` are the changes
    at the rates that the workload lets one tell, in order: where requests of both kinds were measured, from 0 to 1 with the stated
    one among them; else the one rate at which all were. `before_s` is what a request takes without the toggle. From the rate
    `break_even` on the cache helps, None where no rate from 0 to 1 parts a loss from a gain; between `break_even_low` and
    `break_even_high`, None where there is no such rate, the interval of the change holds 0. `entries` and `entry_bytes` were
    counted, the latter is the mean. Where a popularity of speakers is stated, `stated_rate` is the expected hit rate,
    `drawn_rate` that of the life that was drawn, and `timed_rate` that of the requests that were timed. `grows` says that nothing limits how many there are. `reason` says why there are no figures.
    """

    device: str
    optimization: str
    reference_arm: str
    arm: str
    misses: str
    grows: bool
    stated_rate: float
    before_s: float | None = None
    at: tuple[AtHitRate, ...] = ()
    break_even: float | None = None
    break_even_low: float | None = None
    break_even_high: float | None = None
    level: float = 0.95
    blocks: int = 0
    workers: int = 0
    entries: int | None = None
    entry_bytes: float | None = None
    warnings: tuple[CacheWarning, ...] = ()
    drawn_rate: float | None = None
    timed_rate: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChange:
    """What a toggle changes of one phase, in seconds after - before, with the ends of its interval, from so many workers."""

    before_s: float | None
    change_s: float
    low_s: float | None
    high_s: float | None
    workers: int


Untold = Literal["controls failed", "requests overlap"]
"""Why no number of requests is told: the controls of latency, or of what is paid before, did not pass; the seconds of requests at the
same moment do not add up to time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEffect:
    """What a toggle changes when a process starts, and what in every request from then on (docs/decisions/0031).

    `init` is that of a pipeline in a warm process, `first` the first request of a fresh one, `steady` a request of a warm one;
    None where it was not measured. `upfront` is what is paid or won before requests are steady: where first requests were
    measured, init and the first request of a fresh process together (`basis` "start"), else init alone ("init"). After `even`
    requests, counted from the first, both cancel; None where they do not, or one of the two is not told apart from nothing.
    Between `even_low` and `even_high` the sum is not told apart from nothing; with `even` None they bound the number where
    the steady change is told apart. `reason` says why there are no figures, `untold` why there is no number although both are known.
    """

    device: str
    optimization: str
    reference_arm: str
    arm: str
    init: PhaseChange | None = None
    first: PhaseChange | None = None
    steady: PhaseChange | None = None
    upfront: PhaseChange | None = None
    basis: Literal["init", "start"] | None = None
    even: float | None = None
    even_low: float | None = None
    even_high: float | None = None
    level: float = 0.95
    untold: Untold | None = None
    reason: str = ""


Axis = Literal["audio", "characters", "prompt", "concurrency"]
"""What an effect is followed along: seconds of audio made, characters of text where there is no audio, seconds of the speaker's
recording, requests at the same moment."""
CurveForm = Literal["fixed and per unit", "fixed, per unit and per square", "between neighbours"]
"""Of what parts a change in seconds is made up; or, where these do not hold, no form: between two values measured the change lies
between theirs."""
Edge = Literal["zero", "gain", "loss"]
"""What a curve may cross: no change, a gain as large as the margin, a loss as large as it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtLength:
    """A ratio after / before at one value of an axis. `before_s` is what a request takes there without the toggle."""

    at: float
    before_s: float
    ratio: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where a curve may cross an edge: between `low` and `high`, beyond which intervals of 95 % hold it no more (Fieller, 1954).

    An end that is None is not bounded by what was measured. `at` is where the curve itself crosses, None where it does not or does
    more than once. `told` says that the whole band lies clear of the edge on both sides, and on opposite sides of it. `rises` says
    that after is above the edge and before below, so that time is lost along the axis; None where the two sides are not known to differ.
    """

    edge: Edge
    at: float | None
    low: float | None
    high: float | None
    told: bool
    rises: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of an axis, from `start` to `end`, on which the band has one verdict against the margin."""

    start: float
    end: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectCurve:
    """What a toggle changes along one axis, over the values that were measured and not beyond (docs/lengths.md).

    `measured` are these values, each with its own interval; `points` is the curve with its band, which holds the whole of it with
    `level`. `parts_s` are the parts of the change in seconds, in the order of the form; empty where it has none. `parts_between_s` are
    their intervals, each of 95 %; empty where there are none. `checked` says that there were values enough to see whether the form holds.
    `workers` are those that met every value, of `of_workers` that measured the toggle (0 in runs from before it was kept).
    `stretches` are empty where the controls failed, and where it is `muted`: why nothing is told of a curve whose figures are shown.
    `reason` says why there are no figures.
    """

    device: str
    optimization: str
    metric: str
    reference_arm: str
    arm: str
    axis: Axis
    margin: float
    level: float
    form: CurveForm = "fixed and per unit"
    checked: bool = False
    parts_s: tuple[float, ...] = ()
    parts_between_s: tuple[tuple[float, float], ...] = ()
    measured: tuple[AtLength, ...] = ()
    points: tuple[AtLength, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    blocks: int = 0
    workers: int = 0
    of_workers: int = 0
    muted: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalLog:
    """The natural log of the ratio of all toggles to none in one metric: what the shares of that metric add up to."""

    metric: str
    device: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A toggle's share of the change from none to all, as a log-ratio; shares of a metric add up to its `TotalLog`.

    `low` and `high` are the ends of its interval: those of all toggles of a metric hold together with 95 %.
    """

    optimization: str
    metric: str
    device: str
    share_log: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MainEffect:
    """What a toggle changes on average over all settings of the others, as a ratio after / before.

    The intervals of all toggles of a metric hold together with 95 %. `level` is that of this one, `error` the smallest error
    at which its verdict would stand.
    """

    optimization: str
    metric: str
    device: str
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    margin: float
    verdict: Verdict
    level: float
    error: float


Joint = Literal["reinforce", "hinder", "independent", "inconclusive"]
"""Two toggles together give more than the product of their gains, less than it, the product within the margin, or it is not
known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """How much more (or less) two toggles change together than the product of their changes, as a ratio.

    1 means that they multiply. Intervals of all pairs of a metric hold together with 95 %. `aliases` are the other pairs
    that a fractional design cannot tell from this one: the figure is then the product of all of theirs, and so is the verdict.
    """

    a: str
    b: str
    metric: str
    device: str
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    margin: float
    verdict: Joint
    level: float
    error: float
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A toggle turned on after those before it (`place` counts from 1), and what that changes, as a ratio with its interval.

    Steps go from none to all. `so_far_log` is the log-ratio to none with this toggle on. `verdict` is that of the step by itself,
    "inconclusive" in runs from before it was kept.
    """

    place: int
    optimization: str
    metric: str
    device: str
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    so_far_log: float
    verdict: Verdict = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestSet:
    """The fewest toggles, of the sets that were measured, that keep `wanted` of the gain of all; `kept` is what they keep.

    The gain is counted in log-ratios. `low` and `high` are the 95 % interval of `kept`, for this set by itself.
    """

    optimizations: tuple[str, ...]
    metric: str
    device: str
    arm: str
    wanted: float
    kept: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What each toggle has of the change from none to all, and how they act together. Empty where the design cannot say.

    `method` says how shares were estimated, `steps_by` in which order steps go and why, `generators` are those of a fraction,
    and `claims` is how many claims were judged together, so that few of those that stand are false.
    """

    design: str = ""
    method: str = ""
    steps_by: str = ""
    generators: tuple[str, ...] = ()
    total_log: tuple[TotalLog, ...] = ()
    shares: tuple[Share, ...] = ()
    effects: tuple[MainEffect, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    steps: tuple[Step, ...] = ()
    smallest: tuple[SmallestSet, ...] = ()
    claims: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """One arm on one device: its toggles, and per metric p50, p95, p99 and `count` of its own trials.

    `metrics.SUMMARISED` also have `total`, and `nonzero`: in how many trials they were not zero.
    """

    device: str
    arm: str
    role: ArmRole
    states: Mapping[str, State]
    failed: bool
    metrics: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What a run with this budget can be expected to tell apart, from resampled runs of identical code (`harness.noise`).

    `workers` and `blocks` (of each worker) are those of a resampled run, `runs` how many there were. Of identical code
    `faster`, `slower` and `undecided` count verdicts, `placebo_passed` the runs whose placebo passed, `covered` those in
    which the intervals of all looks held no change; `spent` is the share of the budget that a run took. `detectable` is the
    smallest slow-down that was called slower in `power` of the runs, None where none below one half was, and
    `detectable_by_interval` the same where the placebo is not asked. Of a gate (`is_gate`) a worker is a group of three processes, and
    what is slower was so again.
    """

    budget_s: float
    margin: float
    workers: int
    blocks: float
    runs: int
    faster: int
    slower: int
    undecided: int
    placebo_passed: int
    covered: int
    spent: float
    power: float
    detectable: float | None
    detectable_by_interval: float | None
    is_gate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A slow-down (a share) that was really made in a run with this budget, and whether that run called it slower."""

    slow_down: float
    budget_s: float
    called_slower: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What an earlier calibration of this machine says of a run with this plan on one device.

    `run` is the calibrating run, `workers` and `blocks` (of all workers together) what it measured; `passed` whether its
    controls held. `confirmed` is what came of planting the smallest slow-down, if that was tried.
    """

    device: str
    made: str
    run: str
    machine: str
    workers: int
    blocks: int
    passed: bool
    foresight: Foresight
    confirmed: Planted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """One figure, measured again and again: the best, the median and the worst of so many, in the figure's unit."""

    best: float
    median: float
    worst: float
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth:
    """Bytes a second through blocks of one size: copied (read and written bytes counted) and only read."""

    block_bytes: int
    copy: Repeated
    read: Repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """What one device of one machine can do at most, as `harness limits` found it, with so many threads on the CPU.

    `rates` are operations a second of matrix products by precision ("float32", "tf32", "bfloat16" and so on). `call` is
    seconds of the host for one small operation of PyTorch; `launch` seconds of the device for one small kernel in a full
    queue, None on the CPU. `digest` is the machine's fingerprint, `machine` the same in words.
    """

    digest: str
    machine: str
    device: str
    made: str
    threads: int
    bandwidths: tuple[Bandwidth, ...]
    rates: Mapping[str, Repeated]
    call: Repeated
    launch: Repeated | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartWork:
    """What a part of a stage declares for one request: calls, operations, and bytes of parameters, state and data.

    `working_bytes` is what one call needs at hand: its parameters and its state. `on_host` says that it runs on the CPU
    whatever the device.
    """

    part: str
    on_host: bool
    precision: str
    calls: float
    matrix: float
    convolution: float
    parameter_bytes: float
    state_bytes: float
    data_bytes: float
    working_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWork:
    """What a stage did in one untimed request of an arm: its parts, and the operations of PyTorch that the host asked for.

    `operations` leaves out views, which compute nothing.
    """

    device: str
    arm: str
    request: str
    stratum: str
    stage: str
    operations: int
    parts: tuple[PartWork, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The least time of a stage in an arm, beside the time that it took; seconds of a request, the mean over `strata`.

    `memory_s`, `arithmetic_s` and `calls_s` are what each ceiling alone asks for, `floor_s` the least that all allow, and
    `hardware_s` that without the host's calls, which other code of the same arithmetic need not make. `binds` names the
    ceiling that asks for most. None where it was not measured.
    """

    device: str
    arm: str
    stage: str
    strata: tuple[str, ...]
    measured_s: float
    floor_s: float
    hardware_s: float
    memory_s: float
    arithmetic_s: float
    calls_s: float
    operations: float
    binds: Literal["memory", "arithmetic", "calls"]
    not_counted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was planned for each device: the arms, which of them share a block, and the pairs to compare.

    `pairs` are (optimization, reference arm, arm); `strata` gives each kind of request its share of the workload, which
    is its weight in an effect, and `concurrency` how many of it are made at the same moment (1 where it says nothing).
    `looks` are shares of the budget at which the run looks; none in runs from before there were looks, which had but one.
    `not_applicable` are toggles that the target cannot take, with the reason, on any device; `refused` tells those of one;
    `already_present` those that its code has, and where: what arms without them run was put back.
    `limits` are those of a gate, none in other runs: for each gated assignment of the toggles ("none", "all" or a toggle, as
    its contrasts are named) the largest loss in each metric that still passes, as a fraction.
    `dose` is the length of a dose as a share of the reference's latency; None in runs from before it was kept.
    `joint` are arms that are of use only together, `orders` the sampled orders in which toggles are turned on (`designs`).
    `prompt_s` is how long the speaker's recording lasts, for each request to a known speaker; empty in runs from before it was kept.
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
    already_present: Mapping[str, str] = field(default_factory=dict)
    concurrency: Mapping[str, int] = field(default_factory=dict)
    looks: tuple[float, ...] = ()
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    dose: float | None = None
    joint: tuple[str, ...] = ()
    orders: tuple[tuple[str, ...], ...] = ()
    prompt_s: Mapping[str, float] = field(default_factory=dict)
    not_applicable_on: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def refused(self, device: str) -> Mapping[str, str]:
        """The toggles that the target cannot take on `device`, and why; in runs from before devices were told apart, on any."""
        return self.not_applicable_on.get(device, self.not_applicable)


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
    frontier: tuple[FrontierPoint, ...] = ()
    attribution: Attribution = Attribution()
    expectations: tuple[Expectation, ...] = ()
    held: tuple[CacheHeld, ...] = ()
    caches: tuple[CacheEffect, ...] = ()
    curves: tuple[EffectCurve, ...] = ()
    replays: tuple[CacheReplay, ...] = ()
    starts: tuple[StartEffect, ...] = ()
    conditions: tuple[Conditions, ...] = ()
    memory_courses: tuple[MemoryCourse, ...] = ()
    looks: tuple[Look, ...] = ()
    calibrations: tuple[Calibrated, ...] = ()
    ceilings: tuple[Ceilings, ...] = ()
    work: tuple[StageWork, ...] = ()
    floors: tuple[Floor, ...] = ()
    unavailable: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)
