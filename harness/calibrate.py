"""`harness calibrate`: measure identical code against itself, and keep what that says of this machine."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from harness import calibrations, gate_calibration, gating, rules, runner, sequential, store
from harness.calibrations import Calibration, Costs, Shelf
from harness.declaring import declared
from harness.designs import HEAD_DOSE, HOST_DOSE, PLACEBO
from harness.environment import fingerprint
from harness.errors import MeasureError, UsageError
from harness.evidence import Evidence, log_ratio
from harness.gate import decide
from harness.metrics import METRICS, metric
from harness.noise import Between, Noise, between_workers, noise_of
from harness.results import Foresight, Planted, Run
from harness.rules import ERROR
from harness.scenario import Scenario
from harness.session import Progress
from harness.statistics import MIN_WORKERS, change_of

SHARES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Budgets for which a calibration is told, as multiples of the scenario's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A calibration of one device: what was kept and where, and what it says of runs, or gates, in several budgets."""

    calibration: Calibration
    path: Path
    folder: Path
    between: Between
    foresights: tuple[Foresight, ...]
    controls: tuple[tuple[str, bool, str], ...]


def controls_only(scenario: Scenario) -> Scenario:
    """The scenario with its reference and controls alone, and without the memory pass."""
    data = scenario.as_data()
    measure = dict(data["measure"])
    metrics = [name for name in measure["metrics"] if name not in METRICS or metric(name).pass_ == "latency"] or [
        "latency"
    ]
    measure |= {"metrics": metrics, "memory_snapshot": False}
    if isinstance(measure["margin"], dict):
        measure["margin"] = {name: margin for name, margin in measure["margin"].items() if name in metrics}
    kept = {**data, "name": f"{scenario.name[:60]}-calibration", "design": "controls", "measure": measure, "gate": {}}
    return Scenario.from_data(kept)


def calibrate(
    scenario: Scenario, out: Path, *, devices: Sequence[str], progress: Progress, shelf: Shelf, confirm: bool
) -> list[Outcome]:
    """Measure, keep and foresee, on each of the devices that is here. Raises MeasureError where that cannot be done, and
    UsageError for a scenario of one worker.

    With `confirm`, the smallest slow-down that is to be found in the scenario's budget is planted in a second run.
    """
    if scenario.measure.workers < MIN_WORKERS:
        message = f"measure.workers is {scenario.measure.workers}; a calibration needs {MIN_WORKERS} or more, whose spread is what it measures"
        raise UsageError(message)
    with declared(scenario):
        return _outcomes(scenario, out, devices, progress, shelf, confirm=confirm)


def _outcomes(
    scenario: Scenario, out: Path, devices: Sequence[str], progress: Progress, shelf: Shelf, *, confirm: bool
) -> list[Outcome]:
    alone = controls_only(scenario)
    folder = out / store.new_run_id(alone.name)
    run = runner.run(alone, folder, devices=devices, progress=progress)
    outcomes = []
    for device in run.plan.devices:
        try:
            outcome = _outcome(run, folder, scenario, device, shelf)
            outcomes.append(_confirmed(outcome, scenario, out, progress, shelf) if confirm else outcome)
        except MeasureError as error:
            if device == run.plan.devices[-1] and not outcomes:
                raise
            progress.note(str(error))
    return outcomes


def calibrate_gate(
    name: str, out: Path, *, settings: Sequence[str], devices: Sequence[str] | None, progress: Progress, shelf: Shelf,
    confirm: bool,
) -> list[Outcome]:  # fmt: skip
    """As `calibrate`, of the gate of the scenario that has this name or path in the commit that is checked out.

    That commit is measured against itself. With `confirm`, its head is slowed down in a second gate by the least that is to be found.
    Raises UsageError outside of a git repository, and for a scenario that gates no latency.
    """
    run, _, folder, scenario = gating.measure_itself(
        name, settings=settings, devices=devices, out=out, progress=progress
    )
    outcomes = []
    for device in run.plan.devices:
        try:
            outcome = _gate_outcome(run, folder, scenario, device, shelf)
            if confirm:
                outcome = _gate_confirmed(outcome, run, name, settings, out, progress, shelf)
            outcomes.append(outcome)
        except MeasureError as error:
            if device == run.plan.devices[-1] and not outcomes:
                raise
            progress.note(str(error))
    return outcomes


def _outcome(run: Run, folder: Path, scenario: Scenario, device: str, shelf: Shelf) -> Outcome:
    design = runner.design_of(scenario, device)

    def foreseen(calibration: Calibration, budgets_s: Sequence[float]) -> list[Foresight]:
        return calibrations.foreseen(calibration, scenario, design, budgets_s)

    return _kept(run, folder, scenario, device, shelf, noise_of(run, device), foreseen)


