"""From a scenario to a Run: plan, measure every device, save as you go, compare."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import adapters, calibrations, ceilings, compare, interpreter, plugins, sequential, store, workload
from harness.declaring import declared
from harness.designs import Design, Toggle, design, times_device
from harness.environment import differences, environment, gpus, other_cards
from harness.errors import CalibrationError, CheckpointError, NothingMeasuredError, UsageError
from harness.ledger import Ledger
from harness.measured import digests, revision
from harness.optimizations import named
from harness.optimizations.declared import Declared, card_of
from harness.optimizations.process import options_of
from harness.passes import (
    examination_pass,
    first_cycle,
    first_pass,
    latency_pass,
    memory_pass,
    micro_pass,
    process_pass,
)
from harness.processes import OUTPUT_IN, Side, worker_environment
from harness.results import Arm, Calibrated, Ceilings, Finding, Plan, Run
from harness.rules import DOSE_IN_MARGINS
from harness.scenario import Scenario
from harness.scenario import Toggle as ToggleStates
from harness.session import DeviceFailedError, Progress, Session, TimeIsUpError, alone_of
from harness.worker import OLDEST_PYTHON

PASSES = (examination_pass, latency_pass, process_pass, first_pass, micro_pass, memory_pass)


def run(
    scenario: Scenario, folder: Path, *, devices: Sequence[str], progress: Progress, limit_s: float | None = None,
    dose: float | None = None, known: calibrations.Shelf | None = None, side: Side | None = None,
    revisions: Mapping[str, Any] | None = None,
) -> Run:  # fmt: skip
    """Measure `scenario` on `devices` into the new folder `folder`. What was measured is kept whatever happens.

    With `limit_s`, stop after the step in which this call has lasted that long: the Run is then not `complete`, and
    `resume` goes on. A dose is `dose` of the reference's latency long, by default twice the margin. What `known`, where
    calibrations are kept, says of a run like this one is kept in the run. Workers run the code of `side`, by default what is
    imported here; the run keeps `revisions`, what is known of that code.

    Raises NothingMeasuredError where no device could be measured at all, and KeyboardInterrupt after saving.
    """
    usable, skipped = usable_devices(devices, fake=scenario.model.adapter == "fake")
    check_model(scenario)
    if warning := _warning(scenario):
        progress.note(warning)
    with declared(scenario, side):
        return _begin(scenario, folder, usable, skipped, progress, limit_s, dose, known, side, revisions)


def _begin(
    scenario: Scenario, folder: Path, usable: Sequence[str], skipped: Sequence[Finding], progress: Progress,
    limit_s: float | None, dose: float | None, known: calibrations.Shelf | None, side: Side | None,
    revisions: Mapping[str, Any] | None,
) -> Run:  # fmt: skip
    """Write what is going to be measured, and measure it."""
    plan = plan_of(scenario, usable, dose)
    journal = store.Journal(folder)
    around = here(scenario)
    run_event = {
        "id": folder.name,
        "scenario": scenario.as_data(),
        "environment": {**around, **({"revisions": revisions} if revisions else {})},
        "plan": asdict(plan),
        "calibrations": [asdict(found) for found in _calibrations(scenario, usable, around, known, progress)],
        "ceilings": [asdict(found) for found in _ceilings(usable, around, known, progress)],
        "optimizations": {name: _card(name, toggle) for name, toggle in scenario.optimizations.items()}
        if plan.pairs
        else {},
        "timing": {"started": _now(), "command": shlex.join(["harness", *sys.argv[1:]])},
    }
    journal.append("run", run_event)
    for finding in skipped:
        journal.append("finding", asdict(finding))
        progress.note(finding.message)
    return _measure(scenario, plan, journal, progress, limit_s, side)


def resume(folder: Path, progress: Progress, limit_s: float | None = None) -> Run:
    """Go on with a run that was killed, interrupted or is one part of several.

    Raises UsageError for a complete one, and for that of a gate, whose code was checked out for it and is there no more.
    """
    if not (folder / store.JOURNAL).exists():
        known = store.load(folder)
        message = f"{folder} is complete ({sum(not contrast.stratum for contrast in known.contrasts)} contrasts); there is nothing to resume"
        raise UsageError(message)
    stored = store.run_from_journal(folder)
    if "revisions" in stored.environment:
        message = (
            f"{folder} is of a gate, which cannot go on: its revisions are checked out no more; start the gate anew"
        )
        raise UsageError(message)
    scenario = Scenario.from_data(stored.scenario)
    now = here(scenario)
    before, after = (found.get("measured", {}) for found in (stored.environment, now))
    other = sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    if other:
        message = f"what {folder} measures has changed since it was begun ({', '.join(other)}): begin anew, so that no figure is of two codes"
        raise UsageError(message)
    journal = store.Journal(folder)
    changed = [*differences(stored.environment, now), *other_cards(stored.environment, now)]
    if changed:
        message = f"This run was resumed where not everything was as before: {'; '.join(changed)}."
        journal.append("finding", asdict(Finding(kind="resumed", device="", message=message)))
        progress.note(message)
    with declared(scenario):
        return _measure(scenario, stored.plan, journal, progress, limit_s)


def here(scenario: Scenario) -> dict[str, Any]:
    """The environment in which runs of a scenario are made on this machine, now, and which code is measured."""
    around = environment(threads=scenario.measure.threads, seed=_seed(scenario))
    measured = digests(scenario)
    found = {"measured": measured, "measured_git": revision(scenario)}
    return {**around, **{key: value for key, value in found.items() if value}}


def check_model(scenario: Scenario) -> None:
    """Refuse a model that can be seen to be unusable before anything is started, and an interpreter that cannot run it.

    The adapter of a package is its code, and asked in a child process (`declaring`). Raises ScenarioError, or UsageError.
    """
    for name, message in unswitchable(scenario):
        raise scenario.error(message, ("optimizations", name))
    if scenario.model.adapter not in adapters.ADAPTERS:
        return
    try:
        adapters.adapter(scenario.model.adapter).check(scenario.options())
    except CheckpointError as error:
        raise scenario.error(str(error), ("model", "weights")) from None
    alone, adapter = alone_of(scenario), adapters.portable(scenario.model.adapter)
    if alone is not None and not alone.whole and plugins.preparation(scenario.as_data()) is not None:
        message = f"the adapter {scenario.model.adapter} runs without this project, which toggles of plug-ins need; leave them out"
        raise scenario.error(message, ("plugins",) if scenario.plugins else ("optimizations",))
    if alone is not None and alone.python is not None:
        needs, oldest = ((), interpreter.OLDEST_WHOLE) if adapter is None else (adapter.needs, OLDEST_PYTHON)
        try:
            environment = worker_environment(scenario.measure.threads, foreign=True)
            interpreter.check(alone.python, needs, environment, oldest)
            data = scenario.as_data()
            if alone.whole and (packages := plugins.packages_of(data)):
                folder = str(plugins.folder_of(data) or "")
                interpreter.check_toggles(alone.python, plugins.TOGGLES, packages, folder, environment)
        except UsageError as error:
            raise scenario.error(str(error), ("model", "python")) from None


def unswitchable(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Toggles that load the model with an option which the scenario's adapter does not have, each with a message."""
    known = adapters.switches(scenario.model.adapter)
    for name, toggle in scenario.optimizations.items():
        wanted = {option for state in (toggle.before, *toggle.afters) for option in options_of({name: state})}
        if lacking := sorted(wanted - set(known)):
            able = [one for one in adapters.ADAPTERS if wanted <= set(adapters.switches(one))]
            told = f"the adapter {scenario.model.adapter} cannot be loaded with {', '.join(lacking)}, which this toggle sets"
            yield name, f"{told}; {', '.join(able)} can"


