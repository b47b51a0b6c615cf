"""The worker process: one JSON command a line and events as JSON lines, each on a pipe of its own.

The first line is the job; after `ready` each command is answered by events and a last one, `done` or `failed`. A worker holds
one device, ends when its stdin closes, and knows nothing of scenarios or statistics: which requests there are, and in which
order, is sent to it. What the model prints goes to the log; what reads stdin, in this process or one that it starts, finds its end.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import platform
import random
import signal
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from . import PROTOCOL, cores, profiling, settings
from .arms import NamedStates
from .errors import HarnessError, UsageError
from .loading import loader
from .machine import Machine, machine
from .measure import Bench
from .probes import Probe
from .requests import request_from, speaker_from
from .spans import span, stage_of
from .target import already_present, not_applicable

_PR_SET_PDEATHSIG = 1

Reply = Callable[..., None]
Data = Mapping[str, Any]


class Worker:
    """Answers the commands of one job: every public method is a command, its keyword arguments the message's keys.

    `target` in the job names what loads the model (`loading`), `options` are the target's own; requests and speakers are
    data as `requests.request_from` reads them. What must be imported before, so that a model finds it, is `prepared` by the
    function that the job names (`call`), which is given what is `told` to it.
    """

    def __init__(self, job: Data, device: Machine, reply: Reply) -> None:
        prepared = job.get("prepared")
        if prepared is not None:
            loader(prepared["call"])(prepared["told"])
        self._machine = device
        settings.begin(job.get("environment", {}), job.get("switched", {}))
        for told in job.get("calls", ()):
            settings.do(told)
        with span("loading"):
            model = loader(job["target"])(job["options"], device, Path(job["work_dir"]))
        settings.remember(model.description)
        if not job["fake"]:
            set_threads(job["threads"])
        arms = [NamedStates(arm["name"], arm["states"]) for arm in job["arms"]]
        self._bench = Bench(model, device, arms, [speaker_from(told) for told in job["speakers"]])
        self._reply = reply
        gc.collect()
        gc.disable()
        chosen = _pin(job["core"]) if job["pin"] else None
        reply(
            "ready",
            protocol=PROTOCOL,
            description=dict(model.description),
            source=getattr(model, "source", None),
            packages=imported() if job.get("packages") else {},
            machine={**device.describe(), "python": _python(), "gc_objects": len(gc.get_objects())},
            core=None if chosen is None else asdict(chosen),
            not_applicable=not_applicable(model, {name: None for arm in arms for name in arm.states}),
            already_present=already_present(model),
            unavailable={**device.unavailable(), **getattr(model, "unavailable", {})},
        )

    def bind(self, arms: Sequence[str]) -> None:
        for arm in arms:
            self._begin(arm)
            self._reply("bound", arm=arm, values=self._bench.bind(arm))

    def warm_up(self, arms: Sequence[str], requests: Sequence[Data], others: Sequence[Data]) -> None:
        """The first arm on `requests` until its times are level, then each other arm once on the requests `others`."""
        first, *rest = arms
        for request, values in self._bench.warm_up(first, [request_from(told) for told in requests], self._begin):
            self._reply("warm", arm=first, request=request.id, stratum=request.stratum, values=values)
        others_read = [request_from(told) for told in others]
        for arm in rest:
            for request in others_read:
                self._begin(arm, request.id)
                values = self._bench.warm(arm, request)
                self._reply("warm", arm=arm, request=request.id, stratum=request.stratum, values=values)

    def blocks(self, blocks: Sequence[Data]) -> None:
        """Blocks one after the other, garbage collected before the first alone; each is answered as it ends.

        A block is `order` of its arms, `request`, `rehearsal` (a request, or None: what the arm that is timed first runs
        untimed before it), `settle` (whether every arm does) and `dose_s`.
        """
        start, model_s = self._machine.clock_ns(), self._bench.model_s
        requests = [request_from(block["request"]) for block in blocks]
        arms = list(dict.fromkeys(arm for block in blocks for arm in block["order"]))
        self._bench.tidy(arms, max(request.concurrency for request in requests), self._begin)
        for block, request in zip(blocks, requests):
            trials = self._bench.block(
                block["order"],
                request,
                rehearsal=None if block["rehearsal"] is None else request_from(block["rehearsal"]),
                settle=block["settle"],
                dose_s=block["dose_s"],
                begin=self._begin,
            )
            end = self._machine.clock_ns()
            values = [{"arm": arm, "values": values} for arm, values in trials]
            self._reply("block", trials=values, wall_s=(end - start) / 1e9, model_s=self._bench.model_s - model_s)
            start, model_s = end, self._bench.model_s

    def init(self, order: Sequence[str]) -> None:
        start, model_s = self._machine.clock_ns(), self._bench.model_s
        trials = []
        for arm in order:
            self._begin(arm)
            trials.append({"arm": arm, "values": self._bench.init(arm)})
        wall_s = (self._machine.clock_ns() - start) / 1e9
        self._reply("block", trials=trials, wall_s=wall_s, model_s=self._bench.model_s - model_s)

    def examine(
        self, arm: str, probes: Sequence[Data], first: Sequence[Data], second: Sequence[Data], files: Sequence[str]
    ) -> None:
        """Run requests `first` and then `second` on `arm`, one at a time.

        In the first round all `probes` count (each has the `name` under which it is answered, its `toggle` and the
        `parameters`); the outputs of the second are compared with those of the first, and written to `files`. What caches hold at the end is
        answered as well.
        """
        self._begin(arm)
        opened = {told["name"]: self._probe(told) for told in probes}
        written = {Path(file): request_from(told) for file, told in zip(files, second)}
        requests = [request_from(told) for told in first]
        counts, outputs, held = self._bench.examine(arm, opened, requests, written, self._begin)
        for name, (at_bind, per_request) in counts.items():
            self._reply("witness", optimization=name, at_bind=at_bind, per_request=per_request)
        for output in outputs:
            self._reply("output", **output)
        for name, (entries, size_bytes) in held.items():
            self._reply("held", optimization=name, entries=entries, size_bytes=size_bytes)

    def _probe(self, told: Data) -> Probe:
        """The witness of a toggle: what the target counts, or what its process is."""
        holds = told.get("holds")
        return self._bench.model.probe(told["toggle"], told["parameters"]) if holds is None else settings.reading(holds)

    def work(self, arm: str, requests: Sequence[Data]) -> None:
        """What each stage does in each of `requests`, in a process that times nothing.

        An error is told as `uncounted` and not raised: what cannot be counted is no failure of the arm.
        """
        try:
            for request, stage, told in self._bench.work(arm, [request_from(told) for told in requests], self._begin):
                self._reply("work", request=request.id, stratum=request.stratum, stage=stage, **told)
        except Exception as error:  # noqa: BLE001  whatever counting meets in a model is told, and costs no arm
            traceback.print_exc()
            self._reply("uncounted", message=f"{type(error).__name__}: {error}")

    def place(self, toggle: str, arms: Sequence[str], parameters: Data, request: Data, seed: str) -> None:
        """The place of a toggle timed alone, in the states that it has in both `arms`; each round is answered as it ends.

        Without a toggle, an empty call beside itself. `parameters` are those of the witness.
        """
        rng = random.Random(seed)  # noqa: S311  an order, not a secret
        if toggle:
            self._begin(arms[-1])
            probe = self._bench.model.probe(toggle, parameters)
            made = self._bench.place(toggle, arms, request_from(request), probe, rng)
        else:
            made = self._bench.empty_call(arms, rng)
        for trials in made:
            self._reply("block", trials=[{"arm": arm, "values": values} for arm, values in trials])

    def memory(self, arm: str, requests: Sequence[Data], *, dose: bool, snapshot: str | None) -> None:
        """Peaks, and memory over time, apart for each number of requests at the same moment, few first.

        With `snapshot` (a path), every allocation as well.
        """
        self._begin(arm)
        self._bench.bind(arm)
        wanted = sorted(map(request_from, requests), key=lambda request: request.concurrency)
        for at_once, some in groupby(wanted, key=lambda request: request.concurrency):
            if at_once != wanted[0].concurrency:
                self._machine.memory.release()
            values, points = self._bench.memory(arm, list(some), dose=dose)
            self._reply("memory", concurrency=at_once, values=values, points=points)
        if snapshot:
            self._bench.allocations(arm, wanted, Path(snapshot))

    def forget(self, arm: str) -> None:
        """Drop the pipelines of an arm."""
        self._bench.forget(arm)

    def profile(self, arm: str, requests: Sequence[Data], how: str, file: str, seconds: float) -> None:
        """Requests of a bound arm under one profiler (`profiling`), in a process that times nothing."""
        self._begin(arm)
        made = [request_from(told) for told in requests]
        try:
            told = profiling.profile(how, partial(self._bench.settle, arm), made, Path(file), seconds)
        except profiling.Refused as refused:
            told = {"refused": str(refused)}
        self._reply("profile", **told)

    def packages(self) -> None:
        """What was imported until now."""
        self._reply("packages", packages=imported())

    def room(self) -> None:
        """How much memory this process holds, and how much is free."""
        self._reply("room", room=dict(self._machine.room()))

    def _begin(self, arm: str, request: str = "") -> None:
        self._reply("begin", arm=arm, request=request)


def imported() -> dict[str, str]:
    """Package or module that was imported, by its first name, and the file or folder that it is; not the standard library's."""
    found = {}
    for name, module in list(sys.modules.items()):
        if "." in name or name in getattr(sys, "stdlib_module_names", ()):
            continue
        place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
        if isinstance(place, str):
            found[name] = place
    return found


