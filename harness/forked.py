"""A worker that is a fork of this process: it has what a test built, closures included, and answers calls over a pipe."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, ClassVar, Self

from harness.errors import UsageError, WorkerError

ENDING_LIMIT_S = 5.0
"""A worker whose pipe has closed may take this long to be gone."""


def can_fork() -> bool:
    """Whether this system forks processes (Linux, macOS; not Windows)."""
    return hasattr(os, "fork")


class ForkedWorker:
    """A forked process that holds what `make` returns there, and calls its methods. Use it as a context.

    Ctrl-C is for the parent, which then ends its workers; a worker also ends when the parent is gone. Raises UsageError where
    the system cannot fork.
    """

    _parents: ClassVar[set[Connection]] = set()
    """This process's ends of all pipes: a worker closes those of its siblings, or they would not see the parent's end."""

    def __init__(self, make: Callable[[], object]) -> None:
        if not can_fork():
            message = "this system cannot fork a process, and closures cannot be sent to a fresh one"
            raise UsageError(message)
        self._pipe, theirs = Pipe()
        self._parents.add(self._pipe)
        self._process: BaseProcess = get_context("fork").Process(target=_serve, args=(theirs, make, self._parents))
        with warnings.catch_warnings():
            # Python 3.12 warns of a fork beside threads: docs/pytest.md does, and a worker that hangs for it has a time limit
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()

    def call(self, method: str, *arguments: Any, limit_s: float) -> Any:
        """What `method` of the worker's object returns.

        Raises WorkerError if the method raises (its traceback in the message), the worker ends, or it is silent for `limit_s`.
        """
        try:
            self._pipe.send((method, arguments))
            if not self._pipe.poll(limit_s):
                self.end()
                raise WorkerError(_hang(limit_s), kind="hang", arm=None)
            answered, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise WorkerError(self._how_it_ended(), kind="crash", arm=None) from None
        if not answered:
            raise WorkerError(answer, kind="error", arm=None)
        return answer

    def _how_it_ended(self) -> str:
        self._process.join(ENDING_LIMIT_S)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"the worker process was ended by {signal.Signals(-code).name}"
        return f"the worker process ended with exit code {code}"

    def end(self) -> None:
        """End the process now; it has nothing left to save."""
        self._process.kill()
        self._process.join()
        self._parents.discard(self._pipe)
        self._pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _hang(limit_s: float) -> str:
    return (
        f"no answer within the time limit of {limit_s:g} s. A library whose threads had started before the fork may wait for "
        "them for ever, as PyTorch does: set OMP_NUM_THREADS=1 before the tests start, or let no test before this one in the "
        "same process use it. If a call really takes so long, raise paired_time_limit"
    )


def _serve(pipe: Connection, make: Callable[[], object], parents: set[Connection]) -> None:
    """In the worker: answer calls until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in parents:
        other.close()
    held: object = None
    while True:
        try:
            method, arguments = pipe.recv()
        except EOFError:
            os._exit(0)  # nothing of the parent's is to be torn down here
        try:
            held = make() if held is None else held
            answer = True, getattr(held, method)(*arguments)
        except BaseException:  # noqa: BLE001  whatever the callable raises, SystemExit and a test's skip included, is told
            answer = False, traceback.format_exc()
        pipe.send(answer)
