"""Measuring one device: workers, and what happens when one of them dies.

A worker that dies took one arm with it. That arm is tried once more alone, in a fresh worker; if it dies again it has
failed, and a fresh worker goes on with the others. An arm that only dies in company has failed after `MAX_DEATHS`.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from harness import adapters, plugins, sequential, workload
from harness.adapters.base import SHARED
from harness.designs import CONTROLS, HOST_DOSE, Design
from harness.errors import MeasureError, UsageError, WorkerError
from harness.ledger import Ledger
from harness.nvml import Card, Sampler
from harness.optimizations.process import (
    as_told,
    of_process,
    options_of,
    options_with,
    process_states,
    starts_of,
    within_process,
)
from harness.processes import Alone, Side, WorkerProcess
from harness.results import Arm, Pass
from harness.scenario import Scenario
from harness.store import Journal
from harness.toggling import State
from harness.units import size
from harness.wire import Wire
from harness.worker.vram import NON_TORCH

CONTROLS_PART = 0.25
"""Of the measuring time, the least that arms get that share a process: the controls are among them."""
MAX_DEATHS = 3
MAX_DEATHS_WITHOUT_ARM = 2

Result = TypeVar("Result")


class Progress(Protocol):
    """Told what is going on: `share` is how much of this device's work is done, `left_s` what the rest may take."""

    def update(self, device: str, doing: str, share: float, left_s: float | None) -> None: ...

    def note(self, message: str) -> None: ...


class DeviceFailedError(MeasureError):
    """Nothing more can be measured on this device: its reference arm, or the model itself, does not run."""


class TimeIsUpError(MeasureError):
    """A part of a run is over; what is left is for `--resume`."""


