"""`harness plan`: what a run is going to measure, how long that takes, and how much budget finds a given effect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from harness import calibrations, designs, groups, runner, sequential
from harness.calibrate import SHARES
from harness.calibrations import Calibration
from harness.designs import CONTROLS, PROCESS, Design
from harness.metrics import FIRST, SITE, memory_alone, metric
from harness.noise import POWER, between_workers, spread_of_blocks
from harness.optimizations.process import process_states
from harness.passes import first_cycle
from harness.passes.examination import MAX_REQUESTS, MIN_REQUESTS
from harness.passes.latency import crowd_of
from harness.passes.memory import SHARED_REPEATS, has_shared_peaks
from harness.processes import started_at_once
from harness.results import Calibrated, Foresight
from harness.rules import ERROR
from harness.scenario import Scenario
from harness.statistics import MIN_WORKERS, lengthened

EXAMINERS = 2
"""Workers of the examination pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a run is expected to take, by the costs of the calibration.

    `round_s` is a block of each group; `measuring_s` from the budget that runs of identical code take to all of it;
    `startup_s` starting all processes and warming up; `other_s` requests of the untimed passes; sizes are upper bounds.
    """

    request_s: float
    round_s: float
    rounds_per_worker: float
    startup_s: float
    measuring_s: tuple[float, float]
    other_s: float
    journal_bytes: float
    kept_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How much budget finds a slow-down of `effect` in most runs; `budget_s` is None where none does.

    `how` says what the budget is: "at most" (the smallest that was looked at does), "between" two that were looked at,
    "beyond" all of them (extrapolated), or "never", with the reason in words.
    """

    effect: float
    how: Literal["at most", "between", "beyond", "never"]
    budget_s: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The plan of one device, and what is known of it; `expected` and what follows are None without a calibration.

    `workers` measure latency, none where memory alone is asked for. `firsts` is how many of the processes are there for their first request, `joint` how many arms are of use only together. `main_effect` is the smallest main effect that such a design finds in
    95 % of runs, and `advice` what to do where the budget is too small for its blocks; "" where it is not, or nothing is known.
    """

    device: str
    arms: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    pairs: tuple[tuple[str, str, str], ...]
    kinds: Mapping[str, float]
    workers: int
    processes: int
    budget_s: float
    margin: float
    looks_s: tuple[float, ...]
    expected: Expected | None
    calibrated: Calibrated | None
    detection: Detection | None
    firsts: int = 0
    joint: int = 0
    main_effect: float | None = None
    advice: str = ""


def outline(scenario: Scenario, device: str, known: Calibration | None, effect: float | None) -> Outline:
    """The plan of a scenario on one device; with `effect`, a share, also what budget finds it."""
    design, measure = runner.design_of(scenario, device), scenario.measure
    timed = not memory_alone(measure.metrics)
    known = None if design.of_process or not timed else known  # which is of the times of arms that share a process
    expected = None
    foresights = () if known is None or effect is None else _foresights(known, scenario, design)
    calibrated = None if known is None else calibrations.applied(known, scenario, design)
    if known is not None and calibrated is not None:
        expected = _expected(known, scenario, design, calibrated)
    kinds = runner.plan_of(scenario, [device]).strata
    return Outline(
        device=device,
        arms=tuple(arm.name for arm in design.arms),
        groups=design.groups,
        pairs=design.pairs,
        kinds=kinds,
        workers=measure.workers if timed else 0,
        processes=_latency_and_places(scenario) + _examiners(design) + _memory_processes(scenario, design) + _firsts(scenario, design)
        + (groups.LEAST * len(design.groups.get(PROCESS, ())) if timed else 0),
        budget_s=measure.budget_s,
        margin=measure.margin_of("latency"),
        looks_s=() if design.joint or not timed else tuple(share * measure.budget_s for share in sequential.LOOKS),
        expected=expected,
        calibrated=calibrated,
        detection=None if known is None or effect is None else detection(
            effect, foresights, between_workers(known.noise).estimate),
        firsts=_firsts(scenario, design),
        joint=len(design.joint),
        main_effect=None if known is None or expected is None else _main_effect(
            known, scenario, design, expected.rounds_per_worker),
        advice="" if expected is None else designs.advice(
            scenario.design, len(scenario.optimizations), rounds=expected.rounds_per_worker, kinds=len(kinds)),
    )  # fmt: skip


def _foresights(known: Calibration, scenario: Scenario, design: Design) -> Sequence[Foresight]:
    return calibrations.foreseen(known, scenario, design, [share * scenario.measure.budget_s for share in SHARES])


def _examiners(design: Design) -> int:
    """Processes that examine outputs: the arms that may share one, and the reference's twin."""
    return EXAMINERS - 1 + len({repr(process_states(arm.states)) for arm in design.arms})


def _latency_and_places(scenario: Scenario) -> int:
    """Processes that measure latency, and as many again where places are timed alone; none where memory alone is asked for."""
    if memory_alone(scenario.measure.metrics):
        return 0
    return scenario.measure.workers * (2 if SITE in scenario.measure.metrics else 1)


def _memory_processes(scenario: Scenario, design: Design) -> int:
    if not any(metric(name).is_memory for name in scenario.measure.metrics):
        return 0
    shared = SHARED_REPEATS if has_shared_peaks(scenario, design) else 0
    return (_alone(design) + 1) * scenario.measure.memory_repeats + shared


def _firsts(scenario: Scenario, design: Design) -> int:
    """Processes whose first request is timed: in each round one for each arm, and one for the reference's twin."""
    return (_alone(design) + 1) * scenario.measure.first_repeats if FIRST in scenario.measure.metrics else 0


def _alone(design: Design) -> int:
    """Arms that have processes of their own."""
    several = {arm.name for arm in design.arms if arm.role == "combination"} if design.joint else set()
    return len(set(_plain(design)) - several)


