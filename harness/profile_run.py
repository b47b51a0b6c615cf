"""From a scenario to profiles: which arms, their differences, and the files of `RUN/profiles/` with their index."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from harness import designs, runner, store
from harness.errors import NothingMeasuredError, ProfileError, UsageError
from harness.ledger import Ledger
from harness.optimizations import named
from harness.passes.profile import Taken, Wanted, profile_pass
from harness.profile_files import Written, written
from harness.profiles import index as indexes
from harness.profiles.index import Index, Refusal
from harness.report.profiles import index_page
from harness.results import Arm
from harness.scenario import Scenario
from harness.session import DeviceFailedError, Progress, Session
from harness.toggling import State

BEFORE, AFTER, EACH = "before", "after", "each"
_NAMES = {BEFORE: "none", AFTER: "all"}


def arms_of(scenario: Scenario, asked: Sequence[str]) -> tuple[Arm, ...]:
    """The arms that were asked for: "before", "after", "each" toggle alone, or "NAME=on,NAME=off".

    The arm before comes first wherever there is another, because differences are from it. An arm in which one toggle alone
    is on has that toggle's name. Raises UsageError.
    """
    none = {name: toggle.before for name, toggle in scenario.optimizations.items()}
    arms: dict[str, Arm] = {}
    for name in asked or (BEFORE, AFTER):
        for states in _states(scenario, none, name):
            arm = _arm(none, states)
            arms.setdefault(arm.name, arm)
    if set(arms) != {_NAMES[BEFORE]}:
        arms = {_NAMES[BEFORE]: _arm(none, none)} | arms
    return tuple(arms.values())


def wanted(
    scenario: Scenario, arms: Sequence[str], kinds: Sequence[str], *, rounds: int, seconds: float, native: bool
) -> Wanted:
    """What was asked for on the command line; py-spy where no profiler was named. Raises UsageError."""
    for kind in kinds:
        if kind not in indexes.KINDS:
            message = f"--with {kind}: allowed are {', '.join(indexes.KINDS)}"
            raise UsageError(message)
    chosen = tuple(known for known in indexes.KINDS if known in (kinds or ("py-spy",)))
    return Wanted(arms=arms_of(scenario, arms), kinds=chosen, rounds=rounds, seconds=seconds, native=native)


def _states(scenario: Scenario, none: Mapping[str, State], wanted: str) -> Iterator[dict[str, State]]:
    after: dict[str, State] = {name: toggle.afters[0] for name, toggle in scenario.optimizations.items()}
    if wanted == BEFORE:
        yield dict(none)
    elif wanted == AFTER:
        yield after
    elif wanted == EACH:
        for name, state in after.items():
            yield {**none, name: state}
    else:
        states = dict(none)
        for part in wanted.split(","):
            name, _, switch = part.partition("=")
            if name not in none or switch not in ("on", "off"):
                message = (
                    f"--arm {wanted}: allowed are before, after, each, and NAME=on or NAME=off with commas between; "
                    f"toggles of this scenario: {', '.join(none)}"
                )
                raise UsageError(message)
            states[name] = after[name] if switch == "on" else none[name]
        _check_together(states, none, wanted)
        yield states


def _check_together(states: Mapping[str, State], none: Mapping[str, State], wanted: str) -> None:
    on = [name for name in states if states[name] != none[name]]
    for name in on:
        if clash := set(named(name).excludes) & set(on):
            message = f"--arm {wanted}: {name} cannot stand together with {', '.join(sorted(clash))}"
            raise UsageError(message)


def _arm(none: Mapping[str, State], states: Mapping[str, State]) -> Arm:
    on = [name for name in states if states[name] != none[name]]
    if not on:
        return Arm(name=_NAMES[BEFORE], role="none", states=dict(states))
    if len(on) == 1:
        return Arm(name=on[0], role="toggle", toggle=on[0], states=dict(states))
    name = _NAMES[AFTER] if len(on) == len(none) else "+".join(on)
    return Arm(name=name, role="all", states=dict(states))


def profile(
    scenario: Scenario, run_folder: Path, wanted: Wanted, *, devices: Sequence[str], progress: Progress
) -> tuple[Index, Path]:
    """Profile on each device and write `run_folder/profiles/`; what lies there of other profiles stays.

    Raises NothingMeasuredError where no profile could be made at all.
    """
    usable, skipped = runner.usable_devices(devices, fake=scenario.model.adapter == "fake")
    runner.check_model(scenario)
    for finding in skipped:
        progress.note(finding.message)
    folder = run_folder / indexes.FOLDER
    work = folder / "work"
    journal = store.Journal(folder, "work.jsonl")
    found: list[tuple[str, Taken]] = []
    try:
        for device in usable:
            taken: list[Taken] = []
            try:
                _on_device(scenario, device, journal, wanted, progress, taken)
            finally:
                found += [(device, one) for one in taken if one.told or one.failure]
    except BaseException:
        if found:
            _write(scenario, folder, found)  # what was made until now is kept
        raise
    finally:
        journal.close()
    made = _write(scenario, folder, found)
    if not made.profiles:
        message = f"no profile could be made: {'; '.join(dict.fromkeys(refusal.message for refusal in made.refusals))}"
        raise NothingMeasuredError(message)
    if not made.refusals:
        shutil.rmtree(work, ignore_errors=True)
        (folder / "work.jsonl").unlink()
    return made, folder


def _on_device(
    scenario: Scenario, device: str, journal: store.Journal, wanted: Wanted, progress: Progress, taken: list[Taken]
) -> None:
    """Profile on one device into `taken`, as it comes."""
    design = designs.Design(arms=wanted.arms, groups={}, pairs=(), reference=wanted.arms[0].name)
    session = Session(device, scenario, design, journal, Ledger(device), progress, dose=0.0)
    try:
        profile_pass(session, wanted, journal.folder / "work", taken)
    except DeviceFailedError as error:
        progress.note(f"{device}: nothing more can be profiled: {error}")
    except BaseException:
        session.stop()
        raise
    finally:
        session.close()


def _write(scenario: Scenario, folder: Path, found: Sequence[tuple[str, Taken]]) -> Index:
    """Write what each profile gave, the differences, speedscope, and the index that names them."""
    new = Index(
        scenario=scenario.name,
        command=shlex.join(["harness", *sys.argv[1:]]),
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    made: list[Written] = []
    refusals = []
    for device in dict.fromkeys(device for device, _ in found):
        for kind in dict.fromkeys(taken.kind for here, taken in found if here == device):
            some = [taken for here, taken in found if (here, taken.kind) == (device, kind)]
            refusals += [
                Refusal(device=device, arm=taken.arm.name, kind=kind, message=taken.failure)
                for taken in some
                if taken.failure
            ]
            told = [taken for taken in some if taken.told]
            try:
                made.append(written(device, kind, told, folder))
            except ProfileError as error:
                refusals += [
                    Refusal(device=device, arm=taken.arm.name, kind=kind, message=str(error)) for taken in told
                ]
    old = _old(folder)
    new = indexes.Index(
        scenario=new.scenario, command=new.command, started=new.started, refusals=tuple(refusals),
        profiles=tuple(known for part in made for known in part.profiles),
        differences=tuple(known for part in made for known in part.differences),
    )  # fmt: skip
    whole = indexes.merged(old, new)
    if any(known.link for known in whole.profiles):
        _put_speedscope(folder / indexes.SPEEDSCOPE)
    (folder / indexes.INDEX_FILE).write_text(indexes.dump(whole), encoding="utf-8")
    (folder / indexes.INDEX_PAGE).write_text(index_page(whole), encoding="utf-8")
    return new


def _old(folder: Path) -> Index | None:
    path = folder / indexes.INDEX_FILE
    return indexes.read(path.read_bytes()) if path.exists() else None


def _put_speedscope(folder: Path) -> None:
    """Put speedscope there, whole, with its licences, so that profiles open from a file and without a network."""
    folder.mkdir(exist_ok=True)
    for item in files("harness.report").joinpath("vendor", "speedscope").iterdir():
        (folder / item.name).write_bytes(item.read_bytes())
