"""From a run of two revisions to a decision: does the code after hold the limits of the gate? Pure: a Run in, a Decision out.

A setting is one assignment of the scenario's toggles: `none`, `all`, or a toggle alone. Each has an arm for either revision,
and contrasts named by the setting whose reference is the revision before. A limit is the largest loss that still passes.

The question is one-sided. A setting has passed when its interval does not reach beyond the limit, however far into a gain
it reaches. It has regressed when the whole interval lies beyond, the verdict of the run says so too, which allows for how
many comparisons there are, and fresh processes have shown it again. Memory is read once in each of several fresh
processes, so that nothing need show it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness import units
from harness.controls import calibrated, family
from harness.designs import INSTRUMENTATION
from harness.metrics import EXACT, Metric, metric
from harness.results import Contrast, Run, Verdict

Outcome = Literal["regressed", "failed", "inconclusive", "improved", "pass"]
EXIT_CODES: Mapping[Outcome, int] = {"regressed": 1, "failed": 4, "inconclusive": 3, "improved": 0, "pass": 0}
"""What `harness gate` answers, in order of precedence: an outcome of one line is that of the whole unless one before it in
this list is, too. `failed` is: could not be measured.
"""
Key = tuple[str, str, str]
"""What a limit is about: (device, setting, metric)."""

_ROUNDING = 1e-12
"""A ratio is the exp of a log, which need not return it to the last bit. A byte in 80 GB is ten times as much."""
_NOT_COMPARABLE: Sequence[Verdict] = ("failed", "output changed", "inert", "not applicable", "already present")
STORED = "stored"
"""The finding that says that a run was compared with a stored one, and what that cannot say (docs/decisions/0017)."""
PLANTED = "planted"
"""The finding that says that the head of a gate was slowed down to see whether that is found."""
_NOTED = (STORED, PLANTED, "skipped", "scenario", "outputs", "words", "quality", "pinning")
"""Findings that say what was compared, and how: a device that is absent, a scenario that differs between the revisions, outputs
and what was not heard in them, processes that were not pinned.
"""
_NOT_STAGES = ("latency", "dose")
_DEVICE_TIMES = "device."


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The stage whose time changed most in the direction of the latency, by an interval that excludes no change.

    `change_s` is signed; `share` is its part of the change of latency, which may be more than all of it where other stages
    changed the other way, and is None where latency itself cannot be told apart from no change.
    """

    stage: str
    before: float
    change_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One limit on one device, and what became of it. `before`, `after` are in `unit`; ratios are after / before.

    `limit` is the largest loss that passes, as a fraction. `reason` says in words why the outcome is what it is where the
    figures alone do not.
    """

    device: str
    setting: str
    metric: str
    unit: str
    limit: float
    before: float | None
    after: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    level: float
    outcome: Outcome
    reason: str = ""
    moved: Moved | None = None

    @property
    def key(self) -> Key:
        return self.device, self.setting, self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Ungated:
    """A limit that has no meaning on a device, and why: memory of an allocator that the device does not have."""

    device: str
    metric: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a gate says. `base` and `head` name the two sides as the reader knows them, `command` runs it again.

    `lines` has one entry for each device, setting and limit, in the order of the plan. `reason` says why there are none.
    `notes` is what a reader must know to believe it: skipped devices, a comparison with a stored run. `unpaired` says that
    `base` is one or several stored runs, which is weaker than two revisions.
    """

    scenario: str
    run_id: str
    base: str
    head: str
    command: str
    outcome: Outcome
    lines: tuple[Line, ...] = ()
    ungated: tuple[Ungated, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str = ""
    unpaired: bool = False

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


def decide(
    run: Run, *, base: str, head: str, confirmed: Mapping[Key, bool] | None = None, notes: Sequence[str] = ()
) -> Decision:
    """The decision about an evaluated `run` whose plan has limits.

    `confirmed` says of suspected regressions (`suspects`) whether fresh processes showed them again. One that it does not
    name was not measured again, and is not taken for a regression unless it is one of memory.
    """
    lines = tuple(_confirmed(line, confirmed or {}) for line in _lines(run))
    return Decision(
        scenario=str(run.scenario.get("name") or run.id),
        run_id=run.id,
        base=base,
        head=head,
        command=str(run.timing.get("command") or f"harness gate {run.scenario.get('name', 'SCENARIO')} --base {base}"),
        outcome=_whole([line.outcome for line in lines]),
        lines=lines,
        ungated=tuple(_ungated(run)),
        notes=(*notes, *_foreseen(run), *(finding.message for finding in run.findings if finding.kind in _NOTED)),
        reason="" if lines else "nothing was measured that has a limit",
        unpaired=any(finding.kind == STORED for finding in run.findings),
    )


def _foreseen(run: Run) -> Iterator[str]:
    """What a calibration of gates on this machine says of a limit like the smallest one of this."""
    for found in run.calibrations:
        seen = found.foresight
        size = "none" if seen.detectable is None else units.percent(seen.detectable, 2)
        passed = "" if found.passed else " The controls of that calibration did not all pass."
        yield (
            f"A limit of latency of {units.percent(seen.margin)}, by itself, with this budget on {found.device} of this machine: identical "
            f"code fails it in {units.count(seen.slower)} of {units.count(seen.runs)} resampled gates; the smallest slow-down that is found "
            f"in {units.percent(seen.power, 0)} is: {size} (harness calibrate --gate, {found.made}).{passed}"
        )


def not_measured(*, scenario: str, base: str, head: str, command: str, reason: str) -> Decision:
    """The decision where there is no run to judge: a revision that could not be built, a disk that is full."""
    return Decision(
        scenario=scenario, run_id="", base=base, head=head, command=command, outcome="failed", reason=reason
    )


def suspects(run: Run) -> tuple[Key, ...]:
    """The regressions that an evaluated `run` shows, which fresh processes must show again before the gate fails.

    Not those of memory, which is read once in each of several fresh processes to begin with.
    """
    return tuple(line.key for line in _lines(run) if line.outcome == "regressed" and not metric(line.metric).is_memory)


def _whole(outcomes: Sequence[Outcome]) -> Outcome:
    return next((outcome for outcome in EXIT_CODES if outcome in outcomes), "failed")


def _lines(run: Run) -> Iterator[Line]:
    """A line for each limit, before confirmation."""
    found = {(c.device, c.optimization, c.metric): c for c in run.contrasts if not c.stratum}
    for device in run.plan.devices:
        doubts = _doubts(run, device)
        for setting, limits in run.plan.limits.items():
            for name, limit in limits.items():
                if _why_ungated(run, device, name):
                    continue
                contrast = found.get((device, setting, name))
                if contrast is None:
                    yield _missing(run, (device, setting, name), limit)
                else:
                    yield _line(run, contrast, limit, doubts)


def _doubts(run: Run, device: str) -> Mapping[str, str]:
    """Per family of metrics whose controls did not pass: why nothing may be concluded from it."""
    outcomes = [control for control in run.controls if control.device == device]
    failed = {
        family(control.metric): control
        for control in reversed(outcomes)
        if not control.passed and control.name not in INSTRUMENTATION
    }
    doubts = {}
    for name, passed in calibrated(outcomes).items():
        if not passed:
            control = failed.get(name) or (failed.get("latency") if name == "device" else None)
            told = (
                f"control {control.name} of {control.metric} failed, {control.reason}"
                if control
                else "it has no controls"
            )
            doubts[name] = f"not calibrated: {told}"
    return doubts


def _line(run: Run, contrast: Contrast, limit: float, doubts: Mapping[str, str]) -> Line:
    doubt = doubts.get(family(contrast.metric), "")
    outcome, reason = _judged(contrast, limit, doubt)
    if outcome == "failed":  # what is not comparable has no change, whatever was measured
        contrast = replace(contrast, ratio=None, ratio_low=None, ratio_high=None)
    return Line(
        device=contrast.device, setting=contrast.optimization, metric=contrast.metric, unit=contrast.unit, limit=limit,
        before=contrast.before, after=contrast.after, ratio=contrast.ratio, ratio_low=contrast.ratio_low,
        ratio_high=contrast.ratio_high, level=contrast.level, outcome=outcome, reason=reason,
        moved=None if doubt or outcome == "failed" else _moved(run, contrast, doubts),
    )  # fmt: skip


def _judged(contrast: Contrast, limit: float, doubt: str) -> tuple[Outcome, str]:
    if contrast.verdict in _NOT_COMPARABLE:
        told = [contrast.verdict] if contrast.verdict != "failed" or not contrast.reason else []
        return "failed", ": ".join([*told, *([contrast.reason] if contrast.reason else [])])
    if contrast.ratio_low is None or contrast.ratio_high is None:
        return "inconclusive", contrast.reason or "it has no interval"
    if doubt:
        return "inconclusive", doubt
    return _by_interval(contrast, contrast.ratio_low, contrast.ratio_high, limit)


def _by_interval(contrast: Contrast, low: float, high: float, limit: float) -> tuple[Outcome, str]:
    least, most = _losses(metric(contrast.metric), low, high)
    is_exact = contrast.metric == EXACT and low == high
    undecided = contrast.verdict == "inconclusive" and not is_exact
    if least > limit + _ROUNDING:
        if undecided:
            return "inconclusive", contrast.reason
        return "regressed", ""
    if most > limit + _ROUNDING:
        return "inconclusive", f"the interval reaches across the limit: {units.percent(most)} may be lost"
    if most < -limit - _ROUNDING and not undecided:
        return "improved", ""
    return "pass", ""


def _losses(facts: Metric, low: float, high: float) -> tuple[float, float]:
    """The smallest and the largest loss that an interval of ratios allows, as fractions; gains are negative."""
    return (low - 1, high - 1) if facts.better == "lower" else (1 - high, 1 - low)


def _confirmed(line: Line, confirmed: Mapping[Key, bool]) -> Line:
    if line.outcome != "regressed":
        return line
    match confirmed.get(line.key):
        case True:
            return replace(line, reason="fresh processes showed it again")
        case False:
            return replace(
                line, outcome="inconclusive", reason="beyond the limit, but fresh processes did not show it again"
            )
        case None if metric(line.metric).is_memory:
            return replace(line, reason="each repeat of it was a fresh process")
        case _:
            return replace(
                line, outcome="inconclusive", reason="beyond the limit, but not measured again in fresh processes"
            )


def _missing(run: Run, key: Key, limit: float) -> Line:
    device, setting, name = key
    failure = next((f.message for f in reversed(run.failures) if f.device == device and f.final and f.arm is None), "")
    return Line(
        device=device, setting=setting, metric=name, unit=metric(name).unit, limit=limit, before=None, after=None, ratio=None,
        ratio_low=None, ratio_high=None, level=0.95, outcome="failed", reason=failure or "it was not measured",
    )  # fmt: skip


def _ungated(run: Run) -> Iterator[Ungated]:
    names = dict.fromkeys(name for limits in run.plan.limits.values() for name in limits)
    for device in run.plan.devices:
        for name in names:
            if reason := _why_ungated(run, device, name):
                yield Ungated(device=device, metric=name, reason=reason)


def _why_ungated(run: Run, device: str, name: str) -> str:
    """Why a device has no such metric; "" where it has."""
    if device == "cpu" and name.startswith(_DEVICE_TIMES):
        return "the CPU has no events to time stages by"
    return run.unavailable.get(device, {}).get(name, "")


def _moved(run: Run, contrast: Contrast, doubts: Mapping[str, str]) -> Moved | None:
    if contrast.metric != "latency" or contrast.ratio is None or contrast.before is None:
        return None
    change_s = contrast.before * (contrast.ratio - 1)
    moved = [stage for stage in _stages(run, contrast, doubts) if stage.change_s * change_s > 0]
    if not moved:
        return None
    most = max(moved, key=lambda stage: abs(stage.change_s))
    told = _excludes_none(contrast.ratio_low, contrast.ratio_high)
    return replace(most, share=most.change_s / change_s if told else None)


def _stages(run: Run, contrast: Contrast, doubts: Mapping[str, str]) -> Iterator[Moved]:
    """The stages beside a contrast of latency that changed, and lie in no other one."""
    beside = {
        c.metric: c
        for c in run.contrasts
        if (c.device, c.optimization, c.arm, c.stratum) == (contrast.device, contrast.optimization, contrast.arm, "")
        and c.verdict not in _NOT_COMPARABLE
        and family(c.metric) not in doubts
    }
    for name in _outermost(list(beside)):
        c = beside[name]
        if c.before is None or c.ratio is None or c.ratio_low is None or c.ratio_high is None:
            continue
        if _excludes_none(c.ratio_low, c.ratio_high):
            yield Moved(stage=name.partition(".")[2], before=c.before, change_s=c.before * (c.ratio - 1), ratio=c.ratio,
                        ratio_low=c.ratio_low, ratio_high=c.ratio_high, share=None)  # fmt: skip


def _outermost(names: Sequence[str]) -> list[str]:
    """Metrics of stages that lie in no other stage: of device times, or where there are none, of host times.

    The host only queues the work of a GPU, so that its times say little of a stage there.
    """
    for prefix in (_DEVICE_TIMES, "stage."):
        found = [name for name in names if name.startswith(prefix) and name.removeprefix(prefix) not in _NOT_STAGES]
        if found:
            return [name for name in found if name.rpartition(".")[0] not in found]
    return []


def _excludes_none(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and not (low <= 1 <= high) and math.isfinite(high)
