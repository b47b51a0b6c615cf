"""Measuring two revisions against each other for a gate: a Run whose arms are settings of toggles in base and head."""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import compare, gate_calibration, sequential, store, units, workload
from harness.calibrations import Shelf
from harness.declaring import declared
from harness.designs import CONFIRMATION, HEAD_DOSE, HOST_DOSE, PLACEBO, Design
from harness.environment import environment
from harness.errors import MeasureError, UsageError, nearest
from harness.evidence import Evidence
from harness.gate import PLANTED, Decision, decide, not_measured, suspects
from harness.ledger import Ledger
from harness.metrics import EXACT, metric
from harness.passes import confirmation_pass, first_cycle, memory_pass, pair_pass, revisions_pass
from harness.processes import Side
from harness.results import Arm, Finding, Plan, Run
from harness.revisions import Checkout, Revision, refuse_hidden_changes, with_interpreters
from harness.runner import carry_out, unswitchable, usable_devices
from harness.scenario import Scenario, load, shipped
from harness.session import Progress, Session
from harness.toggling import State

Limits = Mapping[str, Mapping[str, float]]
"""Setting of the toggles (`none`, `all`, or a toggle's name) -> metric -> the largest loss that passes."""
Confirmed = Mapping[tuple[str, str, str], bool]
"""(device, setting, metric) of what looked like a regression -> whether fresh processes showed it again."""
_PLANTED = "A delay of {delay} was planted in each request of the head, to see whether a gate finds it: this is no judgement of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two revisions and the scenario as each of them has it."""

    base: Revision
    head: Revision
    base_scenario: Scenario
    head_scenario: Scenario


def gate(
    name: str, *, base: str, head: str | None, dirty: bool, settings: Sequence[str], devices: Sequence[str] | None,
    out: Path, progress: Progress, known: Shelf | None = None,
) -> tuple[Decision, Path | None]:  # fmt: skip
    """Measure revision `base` against `head` (None: what is checked out), and decide. Returns the run's folder too.

    What `known`, where calibrations are kept, says of a gate like this one is kept in the run.

    Raises UsageError for a revision or a scenario that cannot be read. What could not be measured is a decision, without a
    folder where there is no run.
    """
    if dirty and head is not None:
        message = "--dirty judges the tree as it stands, and --head a revision: give one of them"
        raise UsageError(message)
    with Checkout(Path.cwd()) as checkout, checkout.naming_revisions():
        command = shlex.join(["harness", *sys.argv[1:]])
        try:
            before, after = (
                checkout.revision(base),
                checkout.tree(dirty=dirty) if head is None else checkout.revision(head),
            )
        except MeasureError as error:
            told = {"base": base, "head": head or "HEAD"}
            return not_measured(scenario=Path(name).stem, command=command, reason=str(error), **told), None
        refuse_hidden_changes(before, after, checkout.top)
        scenarios = [scenario_in(revision, checkout.top, name, settings) for revision in (before, after)]
        if any("init" in limits for limits in scenarios[1].gated().values()):
            message = (
                "a gate of two revisions times requests; name other metrics, or compare with a stored run (--baseline)"
            )
            raise scenarios[1].error(message, ("gate", "init"))
        told = {"base": before.told, "head": after.told}
        folder = out / store.new_run_id(f"gate-{scenarios[1].name}")
        try:
            with checkout.naming_revisions():
                before, after = with_interpreters(before, after, progress.note)
                pair = Pair(base=before, head=after, base_scenario=scenarios[0], head_scenario=scenarios[1])
                wanted = scenarios[1].devices if devices is None else devices
                run, confirmed = measure(
                    pair, scenarios[1].gated(), folder, devices=wanted, progress=progress, known=known
                )
        except MeasureError as error:
            return not_measured(scenario=scenarios[1].name, command=command, reason=str(error), **told), None
    return decide(run, confirmed=confirmed, **told), folder


def measure_itself(
    name: str,
    *,
    settings: Sequence[str],
    devices: Sequence[str] | None,
    out: Path,
    progress: Progress,
    dose_s: float = 0.0,
) -> tuple[Run, Confirmed, Path, Scenario]:
    """Measure the commit that is checked out against itself, in the setting that is gated first and by latency alone.

    For the whole budget, and nothing is confirmed; or with `dose_s` as a gate is, against a head whose every request takes
    that much longer. Raises UsageError for a scenario that cannot be read or gates no latency, and MeasureError.
    """
    with Checkout(Path.cwd()) as checkout, checkout.naming_revisions():
        both = checkout.tree(dirty=False)
        scenario = scenario_in(both, checkout.top, name, settings)
        limits = gate_calibration.latency_limit(scenario)
        before, after = with_interpreters(both, both, progress.note)
        pair = Pair(base=before, head=after, base_scenario=scenario, head_scenario=scenario)
        folder = out / store.new_run_id(f"{scenario.name[:50]}-gate-{'confirmation' if dose_s else 'calibration'}")
        wanted = scenario.devices if devices is None else devices
        run, confirmed = measure(pair, limits, folder, devices=wanted, progress=progress, is_itself=True, dose_s=dose_s)
    return run, confirmed, folder, scenario


