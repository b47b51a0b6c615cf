"""The worker process: one JSON command a line on stdin, events as JSON lines on a pipe of their own.

Started as `python -m harness.worker`. The first line is the job; after `ready` each command is answered by events and a
last one, `done` or `failed`. A worker holds one device, ends when its stdin closes, and knows nothing of statistics.
What the model prints goes to the log.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from harness import adapters, workload
from harness.errors import HarnessError, UsageError
from harness.machine import machine
from harness.measure import Bench
from harness.requests import Request
from harness.results import Arm
from harness.scenario import Scenario

_PR_SET_PDEATHSIG = 1

Reply = Callable[..., None]


class Worker:
    """Answers the commands of one job: every public method is a command, its keyword arguments the message's keys."""

    def __init__(self, job: Mapping[str, Any], reply: Reply) -> None:
        scenario = Scenario.from_data(job["scenario"])
        fake = scenario.model.adapter == "fake"
        self._machine = machine(job["device"], fake=fake)
        if not fake:
            _set_threads(job["threads"])
        model = adapters.adapter(scenario.model.adapter).load(job["options"], self._machine, Path(job["work_dir"]))
        arms = [Arm(**arm) for arm in job["arms"]]
        self._bench = Bench(model, self._machine, arms, workload.speakers(scenario))
        self._scenario = scenario
        self._reply = reply
        gc.collect()
        gc.disable()
        reply(
            "ready",
            description=dict(model.description),
            machine={**self._machine.describe(), "gc_objects": len(gc.get_objects())},
            not_applicable=dict(model.not_applicable()),
            unavailable=dict(self._machine.unavailable()),
        )

    def bind(self, arms: Sequence[str]) -> None:
        for arm in arms:
            self._begin(arm)
            self._reply("bound", arm=arm, values=self._bench.bind(arm))

    def warm_up(self, arms: Sequence[str], requests: Sequence[int]) -> None:
        """The first arm until its times are level, then each other once on the first request."""
        first, *others = arms
        for request, values in self._bench.warm_up(first, [self._request(index) for index in requests], self._begin):
            self._reply("warm", arm=first, request=request.id, stratum=request.stratum, values=values)
        request = self._request(requests[0])
        for arm in others:
            self._begin(arm)
            values = self._bench.time(arm, request)
            self._reply("warm", arm=arm, request=request.id, stratum=request.stratum, values=values)

    def block(self, order: Sequence[str], request: int, *, settle: bool, dose_s: float) -> None:
        start = self._machine.clock_ns()
        trials = self._bench.block(
            order,
            self._request(request),
            rehearsal=workload.rehearsal(self._scenario, request),
            settle=settle,
            dose_s=dose_s,
            begin=self._begin,
        )
        wall_s = (self._machine.clock_ns() - start) / 1e9
        self._reply("block", trials=[{"arm": arm, "values": values} for arm, values in trials], wall_s=wall_s)

    def init(self, order: Sequence[str]) -> None:
        start = self._machine.clock_ns()
        trials = []
        for arm in order:
            self._begin(arm)
            trials.append({"arm": arm, "values": self._bench.init(arm)})
        self._reply("block", trials=trials, wall_s=(self._machine.clock_ns() - start) / 1e9)

    def witness(self, arm: str, toggles: Mapping[str, Mapping[str, Any]], requests: Sequence[int]) -> None:
        """Count the witnesses of all `toggles` (name -> parameters) on `arm`."""
        self._begin(arm)
        probes = {name: self._bench.model.probe(name, parameters) for name, parameters in toggles.items()}
        counts = self._bench.witness(arm, probes, [self._request(index) for index in requests])
        for name, (at_bind, per_request) in counts.items():
            self._reply("witness", optimization=name, at_bind=at_bind, per_request=per_request)

    def memory(self, arm: str, requests: Sequence[int], *, dose: bool) -> None:
        self._begin(arm)
        self._bench.bind(arm)
        values = self._bench.memory(arm, [self._request(index) for index in requests], dose=dose)
        self._reply("memory", values=values)

    def output(self, arm: str, request: int, audio: str) -> None:
        self._begin(arm)
        self._reply("output", **self._bench.output(arm, self._request(request), Path(audio)))

    def _begin(self, arm: str) -> None:
        self._reply("begin", arm=arm)

    def _request(self, index: int) -> Request:
        return workload.request(self._scenario, index)


def _set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)


def serve(commands: IO[str], events: IO[str]) -> None:
    """Read commands until `commands` ends; write events."""
    arm: str | None = None

    def reply(event: str, **data: Any) -> None:
        nonlocal arm
        if event == "begin":
            arm = data["arm"]
        events.write(json.dumps({"event": event, **data}) + "\n")
        events.flush()

    worker: Worker | None = None
    for line in commands:
        message = json.loads(line)
        arm = None
        try:
            if worker is None:
                worker = Worker(message, reply)
            else:
                getattr(worker, message.pop("do"))(**message)
        except Exception as error:  # noqa: BLE001  whatever the model raises is a result about its arm
            traceback.print_exc()
            reply("failed", arm=arm, kind=_kind(error), message=_describe(error))
            if worker is None:
                return
        else:
            reply("done")


def _kind(error: Exception) -> str:
    if isinstance(error, UsageError):
        return "usage"
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return "out_of_memory" if out_of_memory else "error"


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"


def _end_with_parent() -> None:
    """Have the system end this process when the runner ends, also where a command would never return (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Keep the pipe that was stdout for events; send whatever else is printed to stderr, which is the log."""
    _end_with_parent()
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, events)


if __name__ == "__main__":
    main()
