"""Measuring one device: workers, and what happens when one of them dies.

A worker that dies took one arm with it. That arm is tried once more alone, in a fresh worker; if it dies again it has
failed, and a fresh worker goes on with the others. An arm that only dies in company has failed after `MAX_DEATHS`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from harness.designs import CONTROLS, Design
from harness.errors import MeasureError, UsageError, WorkerError
from harness.ledger import Ledger
from harness.processes import WorkerProcess
from harness.results import Pass
from harness.scenario import Scenario
from harness.store import Journal

MAX_DEATHS = 3
MAX_DEATHS_WITHOUT_ARM = 2

Result = TypeVar("Result")


class Progress(Protocol):
    """Told what is going on: `share` is how much of this device's work is done, `left_s` what the rest may take."""

    def update(self, device: str, doing: str, share: float, left_s: float | None) -> None: ...

    def note(self, message: str) -> None: ...


class DeviceFailedError(MeasureError):
    """Nothing more can be measured on this device: its reference arm, or the model itself, does not run."""


class Session:
    """One device of one run: what to measure, what is done, and the workers that do it."""

    def __init__(
        self, device: str, scenario: Scenario, design: Design, journal: Journal, ledger: Ledger, progress: Progress
    ) -> None:
        self.device = device
        self.scenario = scenario
        self.design = design
        self.journal = journal
        self.ledger = ledger
        self.progress = progress
        self.not_applicable: frozenset[str] = frozenset()
        self.startup_s = 0.0
        self._lock = threading.RLock()
        self._live: set[WorkerProcess] = set()
        self._stopping = False

    @property
    def limit_s(self) -> float:
        """Silence of a worker after which it counts as hung: one request may be preceded by an untimed one."""
        return 2 * self.scenario.measure.time_limit_s

    @property
    def fake(self) -> bool:
        return self.scenario.model.adapter == "fake"

    def alive(self, arms: Sequence[str]) -> list[str]:
        """Those of `arms` that have not failed and that the target can take."""
        toggles = {arm.name: arm.toggle for arm in self.design.arms}
        return [arm for arm in arms if arm not in self.ledger.failed and toggles[arm] not in self.not_applicable]

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
    def worker(self, pass_: Pass) -> Iterator[tuple[int, WorkerProcess]]:
        """A fresh worker and its number."""
        with self._lock:
            number = self.ledger.workers
            self.ledger.workers += 1
        folder = self.journal.folder / "work" / f"{self.device.replace(':', '-')}-{pass_}-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        process = WorkerProcess(self._job(folder), log=folder / "worker.log")
        self.startup_s = time.monotonic() - started
        with self._lock:
            self._live.add(process)
        try:
            with process:
                self.not_applicable = frozenset(process.ready["not_applicable"])
                self.record(
                    "worker", worker=number, pass_=pass_, pid=process.pid, startup_s=self.startup_s,
                    **{key: process.ready[key] for key in ("machine", "description", "unavailable", "not_applicable")},
                )  # fmt: skip
                yield number, process
        finally:
            with self._lock:
                self._live.discard(process)

    def _job(self, folder: Path) -> dict[str, Any]:
        return {
            "scenario": self.scenario.as_data(),
            "options": self.scenario.options(),
            "device": self.device,
            "arms": [asdict(arm) for arm in self.design.arms],
            "threads": self.scenario.measure.threads,
            "work_dir": str(folder),
        }

    def guarded(self, pass_: Pass, body: Callable[[int, WorkerProcess], Result]) -> Result | None:
        """Run `body` in a fresh worker; None if the worker died, after that was dealt with."""
        try:
            with self.worker(pass_) as (number, process):
                return body(number, process)
        except WorkerError as error:
            if self._stopping:
                raise
            self._deal_with(pass_, error)
            return None

    def _deal_with(self, pass_: Pass, error: WorkerError) -> None:
        self._record_failure(pass_, error, final=False)
        if error.arm is None:
            if error.kind == "usage":
                raise UsageError(str(error)) from error
            if self.ledger.deaths[None] >= MAX_DEATHS_WITHOUT_ARM:
                self._give_up(pass_, error)
            return
        again = self._dies_alone(pass_, error.arm)
        if again is None and self.ledger.deaths[error.arm] < MAX_DEATHS:
            return
        last = WorkerError(str(again or error), kind=(again or error).kind, arm=error.arm)
        self._record_failure(pass_, last, final=True)
        self.progress.note(f"{self.device}: {error.arm} has failed: {last}")
        if error.arm == self.design.reference:
            self._give_up(pass_, last)

    def _dies_alone(self, pass_: Pass, arm: str) -> WorkerError | None:
        try:
            with self.worker(pass_) as (_, process):
                process.ask({"do": "bind", "arms": [arm]}, limit_s=self.limit_s)
                block = {"do": "block", "order": [arm], "request": 0, "settle": True, "dose_s": 0.0}
                process.ask(block, limit_s=self.limit_s)
        except WorkerError as error:
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