def _main_effect(known: Calibration, scenario: Scenario, design: Design, rounds: float) -> float | None:
    """The smallest main effect of a factorial or a fraction that is found in 95 % of runs, by the calibration's noise.

    The difference of two arms in a worker has the variance between workers, and that of a block over its blocks; a main
    effect over n arms has 2 / n of it. The margin, and Student's t at the level of one of the toggles, come on top.
    """
    from scipy import special

    workers, count = scenario.measure.workers, len(scenario.optimizations)
    if scenario.design not in ("factorial", "fractional") or workers < MIN_WORKERS:
        return None
    between, within = between_workers(known.noise).estimate, spread_of_blocks(known.noise)
    variance = (between**2 + within**2 / max(1.0, rounds)) * 2 / len(design.joint)
    quantiles = sum(float(special.stdtrit(workers - 1, level)) for level in (1 - ERROR / (2 * count), POWER))
    error = lengthened(workers) * math.sqrt(variance / workers)
    return math.expm1(math.log1p(scenario.measure.margin_of("latency")) + quantiles * error)


def _plain(design: Design) -> list[str]:
    return [arm.name for arm in design.arms if arm.name not in CONTROLS]


def _expected(known: Calibration, scenario: Scenario, design: Design, calibrated: Calibrated) -> Expected:
    costs, measure = known.costs, scenario.measure
    shape = calibrations.shape_of(known, scenario, design)
    round_s = 1 / (shape.blocks_per_s * measure.workers)
    memory, firsts = _memory_processes(scenario, design), _firsts(scenario, design)
    at_once = started_at_once(known.device)
    crowd = crowd_of(scenario, known.device)
    cycle = first_cycle(scenario)
    examined = len(_plain(design)) + 1
    untimed = examined * (max(cycle, MIN_REQUESTS) + cycle if cycle < MAX_REQUESTS else 2 * MAX_REQUESTS)
    timed = measure.budget_s / costs.request_s
    return Expected(
        request_s=costs.request_s,
        round_s=round_s,
        rounds_per_worker=shape.blocks_per_s * measure.budget_s,
        startup_s=(_latency_and_places(scenario) + _examiners(design) + memory + firsts) * costs.startup_s / at_once
        + (1 + math.ceil((measure.workers - 1) / crowd)) * costs.warm_up_s,
        measuring_s=(
            measure.budget_s if design.joint else calibrated.foresight.spent * measure.budget_s,
            measure.budget_s,
        ),
        other_s=((untimed + memory * (cycle + 1)) / at_once + firsts) * costs.request_s,
        journal_bytes=timed * costs.journal_bytes,
        kept_bytes=timed * costs.kept_bytes,
    )


def detection(effect: float, foresights: Sequence[Foresight], between: float) -> Detection:
    """How much budget finds a slow-down of `effect`, from the smallest slow-downs that several budgets find.

    `between` is the standard deviation between workers, which no budget removes.
    """
    margin, last = foresights[0].margin, foresights[-1]
    if effect <= margin:
        why = "a slow-down within the margin is never called slower; give a smaller measure.margin"
        return _never(effect, why)
    if foresights[0].detectable is not None and foresights[0].detectable <= effect:
        return Detection(effect=effect, how="at most", budget_s=foresights[0].budget_s, reason="")
    for before, after in pairwise(foresights):
        if after.detectable is not None and after.detectable <= effect:
            return Detection(effect=effect, how="between", budget_s=_between(effect, before, after), reason="")
    if last.detectable is None:
        passed = 100 * last.placebo_passed / last.runs
        why = (
            f"in the largest budget that was looked at, {last.budget_s:g} s, the placebo passes in {passed:.1f} % of "
            "runs, so that no slow-down is found in more; more workers (measure.workers) or a larger margin help"
        )
        return _never(effect, why)
    return _beyond(effect, last, last.detectable, between)


def _never(effect: float, why: str) -> Detection:
    return Detection(effect=effect, how="never", budget_s=None, reason=why)


def _between(effect: float, before: Foresight, after: Foresight) -> float:
    """The budget by a straight line between the logarithms of what lies beyond the margin, and of the budgets."""
    if before.detectable is None or after.detectable is None:
        return after.budget_s
    above, reached, below = (
        math.log(max(value - after.margin, 1e-9)) for value in (before.detectable, effect, after.detectable)
    )
    share = 1.0 if above <= below else min(1.0, (above - reached) / (above - below))
    return math.exp(math.log(before.budget_s) + share * math.log(after.budget_s / before.budget_s))


def _beyond(effect: float, last: Foresight, detectable: float, between: float) -> Detection:
    """The budget by 1 / sqrt of it, above a floor that differences between workers set."""
    from scipy import special

    part = sequential.part(len(sequential.LOOKS) - 1)
    quantiles = float(special.stdtrit(max(1, last.workers - 1), 1 - ERROR * part / 2)) + float(
        special.ndtri(last.power)
    )
    floor = quantiles * lengthened(last.workers) * between / math.sqrt(last.workers)
    wanted, found = effect - last.margin, detectable - last.margin
    if wanted <= floor or found <= floor:
        why = (
            f"{last.workers} workers that differ by {100 * between:.2f} % (standard deviation) find no less than about "
            f"{100 * (last.margin + floor):.2f} %, however long they measure; give more of them (measure.workers)"
        )
        return _never(effect, why)
    budget_s = last.budget_s * (found**2 - floor**2) / (wanted**2 - floor**2)
    why = f"extrapolated from {last.budget_s:g} s as 1 / sqrt of the time, above a floor of {100 * floor:.2f} % beyond the margin"
    return Detection(effect=effect, how="beyond", budget_s=budget_s, reason=why)