def _gate_outcome(run: Run, folder: Path, scenario: Scenario, device: str, shelf: Shelf) -> Outcome:
    ((_, _, head),) = run.plan.pairs
    limits: Mapping[str, Mapping[str, float]] = run.plan.limits

    def foreseen(calibration: Calibration, budgets_s: Sequence[float]) -> list[Foresight]:
        return gate_calibration.foreseen(calibration, limits, budgets_s)

    return _kept(run, folder, scenario, device, shelf, noise_of(run, device, head), foreseen)


def _kept(
    run: Run, folder: Path, scenario: Scenario, device: str, shelf: Shelf, noise: Noise,
    foreseen: Callable[[Calibration, Sequence[float]], list[Foresight]],
) -> Outcome:  # fmt: skip
    """Keep what `run` shows, and say what it lets foresee."""
    here = fingerprint(run.environment, device)
    controls = [control for control in run.controls if control.device == device]
    calibration = Calibration(
        fingerprint=here.code, machine=here.description, device=device, scenario=scenario.name,
        digest=calibrations.digest_of(scenario, is_gate=bool(run.plan.limits)), made=time.strftime("%Y-%m-%d", time.gmtime()), run=run.id,
        passed=all(control.passed for control in controls), costs=_costs(run, folder, device),
        noise=noise, versions=run.environment["versions"],
    )  # fmt: skip
    path = shelf.keep(calibration)
    budgets_s = [share * scenario.measure.budget_s for share in SHARES]
    return Outcome(
        calibration=calibration, path=path, folder=folder, between=between_workers(calibration.noise),
        foresights=tuple(foreseen(calibration, budgets_s)),
        controls=tuple((control.name, control.passed, control.reason) for control in controls),
    )  # fmt: skip


def _costs(run: Run, folder: Path, device: str) -> Costs:
    """What the requests and workers of a calibrating run took, and how large their records are."""
    here = [trial for trial in run.trials if trial.device == device and trial.pass_ == "latency"]
    timed = [trial for trial in here if (trial.phase, trial.kind) == ("timed", "request")]
    warm_s: dict[int, float] = defaultdict(float)
    for trial in here:
        if trial.phase == "warmup":
            warm_s[trial.worker] += trial.values.get("init" if trial.kind == "init" else "latency") or 0.0
    workers = 1 + max(trial.worker for trial in here)
    startup_s = run.timing["startup_s"] / len(run.plan.devices)  # of several devices, workers start much alike
    journal = [len(json.dumps({"arm": trial.arm, "values": dict(trial.values)})) for trial in timed[:1000]]
    return Costs(
        request_s=run.timing["measured_s"][device] / len(timed),
        startup_s=startup_s / workers,
        warm_up_s=median(warm_s.values()) if warm_s else 0.0,
        journal_bytes=sum(journal) / len(journal),
        kept_bytes=(folder / store.SAMPLES).stat().st_size / len(run.trials),
    )


def _confirmed(outcome: Outcome, scenario: Scenario, out: Path, progress: Progress, shelf: Shelf) -> Outcome:
    """The outcome, after the smallest slow-down that it calls detectable in the scenario's budget was planted."""
    calibration = outcome.calibration
    (foresight,) = (found for found in outcome.foresights if found.budget_s == scenario.measure.budget_s)
    if foresight.detectable is None:
        progress.note(_nothing_to_confirm(outcome, foresight))
        return outcome
    alone = controls_only(scenario)
    folder = out / store.new_run_id(f"{scenario.name[:50]}-confirmation")
    run = runner.run(alone, folder, devices=[calibration.device], progress=progress, dose=foresight.detectable)
    confirmed = Planted(
        slow_down=planted(run, calibration.device),
        budget_s=scenario.measure.budget_s,
        called_slower=is_called_slower(run, calibration.device),
    )
    kept = replace(calibration, confirmed=confirmed)
    return replace(outcome, calibration=kept, path=shelf.keep(kept))


