"""Controls: arms whose true effect is known, measured in every run to see whether the run can be believed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import median

from harness import rules
from harness.designs import (
    CONFIRMATION,
    DEVICE_DOSE,
    EMPTY_CALL,
    EMPTY_TWIN,
    HOST_DOSE,
    INSTRUMENTATION,
    PLACEBO,
    PROCESS,
    SPANS_REPEATED,
    UNINSTRUMENTED,
    control_name,
)
from harness.evidence import Evidence, difference
from harness.metrics import ALLOCATOR_UNIT_BYTES, EXACT, FIRST, SITE, metric
from harness.results import Control
from harness.statistics import Effect, change_of
from harness.worker.arms import SPAN_REPEATS
from harness.worker.vram import DOSE_BYTES

SPANS_MAY_COST = 0.005
"""The spans of a request must not change its latency by more than this share."""
EMPTY_CALLS_MAY_DIFFER_S = 10e-9
"""An empty call timed beside itself must not differ by more, which is less than calling a Python function takes."""
BETWEEN_PROCESSES = control_name(PLACEBO, PROCESS)
"""The placebo of arms that are compared between processes."""
FAMILIES = ("latency", "device", "init", "first", "site", "memory")
"""Metrics that controls vouch for together."""


def controls(evidence: Evidence) -> list[Control]:
    """The outcome of every control that this device's measurements allow, the placebo of latency first."""
    planned = list(_planned(evidence))
    level = rules.control_level(len(planned))
    outcomes = [
        _placebo(evidence, name, group, level) if control == PLACEBO else _dose(evidence, control, name, level)
        for control, name, group in planned
        if group != PROCESS or evidence.is_measured(group, "init" if name == "init" else "request")
    ]
    return outcomes + list(_empty_call(evidence)) + list(_memory_dose(evidence)) + list(_spans(evidence))