def _python() -> str:
    """Version, and implementation where it is not the usual one: "3.9.18", "3.9.16 (PyPy)"."""
    implementation = platform.python_implementation()
    return platform.python_version() + ("" if implementation == "CPython" else f" ({implementation})")


def set_threads(threads: int) -> None:
    """Of PyTorch, where it was imported; it and other libraries began with what the environment says that the runner made.

    It is not imported for this: a model without PyTorch would wait for it, in each of the processes of a gate.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
        with suppress(RuntimeError):  # a model that already computed on several threads keeps them
            torch.set_num_interop_threads(1)


def _pin(core: int | None) -> cores.Choice | None:
    """Keep this process to `core`, or to the least disturbed one; None where the system has no pinning."""
    usable = cores.usable()
    if not usable:
        return None
    choice = cores.quietest(usable) if core is None else cores.Choice(core=core, slowest=None, median_slowest=None)
    cores.stay_on(choice.core)
    return choice


_MOST_SCATTERED, _LARGEST_SCATTERED = 64, 2**16
"""Pieces, and bytes of each: small enough to come from the heap of the C library, and not from the system one by one."""


def serve(commands: IO[str], events: IO[str]) -> None:
    """Read commands until `commands` ends; write events."""
    arm: str | None = None

    def reply(event: str, **data: Any) -> None:
        nonlocal arm
        if event == "begin":
            arm = data["arm"]
        events.write(json.dumps({"event": event, **data}) + "\n")
        events.flush()

    device: Machine | None = None
    worker: Worker | None = None
    kept: list[bytearray] = []
    for line in commands:
        message = json.loads(line)
        arm = None
        try:
            if device is None or worker is None:
                _check_protocol(message)
                device = machine(message["device"], fake=message["fake"], vram_limit_bytes=message["vram_limit_bytes"])
                worker = Worker(message, device, reply)
                kept += _scattered() if message.get("scatters") else []
            else:
                getattr(worker, message.pop("do"))(**message)
        except Exception as error:  # noqa: BLE001  whatever the model raises is a result about its arm
            traceback.print_exc()
            reply("failed", arm=arm, kind=_kind(error), message=_describe(error, device), protocol=PROTOCOL)
            if worker is None:
                return
        else:
            reply("done")


def _kind(error: Exception) -> str:
    if isinstance(error, UsageError):
        return "usage"
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return "out_of_memory" if out_of_memory else "error"


def _describe(error: Exception, device: Machine | None) -> str:
    if isinstance(error, HarnessError):
        return str(error)
    stage = stage_of(error)
    where = "" if stage is None else f" in stage {stage}"
    if _kind(error) == "out_of_memory" and device is not None:
        return f"out of memory{where}: {device.memory.refusal(error)}"
    return f"{type(error).__name__}{where}: {error}{_place(error)}"


def _place(error: Exception) -> str:
    """Where in the code that is measured it was raised, as " (file.py:4)"; "" where that is the harness's own or a library's."""
    libraries = {Path(sysconfig.get_paths()[kind]) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    not_measured = {Path(__file__).absolute().parents[1], *libraries}
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = Path(frame.f_code.co_filename).absolute()
        with suppress(OSError):  # of code that is in no file, whose name may be anything
            if (
                file.is_file()
                and not {"site-packages", "dist-packages"} & set(file.parts)
                and not not_measured & set(file.parents)
            ):
                return f" ({file.name}:{line})"
    return ""


def _check_protocol(job: Data) -> None:
    spoken = job.get("protocol")
    if spoken != PROTOCOL:
        message = f"this worker speaks protocol {PROTOCOL}, and the runner {spoken or 'an older one'}"
        raise UsageError(message)


def _end_with_parent() -> None:
    """Have the system end this process when the runner ends, also where a command would never return (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _scattered() -> list[bytearray]:
    """Memory of random sizes, to be kept: what a request allocates after it lies elsewhere in each process.

    Where the heap ends when a model is loaded is the same in all processes of one code and another in those of the next, whatever that
    differs by, and a request may be slower by a tenth for it (docs/decisions/0040-scattered-heaps.md).
    """
    chance = random.SystemRandom()
    return [bytearray(chance.randrange(1, _LARGEST_SCATTERED)) for _ in range(chance.randrange(_MOST_SCATTERED))]


def _say_where_when_asked() -> None:
    """Have every thread's stack written to the log on SIGUSR1, which a runner sends before it ends a worker that hangs."""
    if hasattr(faulthandler, "register") and hasattr(signal, "SIGUSR1"):  # not in PyPy, nor on Windows
        faulthandler.register(signal.SIGUSR1, all_threads=True)


def main() -> None:
    """Keep the pipes that were stdin and stdout for commands and events.

    In their place, nothing is read, and whatever is printed goes to stderr, which is the log.
    """
    _end_with_parent()
    commands = os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _say_where_when_asked()
    serve(commands, events)