class Session:
    """One device of one run: what to measure, what is done, and the workers that do it.

    `dose` is the length of a dose, as a share of the reference's latency.
    """

    def __init__(
        self, device: str, scenario: Scenario, design: Design, journal: Journal, ledger: Ledger, progress: Progress,
        sides: Mapping[str, Side] | None = None, *, dose: float,
    ) -> None:  # fmt: skip
        self.device = device
        self.scenario = scenario
        self.design = design
        self.journal = journal
        self.ledger = ledger
        self.progress = progress
        self.sides = sides or {}
        self.dose = dose
        alone = alone_of(scenario) is not None
        self.wire = Wire(scenario, journal.folder / "work" / SHARED / "prompts" if alone else None)
        self.deadline_s: float | None = None
        self._checked_s: float | None = None
        self._longest_step_s = 0.0
        self.startup_s = 0.0
        self._lock = threading.RLock()
        self._live: set[WorkerProcess] = set()
        self._stopping = False
        self._sampler: Sampler | None = None

    @property
    def limit_s(self) -> float:
        """Silence of a worker after which it counts as hung: one request may be preceded by an untimed one.

        Requests at the same moment may take as long as one after the other.
        """
        return 2 * self.scenario.measure.time_limit_s * max(self.scenario.workload.concurrency)

    @property
    def looks(self) -> tuple[float, ...]:
        """Shares of the budget at which the run looks; none where no arm can drop out of the blocks (decision 25)."""
        return () if self.design.joint else sequential.LOOKS

    @property
    def shared_budget_s(self) -> float:
        """Measuring time of arms that share a process: their part of the comparisons, or where none of these is between such arms, what
        the controls need.
        """
        whole, apart = len(self.design.pairs), len(self.design.of_process)
        share = 1.0 if not apart else max(CONTROLS_PART, (whole - apart) / whole)
        return share * self.scenario.measure.budget_s

    @property
    def fake(self) -> bool:
        return self.scenario.model.adapter == "fake"

    @property
    def pins(self) -> bool:
        """Whether a latency worker keeps to the core that it finds least disturbed: where the scenario says so."""
        return self.scenario.measure.pin and not self.fake

    def alive(self, arms: Sequence[str]) -> list[str]:
        """Those of `arms` that have not failed and that the target can take."""
        toggles = {arm.name: arm.toggle for arm in self.design.arms}
        refused = self.ledger.not_applicable
        return [arm for arm in arms if arm not in self.ledger.failed and toggles[arm] not in refused]

    def arms(self, *, controls: bool) -> list[str]:
        """All arms that have not failed, with or without the controls."""
        return self.alive([arm.name for arm in self.design.arms if controls or arm.name not in CONTROLS])

    def record(self, what: str, /, **event: Any) -> None:
        """Append an event of this device to the journal and take account of it."""
        with self._lock:
            event = {"device": self.device, **event}
            self.journal.append(what, event)
            self.ledger.note(what, event)

    @contextmanager
    def worker(self, pass_: Pass, arm: str | None = None, **job: Any) -> Iterator[tuple[int, WorkerProcess]]:
        """A fresh worker and its number; `job` overrides what it is told.

        Where the code of the arms lies elsewhere (`sides`), it runs that of `arm`, by default of the reference.
        """
        arm = arm or self.design.reference
        side = self.sides.get(arm)
        scenario = self.scenario if side is None else Scenario.from_data(side.scenario)
        with self._lock:
            number = self.ledger.workers
            self.ledger.workers += 1
        folder = self.journal.folder / "work" / f"{self.device.replace(':', '-')}-{pass_}-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        begun: list[WorkerProcess] = []
        try:
            try:
                process = WorkerProcess(
                    {**self._job(scenario, folder, pass_, arm), **job},
                    log=folder / "worker.log", side=side, alone=alone_of(scenario), begun=partial(self._begin, begun),
                )  # fmt: skip
            except WorkerError as error:
                set_by_toggles = sorted(options_of(self.states_of(arm)))
                is_usage = error.kind == "usage"
                if error.arm is not None or not self._starts_otherwise(arm) or (is_usage and not set_by_toggles):
                    raise
                message, kind = str(error), error.kind
                if is_usage:
                    message, kind = (
                        f"{error} (toggles of {arm} load the model with {', '.join(set_by_toggles)})",
                        "error",
                    )
                raise WorkerError(message, kind=kind, arm=arm) from error  # its process is the arm's own
            self.startup_s = time.monotonic() - started
            with process:
                if self._stopping:
                    message = "the run was stopped while this worker started"
                    raise WorkerError(message, kind="crash", arm=None)
                _check_source(side, process.ready.get("source"))
                _check_packages(side, process.ready.get("packages", {}))
                self._watch(process.ready["machine"].get("gpu_uuid"))
                told = {
                    key: process.ready[key]
                    for key in ("machine", "description", "unavailable", "already_present", "core")
                }
                refused = process.ready["not_applicable"]
                self.record(
                    "worker", worker=number, pass_=pass_, pid=process.pid, startup_s=self.startup_s, **told,
                    not_applicable={name: refused[name] for name in refused if name not in of_process(refused)},
                    usual=not self._starts_otherwise(arm),
                )  # fmt: skip
                yield number, process
                if side is not None:
                    self._check_late_packages(side, process)
        finally:
            with self._lock:
                self._live.difference_update(begun)

    def times_init(self, process: WorkerProcess) -> bool:
        """Whether building pipelines is timed: it is asked for, and there is something to build."""
        return "init" in self.scenario.measure.metrics and "init" not in process.ready["unavailable"]

    def _starts_otherwise(self, arm: str) -> bool:
        """Whether an arm starts its process otherwise than the reference does."""
        own, usual = (process_states(self.states_of(one)) for one in (arm, self.design.reference))
        return own != usual

    def _begin(self, begun: list[WorkerProcess], process: WorkerProcess) -> None:
        """Take account of a process that starts, so that it is ended with the run."""
        begun.append(process)
        with self._lock:
            self._live.add(process)
        if self._stopping:
            process.end()

    def _check_late_packages(self, side: Side, process: WorkerProcess) -> None:
        """As when it was ready: code may import more at its first request. What a process that has ended did is not asked."""
        with suppress(WorkerError):
            for event in process.ask({"do": "packages"}, limit_s=self.limit_s):
                _check_packages(side, event.get("packages", {}))

    def _watch(self, uuid: str | None) -> None:
        """Begin to read the condition of the card, where there is one, in a thread of this process."""
        with self._lock:
            if uuid is not None and self._sampler is None:
                self._sampler = Sampler(Card(uuid))

    def record_conditions(
        self, pass_: Pass, worker: int, block: int, since_s: float, load: Mapping[str, float] | None = None
    ) -> None:
        """Record what the card was like from `since_s` (of `time.monotonic`) until now, and the host's `load`.

        Nothing is recorded where nothing was read.
        """
        readings = {**({} if self._sampler is None else self._sampler.since(since_s)), **(load or {})}
        if readings:
            self.record("conditions", pass_=pass_, worker=worker, block=block, readings=readings)

    def _job(self, scenario: Scenario, folder: Path, pass_: Pass, arm: str) -> dict[str, Any]:
        """What a worker is told first: the model is that of `scenario`, which a side has of its own, all else the session's.

        Its process starts as the toggles of `arm` say.
        """
        starts = starts_of(self.states_of(arm))
        return {
            "fake": self.fake,
            "pin": pass_ in ("latency", "first", "micro") and self.pins,
            "core": None,
            "scatters": pass_ != "memory",  # of which resident memory is read
            "vram_limit_bytes": self.scenario.measure.vram_limit_bytes,
            "target": adapters.target(scenario.model.adapter),
            "prepared": plugins.preparation(scenario.as_data()),
            "options": options_with(scenario.options(), starts),
            "switched": options_with({}, starts),
            "device": self.device,
            "arms": [self.as_told(one) for one in self.design.arms],
            "speakers": self.wire.speakers(),
            "threads": self.threads_of(arm),
            "environment": {name: value for start in starts for name, value in start.environment.items()},
            "calls": [as_told(start.call) for start in starts if start.call is not None],
            "work_dir": str(folder.absolute()),
            "packages": bool(self.sides),
        }

    def states_of(self, arm: str) -> Mapping[str, State]:
        """The state of every toggle of an arm."""
        return next(one.states for one in self.design.arms if one.name == arm)

    def threads_of(self, arm: str) -> int:
        """How many threads PyTorch has in a process of an arm."""
        told = [start.threads for start in starts_of(self.states_of(arm)) if start.threads is not None]
        return told[-1] if told else self.scenario.measure.threads

    @staticmethod
    def as_told(arm: Arm) -> dict[str, Any]:
        """An arm as a worker knows it, without what its process is."""
        return {**asdict(arm), "states": within_process(arm.states)}

    @property
    def limits_memory(self) -> bool:
        """Whether its processes keep to a limit of a card's memory, in which what one arm leaves is room that the next lacks."""
        return self.scenario.measure.vram_limit_bytes is not None and self.device != "cpu"

    @property
    def time_left_s(self) -> float | None:
        """How long this part of the run may still last; None where it is not one."""
        return None if self.deadline_s is None else max(0.0, self.deadline_s - time.monotonic())

    def begin_step(self) -> None:
        """What was done since the last step, such as starting workers, is not a step that will come again."""
        self._checked_s = time.monotonic()

    def check_time(self) -> None:
        """Raise TimeIsUpError when another step as long as the longest yet would outlast this part of the run.

        Called between steps; a part does at least one, so that every part gets on.
        """
        now_s = time.monotonic()
        before_s, self._checked_s = self._checked_s, now_s
        if before_s is None or self.deadline_s is None:
            return
        self._longest_step_s = max(self._longest_step_s, now_s - before_s)
        if now_s + self._longest_step_s > self.deadline_s:
            raise TimeIsUpError

    def read_memory(
        self, process: WorkerProcess, arm: str, requests: Sequence[Mapping[str, Any]], *, dose: bool = False,
        snapshot: Path | None = None,
    ) -> Sequence[Mapping[str, Any]]:  # fmt: skip
        """What `process` holds at most in `requests` on `arm`: an event for each number of them at the same moment.

        With `dose`, beside a known allocation; with `snapshot`, every allocation is written to that file.
        """
        message = {
            "do": "memory", "arm": arm, "requests": requests, "dose": dose,
            "snapshot": None if snapshot is None else str(snapshot.absolute()),
        }  # fmt: skip
        return process.ask(message, limit_s=(2 + 2 * len(requests)) * self.limit_s)

    def _one_of_each(self) -> Sequence[Mapping[str, Any]]:
        return self.wire.requests(range(len(workload.requests(self.scenario))))

    def guarded(
        self, pass_: Pass, body: Callable[[int, WorkerProcess], Result], arm: str | None = None
    ) -> Result | None:
        """Run `body` in a fresh worker (of the code of `arm`); None if the worker died, after that was dealt with."""
        try:
            with self.worker(pass_, arm) as (number, process):
                return body(number, process)
        except WorkerError as error:
            self.deal_with(pass_, error)
            return None

    def spared(self, pass_: Pass, body: Callable[[int, WorkerProcess], Result], arm: str) -> Result | None:
        """As `guarded`, of a worker that the run can do without: its death is nobody's failure."""
        try:
            with self.worker(pass_, arm) as (number, process):
                return body(number, process)
        except WorkerError:
            if self._stopping:
                raise
            return None

    def deal_with(self, pass_: Pass, error: WorkerError) -> None:
        """Take account of the death of a worker: its arm is tried alone, and fails if it dies again.

        Raises DeviceFailedError where nothing more can be measured, and `error` itself where the run is being stopped.
        """
        if self._stopping:
            raise error
        self._record_failure(pass_, error, final=False)
        if error.arm is None:
            if error.kind == "usage":
                raise UsageError(str(error)) from error
            if self.ledger.deaths[None] >= MAX_DEATHS_WITHOUT_ARM:
                self._give_up(pass_, self._with_need(error))
            return
        again = self._dies_alone(pass_, error.arm)
        if again is None and self.ledger.deaths[error.arm] < MAX_DEATHS:
            return
        last = WorkerError(str(again or error), kind=(again or error).kind, arm=error.arm)
        if last.kind == "out_of_memory" and self.scenario.measure.vram_limit_bytes is not None:
            last = self._with_need(last)
        self._record_failure(pass_, last, final=True)
        self.progress.note(f"{self.device}: {error.arm} has failed: {last}")
        if error.arm == self.design.reference:
            self._give_up(pass_, last)

    def _with_need(self, error: WorkerError) -> WorkerError:
        """`error` with what the requests of its arm take, at most, where `vram_limit` does not hold: the limit's shortfall."""
        limit = self.scenario.measure.vram_limit_bytes
        if error.kind != "out_of_memory" or limit is None:
            return error
        arm = error.arm or self.design.reference
        try:
            with self.worker("memory", arm, vram_limit_bytes=None) as (_, process):
                events = self.read_memory(process, arm, self._one_of_each())
                most = max(events, key=lambda event: event["values"]["peak_allocated"] or 0.0)
                at_start: float = process.ready["machine"].get("context_bytes") or 0.0
        except WorkerError as again:
            return WorkerError(f"{error}; without the limit: {again}", kind=error.kind, arm=error.arm)
        told = need(most["values"], most["values"].get(NON_TORCH) or at_start, limit, most["concurrency"])
        return WorkerError(f"{error}; {told}", kind=error.kind, arm=error.arm)

    def _dies_alone(self, pass_: Pass, arm: str) -> WorkerError | None:
        """What ends a worker that runs the arm alone, as the pass does; None if it lives. Raises WorkerError where the run is being stopped."""
        try:
            with self.worker(pass_, arm) as (_, process):
                if pass_ == "memory":
                    self.read_memory(process, arm, self._one_of_each(), dose=arm == HOST_DOSE)
                    return None
                process.ask({"do": "bind", "arms": [arm]}, limit_s=self.limit_s)
                hardest = workload.most_at_once(self.scenario)
                block = self.wire.block([arm], hardest, rehearse=True, settle=True)
                process.ask({"do": "blocks", "blocks": [block]}, limit_s=self.limit_s)
        except WorkerError as error:
            if self._stopping:
                raise
            return error
        return None

    def _record_failure(self, pass_: Pass, error: WorkerError, *, final: bool) -> None:
        self.record("failure", pass_=pass_, arm=error.arm, kind=error.kind, message=str(error), final=final)

    def _give_up(self, pass_: Pass, error: WorkerError) -> None:
        self.record("failure", pass_=pass_, arm=None, kind=error.kind, message=str(error), final=True)
        raise DeviceFailedError(str(error)) from error

    def stop(self) -> None:
        """End all workers now."""
        self._stopping = True
        with self._lock:
            live = list(self._live)
        for process in live:
            process.end()

    def close(self) -> None:
        """Stop reading the card, and throw away what the workers shared."""
        shutil.rmtree(self.journal.folder / "work" / SHARED, ignore_errors=True)
        if self._sampler is not None:
            self._sampler.close()
            self._sampler = None