def _planned(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Controls of what is timed in requests as (arm, metric, group): a placebo in each group of the latency pass (of which that of processes comes last) and in the
    rounds of first requests, a dose of each kind.
    """
    if any(trial.pass_ == "first" for trial in evidence.trials):
        yield PLACEBO, FIRST, "request"
    found = {trial.kind for trial in evidence.trials if trial.pass_ == "latency"}
    for kind, name in (("request", "latency"), ("init", "init")):
        if kind in found:
            for group in evidence.run.plan.groups:
                if group != CONFIRMATION:
                    yield PLACEBO, name, group
    if "request" in found and any(HOST_DOSE in arms for arms in evidence.run.plan.groups.values()):
        yield HOST_DOSE, "latency", ""
        if DEVICE_DOSE in evidence.arms:
            yield DEVICE_DOSE, "device.latency", ""


def calibrated(outcomes: list[Control]) -> Mapping[str, bool]:
    """Per family of metrics (see `family`): whether its controls were measured and all passed."""
    by_family: dict[str, list[bool]] = {name: [] for name in FAMILIES}
    for control in outcomes:
        if control.name in (*INSTRUMENTATION, BETWEEN_PROCESSES):
            continue  # what spans cost, they cost in every arm alike; and of processes the others know nothing
        by_family[family(control.metric)].append(control.passed)
    by_family["device"] += by_family["latency"]
    return {name: bool(passed) and all(passed) for name, passed in by_family.items()}


def calibrated_between_processes(outcomes: Iterable[Control], name: str) -> bool:
    """Whether the placebo of what is compared between processes passed; it vouches for nothing else."""
    wanted = "init" if family(name) == "init" else "latency"
    found = [control.passed for control in outcomes if (control.name, control.metric) == (BETWEEN_PROCESSES, wanted)]
    return bool(found) and all(found)


def allowance(outcomes: Iterable[Control], name: str, group: str) -> float:
    """By how much the interval of a metric is lengthened for its verdict, as a log-ratio: what the placebo of its group of
    arms leaves open. In a gate nothing: its own interval has to be narrow.
    """
    vouching = {"latency": "latency", "device": "latency", "init": "init", "first": FIRST}.get(family(name))
    wanted = control_name(PLACEBO, "request" if vouching == FIRST else group)
    return max(
        (control.allowance for control in outcomes if (control.name, control.metric) == (wanted, vouching)), default=0.0
    )


def family(name: str) -> str:
    """Which controls vouch for a metric: one of `FAMILIES`."""
    if metric(name).pass_ in ("memory", "first"):
        return metric(name).pass_
    if name in ("init", SITE):
        return name
    return "device" if name.startswith("device.") else "latency"


def _placebo(evidence: Evidence, name: str, group: str, level: float) -> Control:
    margin = margin_of(evidence, name)
    effect = evidence.effect(name, evidence.reference, PLACEBO, level=level, group=group)
    low, high = _ends(effect)
    if low is None or high is None:
        found = rules.Placebo(passed=False, reason=_no_interval(effect))
    # in a gate, and in a block of many arms, the intervals of the verdicts have to be narrow: decisions 14 and 25
    elif group == PROCESS or evidence.run.plan.limits or (evidence.run.plan.joint and group != "request"):
        between = group == PROCESS or evidence.run.plan.limits
        found = rules.placebo_not_told_apart(low, high, "processes" if between else "arms")
    else:
        found = rules.placebo(low, high, margin)
    return Control(
        name=control_name(PLACEBO, group),
        device=evidence.device, metric=name, unit="log-ratio", expected=0.0, low=low, high=high,
        level=level, bound=margin / 2, passed=found.passed, reason=found.reason, allowance=found.allowance,
    )  # fmt: skip


def _dose(evidence: Evidence, control: str, name: str, level: float) -> Control:
    effect = evidence.effect(name, evidence.reference, control, level=level, form=difference)
    expected = _dose_given(evidence, control)
    low, high = _ends(effect)
    if low is None or high is None:
        passed, reason = False, _no_interval(effect)
    else:
        passed, reason = rules.dose(low, high, expected)
    return Control(
        name=control, device=evidence.device, metric=name, unit="s", expected=expected, low=low, high=high,
        level=level, bound=None, passed=passed, reason=reason,
    )  # fmt: skip


def _dose_given(evidence: Evidence, control: str) -> float:
    """The delay that was really added: its median in each kind of request, averaged as the effect is."""
    doses: dict[str, list[float]] = defaultdict(list)
    for trial in evidence.trials:
        if trial.arm == control and (dose := trial.values.get("dose")):
            doses[trial.stratum].append(dose)
    weights = {stratum: evidence.run.plan.strata.get(stratum, 1.0) for stratum in doses}
    return sum(weights[stratum] * median(found) for stratum, found in doses.items()) / (sum(weights.values()) or 1.0)


def _empty_call(evidence: Evidence) -> Iterator[Control]:
    """An empty call beside itself, timed as the sides of a place are: what a difference of nothing looks like."""
    pairs = evidence.pairs(SITE, EMPTY_CALL, EMPTY_TWIN, "")
    if not pairs:
        return
    level = rules.control_level(1)
    low, high = _ends(effect := evidence.effect(SITE, EMPTY_CALL, EMPTY_TWIN, level=level, form=difference))
    took_s = median(trial.values[SITE] or 0.0 for trial, _ in pairs)
    if low is None or high is None:
        passed, reason = False, _no_interval(effect)
    else:
        passed = low >= -EMPTY_CALLS_MAY_DIFFER_S and high <= EMPTY_CALLS_MAY_DIFFER_S
        reason = (
            f"an empty call took {1e9 * took_s:.1f} ns, and beside itself differs by {1e9 * low:+.2f} to {1e9 * high:+.2f} ns "
            f"(±{1e9 * EMPTY_CALLS_MAY_DIFFER_S:g} ns allowed)"
        )
    yield Control(
        name=EMPTY_CALL, device=evidence.device, metric=SITE, unit="s", expected=0.0, low=low, high=high, level=level,
        bound=EMPTY_CALLS_MAY_DIFFER_S, passed=passed, reason=reason,
    )  # fmt: skip


def _memory_dose(evidence: Evidence) -> Iterator[Control]:
    if not any(trial.pass_ == "memory" for trial in evidence.trials):
        return
    name = "rss_peak" if evidence.device == "cpu" else EXACT
    effect = evidence.effect_of_one(name, evidence.reference, HOST_DOSE)
    found = None if effect is None else effect.location
    alone = evidence.peaks_of_one(name, evidence.reference)
    baseline = list(alone.values()) or evidence.values(name, evidence.reference)
    bound = _dose_bound(evidence, name, median(baseline)) if baseline else 0.0
    passed = found is not None and abs(found - DOSE_BYTES) <= bound
    measured = "nothing" if found is None else f"{found / 2**20:.2f} MiB (±{bound / 2**20:.2f} MiB allowed)"
    low, high = _ends(effect)
    yield Control(
        name="memory_dose", device=evidence.device, metric=name, unit="bytes", expected=float(DOSE_BYTES),
        low=low, high=high, level=0.95, bound=bound, passed=passed,
        reason=f"a known allocation of {DOSE_BYTES / 2**20:g} MiB was measured as {measured}",
    )  # fmt: skip


def _dose_bound(evidence: Evidence, name: str, baseline: float) -> float:
    """How far from its size the known allocation may be found, in bytes: never so far that finding none would pass."""
    if name == EXACT:
        return float(ALLOCATOR_UNIT_BYTES)
    return min(margin_of(evidence, name) / 2 * baseline, DOSE_BYTES / 8)


def _spans(evidence: Evidence) -> Iterator[Control]:
    """What the spans cost, where the scenario has it measured: against the reference, an arm without a listener, and one that
    listens many times, whose difference is so many times as far from the noise.
    """
    if UNINSTRUMENTED in evidence.arms:
        yield _cost_of_spans(evidence, UNINSTRUMENTED, 1, "with nobody listening to its stages, latency changed by")
    if SPANS_REPEATED in evidence.arms:
        said = f"listening {SPAN_REPEATS} times to each stage made, for each time but the first, a difference in latency of"
        yield _cost_of_spans(evidence, SPANS_REPEATED, SPAN_REPEATS - 1, said)


def _cost_of_spans(evidence: Evidence, arm: str, times: int, said: str) -> Control:
    """The control of an arm that differs from the reference by `times` the cost of its spans."""
    effect = evidence.effect("latency", evidence.reference, arm)
    low, high = (end if end is None else math.log1p(change_of(end) / times) for end in _ends(effect))
    if any(together > 1 for together in evidence.run.plan.concurrency.values()):  # of runs from before that was refused
        low, high, passed, reason = None, None, False, "not measured: requests at the same moment have no spans"
    elif low is None or high is None:
        passed, reason = False, _no_interval(effect)
    else:
        passed = math.log1p(-SPANS_MAY_COST) <= low and high <= math.log1p(SPANS_MAY_COST)
        interval = f"{100 * change_of(low):+.3f} to {100 * change_of(high):+.3f} %"
        reason = f"{said} {interval} (±{100 * SPANS_MAY_COST:g} % allowed)"
    return Control(
        name=arm, device=evidence.device, metric="latency", unit="log-ratio", expected=0.0, low=low,
        high=high, level=0.95, bound=SPANS_MAY_COST, passed=passed, reason=reason,
    )  # fmt: skip


def margin_of(evidence: Evidence, name: str, optimization: str = "") -> float:
    """The margin of a metric: its own, or that of latency for stages and device times.

    In a gate it is the limit of `optimization`, or where none is named (controls) the smallest limit of the gate.
    """
    plan = evidence.run.plan
    asked = [limits for setting, limits in plan.limits.items() if optimization in ("", setting)]
    for wanted in (name,) if name in plan.margin else (name, "latency"):
        if found := [limits[wanted] for limits in asked if wanted in limits]:
            return min(found)
    return plan.margin.get(name, plan.margin["latency"])


def _ends(effect: Effect | None) -> tuple[float | None, float | None]:
    return (None, None) if effect is None else (effect.low, effect.high)


def _no_interval(effect: Effect | None) -> str:
    return "it was not measured" if effect is None else f"no interval from {effect.workers} worker(s)"
