"""Worker processes seen from the runner: start one, give it commands, know how it ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import harness.worker
from harness.errors import MeasureError, UsageError, WorkerError
from harness.worker import PROTOCOL
from harness.worker.cores import usable
from harness.worker.start import WHOLE

START_LIMIT_S = 600.0
"""A worker may take this long to import, and to load its weights."""
OUTPUT_IN = "; its output is in "
"""What stands before the log of a worker, in the message of a failure."""
STACKS_LIMIT_S = 1.0
"""A worker that hangs is given so long to write where it stands."""
ENDING_LIMIT_S = 20.0
"""A worker that has closed its pipe may take this long to be gone."""
LOOK_EVERY_S = 2.0
"""How often the runner looks whether a silent worker is still there: its children may hold the pipe that would say so."""
PIPE_LIMIT_S = 5.0
"""When a worker and its group are gone, so long for the end of the pipe: a child that left the group may hold it for ever."""
OWN_WORKER = Path(harness.worker.__file__).parent
"""The package that a worker is, as this harness has it."""
MOST_WARMED = 4
"""They share the card, which a request keeps busy for a good part of its time: more at once would gain little."""
_OF_THIS_INTERPRETER = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Whose code a worker runs: an interpreter, folders to import from before all others (the first is where it lies), and
    its scenario as data. `revision` is what to call it where that folder would be named.
    """

    python: str
    paths: tuple[str, ...]
    scenario: Mapping[str, Any]
    revision: str = ""


def in_revision(text: str, folder: Path, revision: str) -> str:
    """`text` with what lies in `folder` as git names it, `revision:path`; the bare path where `revision` is "".

    A revision is checked out into a folder that is gone when somebody reads of it.
    """
    places = dict.fromkeys((str(folder), str(folder.resolve())))
    for place in places:
        text = text.replace(place + os.sep, f"{revision}:" if revision else "")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """That a worker runs without this project's packages, by the path of its own package; `python` None is this interpreter.

    With `whole` its target needs the package `harness`, and none of those that it needs in its turn.
    """

    python: str | None = None
    whole: bool = False


def started_at_once(device: str) -> int:
    """How many processes start at the same moment, or do what is not timed: on the CPU none disturbs another, a card they would share."""
    return 2 if device == "cpu" else 1