def scenario_in(revision: Revision, top: Path, name_or_path: str, settings: Sequence[str]) -> Scenario:
    """The scenario of that name or path as `revision` has it; `top` is the repository. Raises UsageError where it has none.

    A shipped scenario that the repository does not hold is the same for both revisions.
    """
    path = Path(name_or_path)
    inside = Path("scenarios") / f"{name_or_path}.yaml" if name_or_path in shipped() else _within(path, top)
    if inside is None or (name_or_path in shipped() and not (top / inside).exists()):
        return load(name_or_path, settings)
    there = revision.folder / inside
    if not there.is_file():
        beside = [str(inside.parent / file.name) for file in there.parent.glob("*.y*ml")]
        hint = nearest(name_or_path, [*shipped(), *beside])
        message = f"the scenario {inside} is missing in {revision.told}; a gate needs it in both revisions{hint}"
        raise UsageError(message)
    return load(str(there), settings)


def _within(path: Path, top: Path) -> Path | None:
    """`path` relative to the repository, whatever folder the caller stands in; None where it lies elsewhere."""
    try:
        return path.absolute().resolve().relative_to(top.resolve())
    except ValueError:
        return None


def measure(
    pair: Pair, limits: Limits, folder: Path, *, devices: Sequence[str], progress: Progress, known: Shelf | None = None,
    is_itself: bool = False, dose_s: float = 0.0,
) -> tuple[Run, Confirmed]:  # fmt: skip
    """Measure both revisions into the new folder `folder`, and confirm what looks like a regression.

    Of one that `is_itself` the other, measure to the end of the budget and confirm nothing; unless its head is delayed by `dose_s`.
    Raises NothingMeasuredError where no device could be measured.
    """
    scenario = pair.head_scenario
    check(scenario, limits)
    usable, skipped = usable_devices(devices, fake=scenario.model.adapter == "fake")
    with declared(scenario, side_of(pair.head, scenario)):
        return _measured(pair, limits, folder, usable, skipped, progress, known, is_itself, dose_s)


def check(scenario: Scenario, limits: Limits) -> None:
    """Refuse what a gate could not say anything about. Raises ScenarioError."""
    for name, message in unswitchable(scenario):
        raise scenario.error(message, ("optimizations", name))
    if not scenario.peaks_are_exact and any(found.get(EXACT) == 0 for found in limits.values()):
        message = "found '0%', which no interval can show of requests at the same moment: their peak is a matter of which of their stages meet"
        raise scenario.error(message, ("gate", EXACT))


def _measured(
    pair: Pair, limits: Limits, folder: Path, usable: Sequence[str], skipped: Sequence[Finding], progress: Progress,
    known: Shelf | None, is_itself: bool, dose_s: float,  # noqa: FBT001  one fact of two values
) -> tuple[Run, Confirmed]:  # fmt: skip
    """Measure, and confirm what looks like a regression, once it is known what the toggles are."""
    scenario = pair.head_scenario
    design = _design(scenario, limits, is_dosed=dose_s > 0)
    plan, around = _plan(scenario, limits, usable, design), environment(threads=scenario.measure.threads, seed=0)
    journal = store.Journal(folder)
    journal.append("run", {
        "id": folder.name, "scenario": scenario.as_data(), "optimizations": {}, "plan": asdict(plan),
        "calibrations": [asdict(item) for item in gate_calibration.known_of(known, scenario, limits, usable, around, progress)],
        "environment": {**around, "revisions": {"base": pair.base.as_data(), "head": pair.head.as_data()}},
        "timing": {"started": _now(), "command": shlex.join(["harness", *sys.argv[1:]])},
    })  # fmt: skip
    told = [] if is_itself else _differences(pair)
    if dose_s:
        told = [Finding(kind=PLANTED, device="", message=_PLANTED.format(delay=units.seconds(dose_s)))]
    for finding in (*skipped, *told):
        journal.append("finding", asdict(finding))
        progress.note(finding.message)
    confirmed: dict[tuple[str, str, str], bool] = {}
    sides = _sides(pair, design)
    sessions = [
        Session(device, scenario, design, journal, Ledger(device), progress, sides, dose=0.0) for device in plan.devices
    ]

    def work(session: Session) -> None:
        revisions_pass(session)
        pair_pass(session, to_the_end=is_itself and not dose_s, dose_s=dose_s)
        if dose_s or not is_itself:
            confirmed.update(_confirm(session, limits, dose_s))
        if any(metric(name).is_memory for found in limits.values() for name in found):
            memory_pass(session)

    run = carry_out(sessions, work, journal, progress)
    return run, confirmed