def alone_of(scenario: Scenario) -> Alone | None:
    """How the workers of a scenario run, if without this project's packages: in the interpreter that its model names.

    A user's own function needs the harness itself beside it, for toggles and for what is returned.
    """
    is_function = scenario.model.adapter == plugins.CALLABLE
    if not is_function and adapters.portable(scenario.model.adapter) is None:
        return None
    python = scenario.options().get("python")
    if is_function and python is None:
        return None
    return Alone(python=None if python is None else str(python), whole=is_function)


def _check_source(side: Side | None, source: str | None) -> None:
    """Refuse code that is not that of the revision which is to be measured: it would be the same on both sides.

    `source` is the file that the worker runs, None where it is the harness's own. Raises UsageError.
    """
    if side is None or source is None:
        return
    folder, file = Path(side.paths[0]).resolve(), Path(source).resolve()
    if not file.is_relative_to(folder):
        message = (
            f"what would be measured is {file}, which is not in {side.revision or 'the working tree'}: another revision's code, or the same "
            "on both sides. A revision's own code is found at its top and in src/; elsewhere, let `target` (or `path`) name "
            "the file as it lies in the repository"
        )
        raise UsageError(message)


def _check_packages(side: Side | None, packages: Mapping[str, str]) -> None:
    """Refuse a package that the revision has and that was imported from elsewhere: it would be the same on both sides.

    Raises UsageError.
    """
    if side is None:
        return
    folder = Path(side.paths[0]).resolve()
    own = _packages_in(folder)
    for name, place in packages.items():
        if (
            name in own
            and not Path(place).resolve().is_relative_to(folder)
            and _same_package(folder / own[name], place)
        ):
            message = (
                f"{name} was imported from {place}, which is not in {side.revision or 'the working tree'}, though that has one in "
                f"{own[name]}: it would be the same on both sides. Let the file of `target` put the folder around it first on sys.path, "
                "by its own place"
            )
            raise UsageError(message)