def _warning(scenario: Scenario) -> str:
    """What is said before code runs that is not ours."""
    named_code = plugins.preparation(scenario.as_data()) is not None
    return adapters.warning(scenario.model.adapter) or (plugins.WARNING if named_code else "")


def usable_devices(wanted: Sequence[str], *, fake: bool) -> tuple[tuple[str, ...], list[Finding]]:
    """Those of the wanted devices that this machine has, and a finding for each that it lacks."""
    cards = len(gpus())
    usable, skipped = [], []
    for device in wanted:
        name = "cuda:0" if device == "cuda" else device
        if name == "cpu" or fake or int(name.partition(":")[2]) < cards:
            usable.append(name)
        else:
            message = f"{device} was skipped: the driver of this machine reports {cards or 'no'} NVIDIA GPU(s)"
            skipped.append(Finding(kind="skipped", device=name, message=message))
    if not usable:
        message = f"none of the devices is here: {', '.join(wanted)} (the driver of this machine reports {cards or 'no'} NVIDIA GPU(s)); try --device cpu"
        raise UsageError(message)
    return tuple(dict.fromkeys(usable)), skipped


def _measure(
    scenario: Scenario, plan: Plan, journal: store.Journal, progress: Progress, limit_s: float | None,
    side: Side | None = None,
) -> Run:  # fmt: skip
    past = list(store.read_journal(journal.folder))
    deadline_s = None if limit_s is None else time.monotonic() + limit_s
    sessions = [_session(device, scenario, journal, past, progress, _dose(scenario, plan)) for device in plan.devices]
    for session in sessions:
        session.deadline_s = deadline_s
        session.sides = {} if side is None else {arm.name: side for arm in session.design.arms}
    return carry_out(sessions, _pass_by_pass, journal, progress)