def _confirm(session: Session, limits: Limits, dose_s: float) -> Confirmed:
    """Measure again, with fresh processes, what by now is beyond its limit, and say whether it is so again."""
    run = compare.evaluate(store.run_from_journal(session.journal.folder))
    suspected = [key for key in suspects(run) if key[0] == session.device]
    if not suspected:
        return {}
    confirmation_pass(session, dose_s=dose_s)
    evidence = Evidence(store.run_from_journal(session.journal.folder), session.device)
    sides = {setting: (before, after) for setting, before, after in session.design.pairs}
    found = {}
    for device, setting, name in suspected:
        again = evidence.effect(name, *sides[setting], group=CONFIRMATION)
        worse = -1.0 if metric(name).better == "higher" else 1.0
        found[device, setting, name] = again is not None and worse * again.location > math.log1p(limits[setting][name])
    return found


def _design(scenario: Scenario, limits: Limits, *, is_dosed: bool = False) -> Design:
    """The arms of both sides in every setting; the head of the only one `is_dosed` where it is delayed."""
    arms = [
        Arm(name=HEAD_DOSE if is_dosed and side == "head" else f"{setting}@{side}",
            role="none" if (setting, side) == (next(iter(limits)), "base") else "toggle",
            states=states_of(scenario, setting))
        for setting in limits
        for side in ("base", "head")
    ]  # fmt: skip
    placebo = Arm(name=PLACEBO, role="placebo", states=arms[0].states)
    names = [arm.name for arm in arms]
    pairs = tuple(zip(limits, names[::2], names[1::2], strict=True))
    everyone = tuple(arm.name for arm in (*arms, placebo))
    dose = Arm(name=HOST_DOSE, role="dose", states=arms[0].states)  # of memory alone
    return Design(
        arms=(*arms, placebo, dose),
        groups={"request": everyone, CONFIRMATION: everyone},
        pairs=pairs,
        reference=arms[0].name,
    )


def states_of(scenario: Scenario, setting: str) -> Mapping[str, State]:
    """The toggles of a setting: all before, all after, or one of them after."""
    return {
        name: toggle.afters[0] if setting in ("all", name) else toggle.before
        for name, toggle in scenario.optimizations.items()
    }


def _plan(scenario: Scenario, limits: Limits, devices: Sequence[str], design: Design) -> Plan:
    measure = scenario.measure
    general = next(iter(limits.values()))
    return Plan(
        devices=tuple(devices), arms=design.arms, groups=design.groups, pairs=design.pairs,
        requests=tuple(workload.request(scenario, index).id for index in range(first_cycle(scenario))),
        strata=workload.strata(scenario), concurrency=workload.concurrency(scenario), workers=measure.workers,
        budget_s=measure.budget_s, margin={"latency": measure.margin_of("latency"), **general}, looks=sequential.LOOKS,
        limits=limits,
    )  # fmt: skip


def _sides(pair: Pair, design: Design) -> Mapping[str, Side]:
    """Which code each arm runs. Both speak the head's workload, each with the model that its own revision names."""
    common = {
        key: pair.head_scenario.as_data()[key] for key in ("workload", "measure", "optimizations", "devices", "design")
    }
    base, head = side_of(pair.base, pair.base_scenario, **common), side_of(pair.head, pair.head_scenario, **common)
    return {arm.name: head if arm.name.endswith("@head") else base for arm in design.arms}


def side_of(revision: Revision, scenario: Scenario, **keys: object) -> Side:
    """What runs the code of a revision, with its own scenario but for `keys`."""
    return Side(
        python=revision.python,
        paths=tuple(str(path) for path in (revision.folder, revision.folder / "src") if path.is_dir()),
        scenario={**scenario.as_data(), **keys},
        revision=revision.before_paths,
    )


def _differences(pair: Pair) -> list[Finding]:
    """What differs between the two scenarios beside the code, in words; nothing of one scenario, which a stored baseline measures twice."""
    if pair.base_scenario is pair.head_scenario:
        return []
    base, head = pair.base_scenario.as_data(), pair.head_scenario.as_data()
    told = []
    if pair.base.commit == pair.head.commit and not pair.head.dirty:
        told.append(f"Base and head are one commit ({pair.head.commit[:10]}): the code was compared with itself.")
    if base["file"] == head["file"]:
        told.append("The scenario is not in this repository: both revisions have the same one.")
    changed = sorted(key for key in head if key not in ("file", "description") and base.get(key) != head[key])
    if changed:
        told.append(
            f"The scenario itself differs between the revisions ({', '.join(changed)}): the model is each one's own, all "
            "else the head's, limits included."
        )
    return [Finding(kind="scenario", device="", message=message) for message in told]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
