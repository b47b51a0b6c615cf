"""`harness gate --baseline`: this checkout, measured now, against stored runs of other code on the same machine.

Now is measured the way that the stored run was, so that a process holds the same arms on both sides: a stored `harness run`
by the passes of a run, the stored run of a gate by groups of three processes. What the comparison rests on, and what it
cannot say, is docs/decisions/0017.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import runner, store, unpaired
from harness.controls import calibrated, family
from harness.designs import INSTRUMENTATION
from harness.environment import fingerprint
from harness.errors import MeasureError, RunFileError, UsageError
from harness.gate import PLANTED, STORED, Decision, decide, not_measured, suspects
from harness.gating import Confirmed, Limits, Pair, measure, scenario_in, side_of, states_of
from harness.groups import FOR_CONFIRMATION
from harness.metrics import metric
from harness.results import Finding, Run
from harness.revisions import Checkout, Revision
from harness.scenario import Scenario
from harness.session import Progress

_CONTENT = ("model", "workload", "design", "optimizations")
_MEASURED = ("metrics", "threads", "pin", "vram_limit", "instrumentation")
"""Keys of a scenario, and of its `measure`, in which a stored run must agree. Budget, margins, workers and repeats are free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A stored run, and where it was read from."""

    path: Path
    run: Run

    @property
    def code(self) -> Mapping[str, Any]:
        """The commit whose code it measured, whether that was changed, and its subject; empty where nothing is known.

        An ordinary run of code that is in no repository of its own knows of the harness alone, with which that comes as a rule.
        """
        return self._own or self.run.environment.get("git") or {}

    @property
    def _own(self) -> Mapping[str, Any]:
        """The revision of what was measured; empty where only the harness's is known."""
        environment = self.run.environment
        found: Mapping[str, Any] = environment.get("revisions", {}).get("head") or environment.get("measured_git") or {}
        return found

    @property
    def told(self) -> str:
        """The run, its code and its day, for people."""
        whose = "" if self._own else "harness at "
        commit = whose + (str(self.code.get("commit") or "")[:10] or "an unknown commit")
        changed = " with uncommitted changes" if self.code.get("dirty") else ""
        return f"stored run {self.run.id} ({commit}{changed}, {self.run.timing.get('started', 'time not known')})"


def gate(
    name: str, *, baselines: Sequence[Path], head: str | None, dirty: bool, settings: Sequence[str],
    devices: Sequence[str] | None, out: Path, progress: Progress,
) -> tuple[Decision, Path | None]:  # fmt: skip
    """Measure revision `head` (None: what is checked out) now, compare it with stored runs, and decide.

    Returns the run's folder too. Raises UsageError, naming what differs, for a stored run that this cannot be compared with.
    """
    stored = [read(path) for path in baselines]
    with Checkout(Path.cwd()) as checkout, checkout.naming_revisions():
        after = checkout.tree(dirty=dirty) if head is None else checkout.revision(head)
        scenario = scenario_in(after, checkout.top, name, settings)
        usable, skipped = runner.usable_devices(
            scenario.devices if devices is None else devices, fake=scenario.model.adapter == "fake"
        )
        limits = scenario.gated()
        refuse(stored, scenario, usable, limits)
        folder = out / store.new_run_id(f"gate-{scenario.name}")
        told = {"base": _told(stored), "head": after.told}
        try:
            with checkout.naming_revisions():
                now = _Now(scenario=scenario, head=after, pattern=stored[0].run, limits=limits)
                run, confirmed = _compare(now, stored, folder, usable, progress)
        except MeasureError as error:
            command = shlex.join(["harness", *sys.argv[1:]])
            return not_measured(scenario=scenario.name, command=command, reason=str(error), **told), None
    run = replace(run, findings=(Finding(kind=STORED, device="", message=weakness(stored)), *skipped, *run.findings))
    store.save(run, folder)
    return decide(run, confirmed=confirmed, **told), folder


def read(path: Path) -> Stored:
    """The finished run in folder `path`. Raises RunFileError where there is none."""
    run = store.load(path)
    if not run.complete:
        message = f"{path} was not finished, so that nothing can be compared with it; finish it with: harness run --resume {shlex.quote(str(path))}"
        raise RunFileError(message)
    if any(finding.kind == STORED for finding in run.findings):
        message = f"{path} is itself a comparison with a stored run; what it measured is a run of its own: name {head_run(path)}"
        raise RunFileError(message)
    return Stored(path=path, run=run)