def _pass_by_pass(session: Session) -> None:
    for measure in PASSES:
        if session.design.pairs and not any(session.alive(arms) == arms for _, *arms in session.design.pairs):
            return  # nothing is left that could be compared, and no reference of anything
        measure(session)


def carry_out(
    sessions: Sequence[Session], measure: Callable[[Session], None], journal: store.Journal, progress: Progress
) -> Run:
    """Measure one device after the other, and evaluate and save what there is, whatever happens.

    Raises NothingMeasuredError where nothing can be compared.
    """
    try:
        for session in sessions:
            try:
                measure(session)
            except DeviceFailedError as error:
                progress.note(f"{session.device}: nothing more can be measured: {error}")
            except BaseException:
                session.stop()
                raise
            finally:
                session.close()
        journal.append("complete", {"finished": _now()})
    except TimeIsUpError:
        pass
    finally:
        journal.close()
        result = compare.evaluate(store.run_from_journal(journal.folder))
        store.save(result, journal.folder)
    if result.complete and not _is_anything_measured(result):
        told = dict.fromkeys(failure.message.partition(OUTPUT_IN)[0] for failure in result.failures)
        whole = [one for one in told if not any(other != one and other.startswith(one) for other in told)]
        reasons = dict.fromkeys(contrast.reason for contrast in result.contrasts if contrast.reason)
        why = "; ".join(whole) or "; ".join(reasons) or "no block was completed"
        message = f"nothing could be compared: {why}; the logs of the processes lie in {journal.folder / 'work'}"
        raise NothingMeasuredError(message)
    return result


def _session(
    device: str,
    scenario: Scenario,
    journal: store.Journal,
    past: Sequence[Mapping[str, Any]],
    progress: Progress,
    dose: float,
) -> Session:
    ledger = Ledger(device)
    for event in past:
        ledger.note(event["is"], event)
    return Session(device, scenario, design_of(scenario, device), journal, ledger, progress, dose=dose)