def _same_package(folder: Path, place: str) -> bool:
    """Whether the package in `folder` and the one that was imported from `place` are one at two times, and not two of one name.

    Then most modules of the smaller one are in the other as well.
    """
    elsewhere = Path(place)
    if elsewhere.is_file() and not elsewhere.name.startswith(
        "__init__."
    ):  # a single file, with all of site-packages around it
        return True
    own, other = (_modules_in(one) for one in (folder, elsewhere.parent if elsewhere.is_file() else elsewhere))
    return 2 * len(own & other) >= min(len(own), len(other))


@lru_cache(maxsize=256)
def _modules_in(folder: Path) -> frozenset[str]:
    """The modules below a package's folder, by their paths, without its own `__init__`; compiled ones by the name that they have in Python."""
    found = (path for suffix in ("*.py", "*.so", "*.pyd") for path in folder.rglob(suffix))
    named = (path.relative_to(folder) for path in found)
    return frozenset((path.parent / path.name.partition(".")[0]).as_posix() for path in named) - {"__init__"}


@lru_cache(maxsize=8)
def _packages_in(folder: Path) -> Mapping[str, str]:
    """Packages that can be imported from somewhere in a folder, and where they lie in it."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(folder):
        inside = Path(place)
        if "__init__.py" in files:
            found.setdefault(inside.name, inside.relative_to(folder).as_posix())
            folders.clear()  # what lies in a package is imported by that one's name
        folders[:] = [
            name for name in folders if not name.startswith(".") and not (inside / name / "pyvenv.cfg").exists()
        ]
    return found


def need(values: Mapping[str, float | None], context_bytes: float, limit_bytes: int, at_once: int = 1) -> str:
    """What a request, or `at_once` of them at the same moment, takes in all, by how much that is more than the limit, and in which stages,
    the fullest first.
    """
    peak = (values["peak_allocated"] or 0.0) + context_bytes
    takes = "a request takes" if at_once == 1 else f"{at_once} requests at once take"
    if peak <= limit_bytes:
        return (
            f"without the limit {takes} {size(peak)}, context included, which would fit; the allocator's blocks did not"
        )
    told = f"without the limit {takes} {size(peak)}, context included: {size(peak - limit_bytes)} too much"
    beyond = {
        name.removeprefix("peak_allocated."): value + context_bytes - limit_bytes
        for name, value in values.items()
        if name.startswith("peak_allocated.") and value is not None
    }
    over = sorted(((by, stage) for stage, by in beyond.items() if by > 0), reverse=True)
    if not over:
        return told
    if len(over) == len(beyond) > 1:
        (most, fullest), (least, emptiest) = over[0], over[-1]
        return f"{told} (over the limit in every stage, from {emptiest} by {size(least)} to {fullest} by {size(most)})"
    return f"{told} (over the limit: {', '.join(f'{stage} by {size(by)}' for by, stage in over)})"