def head_run(folder: Path) -> Path:
    """Where a gate with its run in `folder` keeps what it measured now: a run that can be a baseline later."""
    return folder / f"{folder.name}-head"


def refuse(stored: Sequence[Stored], scenario: Scenario, devices: Sequence[str], limits: Limits) -> None:
    """Raise UsageError, naming what differs, where a stored run cannot be compared with `scenario` on `devices` here."""
    for item in stored:
        faults = [
            *(list(_other_scenario(item, scenario)) or _other_settings(item, scenario, limits)),
            *_other_machine(item, scenario, devices),
            *_not_believed(item, devices, limits),
        ]
        if faults:
            message = f"{item.path} cannot be compared with: {'; '.join(faults)}"
            raise UsageError(message)
    _same_code(stored)


def _other_scenario(item: Stored, scenario: Scenario) -> Iterator[str]:
    then, now = item.run.scenario, scenario.as_data()
    for key in _CONTENT:
        yield from _differs(key, then.get(key), now.get(key))
    for key in _MEASURED:
        yield from _differs(f"measure.{key}", then.get("measure", {}).get(key), now["measure"].get(key))


def _differs(key: str, then: Any, now: Any) -> Iterator[str]:
    """In which of its keys a part of the scenario differs."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*then, *now)):
            yield from _differs(f"{key}.{name}", then.get(name), now.get(name))
    elif then != now:
        yield f"its {key} was {_value(then)}, and is {_value(now)} here"


def _value(value: Any) -> str:
    return "not set" if value is None else repr(value)


def _other_machine(item: Stored, scenario: Scenario, devices: Sequence[str]) -> Iterator[str]:
    here = runner.here(scenario)
    for device in devices:
        if device not in item.run.plan.devices:
            yield f"it was not measured on {device} (but on {', '.join(item.run.plan.devices)}; choose with --device)"
            continue
        try:
            then, now = fingerprint(item.run.environment, device), fingerprint(here, device)
        except (KeyError, TypeError, ValueError, AttributeError):
            yield "it does not say on which machine it was made"
            return
        if then.code != now.code:
            yield f"it was made on another machine for {device}: {_unlike(then.description, now.description)}"


def _unlike(then: str, now: str) -> str:
    """In which of their parts two descriptions of a machine differ."""
    sides = then.split(", "), now.split(", ")
    had, have = (", ".join(part for part in sides[i] if part not in sides[1 - i]) for i in (0, 1))
    return f"it had {had or 'less'}, here is {have or 'less'}"


def _other_settings(item: Stored, scenario: Scenario, limits: Limits) -> Iterator[str]:
    for setting in limits:
        if unpaired.arm_of(item.run, states_of(scenario, setting)) is None:
            yield f"it did not measure the setting {setting}, which is gated here"
    if item.run.plan.limits and item.run.plan.limits.keys() != limits.keys():
        yield f"it gated the settings {', '.join(item.run.plan.limits)}, and gated are {', '.join(limits)} here"


def _not_believed(item: Stored, devices: Sequence[str], limits: Limits) -> Iterator[str]:
    """Controls that vouch for a gated metric and did not pass, and a delay that was planted."""
    if any(finding.kind == PLANTED for finding in item.run.findings):
        yield "a delay was planted in it (harness calibrate --gate --confirm)"
    gated = {name for found in limits.values() for name in found}
    for device in devices:
        missing = item.run.unavailable.get(device, {})
        outcomes = [c for c in item.run.controls if c.device == device and c.name not in INSTRUMENTATION]
        passed = calibrated(outcomes)
        for part in sorted({family(name) for name in gated - missing.keys()}):
            if not passed[part]:
                failed = next((c for c in outcomes if not c.passed and family(c.metric) in (part, "latency")), None)
                told = f"control {failed.name} failed, {failed.reason}" if failed else "it has no controls"
                yield f"it is not calibrated for {part} on {device}: {told}"


def _same_code(stored: Sequence[Stored]) -> None:
    """Several stored runs show how far runs of the same code lie apart, so that it must be the same."""
    if len(stored) == 1:
        return
    if len({item.run.id for item in stored}) < len(stored):
        message = "a stored run is named twice; several runs show how far the machine moves between them"
        raise UsageError(message)
    if bool(stored[0].run.plan.limits) != all(item.run.plan.limits for item in stored):
        message = "the stored runs were measured in two ways, by `harness run` and by `harness gate`; name those of one"
        raise UsageError(message)
    measured = {str(item.run.environment.get("measured", {})) for item in stored}
    commits = {item.code.get("commit") for item in stored}
    is_own = all(item.run.environment.get("measured") and "revisions" not in item.run.environment for item in stored)
    unknown = (None in commits and not is_own) or any(item.code.get("dirty") for item in stored)
    if len(measured) > 1 or len(commits) > 1 or unknown:
        told = "; ".join(item.told for item in stored)
        message = f"several stored runs must be of the same code, without uncommitted changes: {told}"
        raise UsageError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """What is measured now, and the stored run that says how."""

    scenario: Scenario
    head: Revision
    pattern: Run
    limits: Limits

    def measure(self, folder: Path, devices: Sequence[str], progress: Progress, share: float) -> Run:
        """A new run in `folder` with `share` of the budget. Raises NothingMeasuredError."""
        if self.pattern.plan.limits:
            scenario = _with_share(self.scenario, share / (1 - FOR_CONFIRMATION))  # of which a gate keeps the rest
            pair = Pair(base=self.head, head=self.head, base_scenario=scenario, head_scenario=scenario)
            return measure(pair, self.limits, folder, devices=devices, progress=progress)[0]
        scenario = _with_share(self.scenario, share)
        return runner.run(
            scenario, folder, devices=devices, progress=progress, side=side_of(self.head, scenario),
            revisions={"head": self.head.as_data()},
        )  # fmt: skip


def _with_share(scenario: Scenario, share: float) -> Scenario:
    """The scenario with a share of its budget."""
    data = scenario.as_data()
    return Scenario.from_data({**data, "measure": {**data["measure"], "budget": share * scenario.measure.budget_s}})


def _compare(
    now: _Now, stored: Sequence[Stored], folder: Path, devices: Sequence[str], progress: Progress
) -> tuple[Run, Confirmed]:
    """Measure now, compare, and measure what looks like a regression again."""
    runs = [item.run for item in stored]
    settings = {setting: states_of(now.scenario, setting) for setting in now.limits}

    def against(part: Run) -> Run:
        return unpaired.against(part, runs, settings, now.limits)

    measured = now.measure(head_run(folder), devices, progress, 1 - FOR_CONFIRMATION)
    run = against(measured)
    base = {"name": stored[0].told, **{key: stored[0].code.get(key) for key in ("commit", "dirty", "subject")}}
    run = replace(
        run,
        id=folder.name,
        environment={**run.environment, "revisions": {"base": base, "head": now.head.as_data()}},
        timing={**run.timing, "command": shlex.join(["harness", *sys.argv[1:]])},
    )
    found = suspects(run)
    if not found:
        return run, {}
    places = list(dict.fromkeys(device for device, _, _ in found))
    again = against(now.measure(folder / f"{folder.name}-again", places, progress, FOR_CONFIRMATION))
    shown = {(c.device, c.optimization, c.metric): c.ratio for c in again.contrasts}
    return run, {key: _is_lost(key[2], shown.get(key), now.limits[key[1]][key[2]]) for key in found}


def _is_lost(name: str, ratio: float | None, limit: float) -> bool:
    """Whether an estimate lies beyond a limit."""
    worse = -1.0 if metric(name).better == "higher" else 1.0
    return ratio is not None and worse * math.log(ratio) > math.log1p(limit)


def _told(stored: Sequence[Stored]) -> str:
    more = f" and {len(stored) - 1} more of the same code" if len(stored) > 1 else ""
    return stored[0].told + more


def weakness(stored: Sequence[Stored]) -> str:
    """What a reader must know of such a comparison."""
    told = (
        "Compared with a stored run, unpaired, which is weaker than --base: what changed on this machine since then is not "
        "controlled, so that a slower machine reads as slower code. Of outputs, the number of tokens and the length of the audio "
        "are compared, and nothing else."
    )
    if len(stored) == 1:
        return (
            f"{told} One stored run does not show how far this machine moves between runs: a time counts as lost or gained only "
            f"where its whole interval lies {100 * unpaired.UNKNOWN_SHIFT:g} % beyond the limit, and a pass takes it for granted "
            "that the machine is as fast as it was."
        )
    days = sorted(str(item.run.timing.get("started", "")) for item in stored)
    return f"{told} Intervals are by how far {len(stored)} stored runs of the same code lie apart, made from {days[0]} to {days[-1]}."