def warmed_at_once(device: str, each: int) -> int:
    """How many workers that will take turns warm up at the same moment: on a GPU as many as have `each` cores of the host, `MOST_WARMED` at
    most, as a request mostly waits for these; on the CPU one, as they would wait for each other.
    """
    cores = len(usable()) or os.cpu_count() or 1
    return 1 if device == "cpu" else max(1, min(MOST_WARMED, (cores - 1) // each))


def worker_environment(threads: int, paths: Sequence[str] = (), *, foreign: bool = False) -> dict[str, str]:
    """The environment of a worker: the caller's, with what would make processes differ fixed, and `paths` to import from.

    What this interpreter imports from is no business of a `foreign` one.
    """
    fixed = {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }
    around = {name: value for name, value in os.environ.items() if not (foreign and name in _OF_THIS_INTERPRETER)}
    if paths:
        fixed["PYTHONPATH"] = os.pathsep.join(filter(None, (*paths, around.get("PYTHONPATH"))))
    return {**around, **fixed}


def _command(side: Side | None, alone: Alone | None) -> list[str]:
    """What starts a worker: of the revision's own code where there is one and it has it."""
    python = sys.executable if side is None else side.python
    if alone is None:
        return [python, "-m", "harness.worker"]
    theirs = None if side is None else Path(side.paths[0]) / "harness" / "worker"
    package = theirs if theirs is not None and (theirs / "start.py").is_file() else OWN_WORKER
    return [alone.python or python, str(package / "start.py"), *([WHOLE] if alone.whole else [])]


def _check_protocol(event: Mapping[str, Any]) -> None:
    """Refuse a worker by its first answer: one from before there was a version says none."""
    spoken = event.get("protocol", "2 or older")
    if spoken != PROTOCOL:
        message = (
            f"its worker speaks protocol {spoken}, this harness speaks {PROTOCOL}: they cannot be measured together"
        )
        raise MeasureError(message)


class WorkerProcess:
    """A running worker. Use it as a context: it is ended when the context is left, however that happens.

    `begun` is told of it before it is waited for until it is ready, so that it can be ended meanwhile.
    """

    def __init__(
        self,
        job: Mapping[str, Any],
        *,
        log: Path,
        side: Side | None = None,
        alone: Alone | None = None,
        begun: Callable[[WorkerProcess], None] | None = None,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._side = side
        self._arm: str | None = None
        self._request = ""
        self._group_ended = False
        self._process = self._start(job["threads"], job.get("environment", {}), side, alone)
        if self._process.stdin is None or self._process.stdout is None:
            message = "a process started with pipes has none"
            raise RuntimeError(message)
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._events: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            if begun is not None:
                begun(self)
            (self.ready,) = self.ask({"protocol": PROTOCOL, **job}, limit_s=START_LIMIT_S)
            _check_protocol(self.ready)
        except BaseException:
            self.end()
            raise

    def _start(
        self, threads: int, further: Mapping[str, str], side: Side | None, alone: Alone | None
    ) -> subprocess.Popen[str]:
        command = _command(side, alone)
        foreign = alone is not None and alone.python is not None
        paths = () if side is None else side.paths
        try:
            with self._log.open("ab") as stderr:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env={**worker_environment(threads, paths, foreign=foreign), **further},
                    cwd=None if side is None else side.paths[0],  # -m imports from there first
                    encoding="utf-8",
                    start_new_session=True,  # Ctrl-C is for the runner, which then ends its workers
                )
        except OSError as error:
            message = f"the interpreter {command[0]} cannot be started: {error.strerror or error}"
            raise UsageError(message) from None

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, message: Mapping[str, Any], *, limit_s: float) -> list[dict[str, Any]]:
        """Send a command and return its events. Raises WorkerError if it fails, ends, or is silent for `limit_s`."""
        return list(self.stream(message, limit_s=limit_s))

    def stream(self, message: Mapping[str, Any], *, limit_s: float) -> Iterator[dict[str, Any]]:
        """As `ask`, event by event."""
        self._arm, self._request = None, ""
        try:
            self._stdin.write(json.dumps(message) + "\n")
            self._stdin.flush()
        except (OSError, ValueError):  # the pipe is broken, or closed where this process was ended meanwhile
            raise self._died() from None
        while True:
            event = self._next(limit_s)
            match event["event"]:
                case "done":
                    return
                case "begin":
                    self._arm, self._request = event["arm"], event["request"]
                case "failed":
                    _check_protocol(event)
                    raise WorkerError(self._named(event["message"]), kind=event["kind"], arm=event["arm"])
                case _:
                    yield event

    def _next(self, limit_s: float) -> dict[str, Any]:
        try:
            line = self._line(limit_s)
        except queue.Empty:
            self._ask_where_it_stands()
            self.end()
            limit = ", past its time limit (measure.time_limit)" if self._arm else ""
            message = f"no answer for {limit_s:g} s{self._meanwhile()}{limit}{OUTPUT_IN}{self._log}"
            raise WorkerError(message, kind="hang", arm=self._arm) from None
        if line is None:
            raise self._died()
        event: dict[str, Any] = json.loads(line)
        return event

    def _line(self, limit_s: float) -> str | None:
        """What the worker says next; None where it has ended. Raises queue.Empty where it is silent for `limit_s`."""
        until_s = time.monotonic() + limit_s
        while True:
            left_s = max(until_s - time.monotonic(), 0.0)
            try:
                return self._events.get(timeout=min(left_s, LOOK_EVERY_S))
            except queue.Empty:
                if self._process.poll() is not None:
                    break
                if left_s <= LOOK_EVERY_S:
                    raise
        self._end_group()
        self._reader.join(PIPE_LIMIT_S)
        try:
            return self._events.get_nowait()
        except queue.Empty:
            return None

    def _named(self, message: str) -> str:
        return message if self._side is None else in_revision(message, Path(self._side.paths[0]), self._side.revision)

    def _died(self) -> WorkerError:
        try:
            code = self._process.wait(ENDING_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._end_group()
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
            if code == -signal.SIGKILL:
                how += " (the system ends processes so when memory runs out)"
        else:
            how = f"ended with exit code {code}"
        how += self._meanwhile()
        return WorkerError(f"the worker process {how}{OUTPUT_IN}{self._log}", kind="crash", arm=self._arm)

    def _ask_where_it_stands(self) -> None:
        """Have a worker that hangs write the stacks of its threads to its log, where it can."""
        if hasattr(signal, "SIGUSR1"):
            self._process.send_signal(signal.SIGUSR1)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STACKS_LIMIT_S)

    def _meanwhile(self) -> str:
        """What the worker was at, in words."""
        if not self._arm:
            return ""
        doing = f"ran the request {self._request}" if self._request else "was being prepared"
        return f" while {self._arm} {doing}"

    def _read(self) -> None:
        """In a thread of its own, which closes the pipe: whoever else did would wait for the thread."""
        with self._stdout:
            for line in self._stdout:
                if line.endswith("\n"):
                    self._events.put(line)
        self._events.put(None)

    def pause(self) -> None:
        """Stop the process and those that it started until `go_on`: waiting, it takes no core (threads may spin while they wait).

        Windows cannot: there they wait as they will.
        """
        self._signal_group("SIGSTOP")

    def go_on(self) -> None:
        """Let a paused process go on."""
        self._signal_group("SIGCONT")

    def _signal_group(self, name: str) -> None:
        if hasattr(os, "killpg") and self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, getattr(signal, name))

    def end(self) -> None:
        """End the process now, and those that it started; they have nothing left to save."""
        self._end_group()
        self._process.kill()
        self._process.wait()
        self._reader.join(PIPE_LIMIT_S)
        with suppress(OSError):
            self._stdin.close()

    def _end_group(self) -> None:
        """End the worker's children too, which may outlive it and hold its pipes. Once: later its number may be another's.

        The group has the worker's number, since its session is its own. Windows has no groups: there they are left.
        """
        if self._group_ended or not hasattr(os, "killpg"):
            return
        self._group_ended = True
        # Nobody is left; or, on macOS, nobody but a process that has ended and was not waited for.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