def _gate_confirmed(
    outcome: Outcome, run: Run, name: str, settings: Sequence[str], out: Path, progress: Progress, shelf: Shelf
) -> Outcome:
    """The outcome, after a gate whose head was slowed down by the least that it calls detectable in the scenario's budget."""
    calibration = outcome.calibration
    foresight = outcome.foresights[SHARES.index(1.0)]
    if foresight.detectable is None:
        progress.note(_nothing_to_confirm(outcome, foresight))
        return outcome
    dose_s = delay_of(run, calibration.device, foresight.detectable)
    again, confirmed, _, _ = gating.measure_itself(
        name, settings=settings, devices=[calibration.device], out=out, progress=progress, dose_s=dose_s
    )
    kept = replace(calibration, confirmed=Planted(
        slow_down=planted(again, calibration.device, HEAD_DOSE), budget_s=foresight.budget_s,
        called_slower=decide(again, base="HEAD", head="HEAD", confirmed=confirmed).outcome == "regressed",
    ))  # fmt: skip
    return replace(outcome, calibration=kept, path=shelf.keep(kept))


def _nothing_to_confirm(outcome: Outcome, foresight: Foresight) -> str:
    enough = next((found.budget_s for found in outcome.foresights if found.detectable is not None), None)
    if foresight.is_gate:
        runs, more = "gates", "a quieter machine (harness doctor): processes of the same code are told apart too often"
    else:
        runs, more = "runs", "more workers (measure.workers)"
    return (
        f"{outcome.calibration.device}: no slow-down is found in {100 * foresight.power:g} % of {runs} in a budget of "
        f"{foresight.budget_s:g} s, so that there is none to confirm; try {more if enough is None else f'--budget {enough:g}s'}"
    )


def delay_of(run: Run, device: str, slow_down: float) -> float:
    """The delay of each request, in s, that slows the reference by the share `slow_down`: by the median of each kind, averaged as
    effects are.
    """
    from scipy import optimize

    evidence = Evidence(run, device)
    found: dict[str, list[float]] = defaultdict(list)
    for trial in evidence.trials:
        latency_s = trial.values.get("latency")
        if (trial.arm, trial.kind, trial.phase) == (evidence.reference, "request", "timed") and latency_s:
            found[trial.stratum].append(latency_s)
    medians = {stratum: median(each) for stratum, each in found.items()}

    def beyond(delay_s: float) -> float:
        logs = {stratum: log_ratio(each, each + delay_s) for stratum, each in medians.items()}
        return _averaged(run, logs) - log_ratio(1.0, 1.0 + slow_down)

    return float(optimize.brentq(beyond, 0.0, 2 * slow_down * max(medians.values())))


def planted(run: Run, device: str, dose: str = HOST_DOSE) -> float:
    """By how much the arm `dose` was really slowed, as a share: medians of each kind, averaged as effects are."""
    evidence = Evidence(run, device)
    found: dict[str, list[float]] = defaultdict(list)
    for before, after in evidence.pairs("latency", evidence.reference, dose, "request"):
        dose_s, latency_s = after.values.get("dose"), before.values.get("latency")
        if dose_s and latency_s:
            found[before.stratum].append(log_ratio(latency_s, latency_s + dose_s))
    if not found:
        message = f"{device}: no delay was planted"
        raise MeasureError(message)
    return change_of(_averaged(run, {stratum: median(each) for stratum, each in found.items()}))


def _averaged(run: Run, values: Mapping[str, float]) -> float:
    """The mean of values by kind of request, each by its share of the workload."""
    weights = {stratum: run.plan.strata[stratum] for stratum in values}
    return sum(weights[stratum] * value for stratum, value in values.items()) / sum(weights.values())


def is_called_slower(run: Run, device: str) -> bool:
    """Whether the verdict on the host dose, judged as a toggle is at each look of the run, is "slower"."""
    verdict = next(_verdicts(run, device), None)
    placebos = [control.passed for control in run.controls if control.device == device and control.name == "placebo"
                and control.metric == "latency"]  # fmt: skip
    return verdict == "slower" and all(placebos)


def _verdicts(run: Run, device: str) -> Iterator[str]:
    """The verdicts of the looks at which there is one, on the host dose against the reference and its twin alike."""
    for look in (look for look in run.looks if look.device == device):
        until = replace(run, trials=tuple(trial for trial in run.trials if trial.block < look.blocks))
        evidence = Evidence(until, device)
        level = 1 - ERROR * sequential.part(look.number, run.plan.looks)
        found, twin = (_ends(evidence, of, level) for of in (evidence.reference, PLACEBO))
        if found is None or twin is None:
            continue
        verdict, _ = rules.verdict(*found, run.plan.margin["latency"], rules.TIME, twin=twin)
        if verdict != "inconclusive":
            yield verdict


def _ends(evidence: Evidence, before: str, level: float) -> rules.Ends | None:
    """The interval of the host dose against `before`, as log-ratios; None where it has none."""
    effect = evidence.effect("latency", before, HOST_DOSE, level=level, group="request")
    return None if effect is None or effect.low is None or effect.high is None else (effect.low, effect.high)