def design_of(scenario: Scenario, device: str) -> Design:
    """The arms, groups and pairs of a scenario on one device. Raises ScenarioError where it has nothing to compare."""
    if not scenario.optimizations and scenario.design != "controls":
        message = (
            "there is nothing to compare; list at least one, or measure the code alone, beside its controls, with "
            "`--set design=controls` (`harness gate` compares revisions, and needs none)"
        )
        raise scenario.error(message, ("optimizations",))
    toggles = [
        Toggle(name=name, before=toggle.before, after=toggle.afters[0], further=toggle.afters[1:])
        for name, toggle in scenario.optimizations.items()
    ]
    dosed = times_device(device, scenario.workload.concurrency)
    return design(scenario.design, toggles, device_dose=dosed, instrumentation=scenario.measure.instrumentation)


def plan_of(scenario: Scenario, devices: Sequence[str], dose: float | None = None) -> Plan:
    """What a run of the scenario on `devices` is going to measure."""
    widest = design_of(scenario, next((device for device in devices if device != "cpu"), "cpu"))
    measure = scenario.measure
    return Plan(
        devices=tuple(devices),
        arms=tuple(Arm(name=a.name, role=a.role, toggle=a.toggle, states=dict(a.states)) for a in widest.arms),
        groups=widest.groups,
        pairs=widest.pairs,
        requests=tuple(workload.request(scenario, index).id for index in range(first_cycle(scenario))),
        strata=workload.strata(scenario),
        concurrency=workload.concurrency(scenario),
        workers=measure.workers,
        budget_s=measure.budget_s,
        margin={name: measure.margin_of(name) for name in dict.fromkeys(("latency", *measure.metrics))},
        looks=() if widest.joint else sequential.LOOKS,
        dose=DOSE_IN_MARGINS * measure.margin_of("latency") if dose is None else dose,
        joint=widest.joint,
        orders=widest.orders,
        prompt_s=workload.prompt_s(scenario),
    )


def _dose(scenario: Scenario, plan: Plan) -> float:
    return DOSE_IN_MARGINS * scenario.measure.margin_of("latency") if plan.dose is None else plan.dose


def _calibrations(
    scenario: Scenario,
    devices: Sequence[str],
    around: Mapping[str, Any],
    known: calibrations.Shelf | None,
    progress: Progress,
) -> Iterator[Calibrated]:
    """What is known beforehand of runs like this one; a calibration that cannot be read is told, and does without."""
    if known is None or scenario.design == "controls":
        return
    for device in devices:
        if design_of(scenario, device).of_process:
            continue  # a calibration is of arms that share a process
        try:
            found = known.find(scenario, device, around)
            if found is not None:
                yield calibrations.applied(found, scenario, design_of(scenario, device))
        except CalibrationError as error:
            progress.note(str(error))


def _ceilings(
    devices: Sequence[str], around: Mapping[str, Any], known: calibrations.Shelf | None, progress: Progress
) -> Iterator[Ceilings]:
    """What is known of the limits of the devices, and of the host, on which parts of a model run whatever the device."""
    if known is None:
        return
    for device in dict.fromkeys((*devices, "cpu")):
        try:
            found = ceilings.shelf(known.folder).find(around, device)
            if found is not None:
                yield found
        except CalibrationError as error:
            progress.note(str(error))


def _is_anything_measured(run: Run) -> bool:
    """Whether something can be compared; where nothing is to be, whether anything was timed."""
    if not run.plan.pairs:
        return any(trial.phase == "timed" for trial in run.trials)
    return any(contrast.ratio is not None for contrast in run.contrasts)


def _card(name: str, toggle: ToggleStates) -> dict[str, Any]:
    """What the report says of a toggle, taken from its file."""
    known = named(name)
    if isinstance(known, Declared):
        return dict(known.card)
    return card_of(known, [{} if isinstance(state, bool) else state for state in (toggle.before, *toggle.afters)])


def _seed(scenario: Scenario) -> int:
    return int(scenario.options().get("seed", 0))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
