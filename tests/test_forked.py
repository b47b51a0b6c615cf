"""A forked worker answers, and every way in which it may not ends in one clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from harness import forked
from harness.errors import UsageError, WorkerError
from harness.forked import ForkedWorker

pytestmark = pytest.mark.skipif(not forked.can_fork(), reason="this system cannot fork processes")


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self, by: int) -> tuple[int, int]:
        self.count += by
        return self.count, os.getpid()

    def fail(self) -> None:
        message = "no such voice"
        raise LookupError(message)

    def leave(self) -> None:
        sys.exit(3)

    def end(self, how: int) -> None:
        os.kill(os.getpid(), how)

    def hang(self) -> None:
        threading.Event().wait()


def test_a_worker_keeps_its_object_in_a_process_of_its_own() -> None:
    with ForkedWorker(Counter) as worker:
        assert worker.call("add", 2, limit_s=30)[0] == 2
        count, pid = worker.call("add", 3, limit_s=30)
    assert count == 5
    assert pid != os.getpid()


@pytest.mark.parametrize(("method", "told"), [("fail", "LookupError: no such voice"), ("leave", "SystemExit: 3")])
def test_what_a_call_raises_is_told_with_its_traceback_and_the_worker_lives(method: str, told: str) -> None:
    with ForkedWorker(Counter) as worker:
        with pytest.raises(WorkerError, match=told) as raised:
            worker.call(method, limit_s=30)
        assert raised.value.kind == "error"
        assert "test_forked.py" in str(raised.value)
        assert worker.call("add", 1, limit_s=30)[0] == 1


def test_a_worker_that_is_killed_is_told_so() -> None:
    with ForkedWorker(Counter) as worker, pytest.raises(WorkerError, match="SIGKILL") as raised:
        worker.call("end", signal.SIGKILL, limit_s=30)
    assert raised.value.kind == "crash"


def test_a_worker_that_hangs_is_ended_and_the_error_names_the_remedy() -> None:
    with ForkedWorker(Counter) as worker, pytest.raises(WorkerError, match="OMP_NUM_THREADS=1") as raised:
        worker.call("hang", limit_s=0.1)
    assert raised.value.kind == "hang"


def test_workers_end_when_their_parent_is_gone() -> None:
    code = (
        "import os\nfrom harness.forked import ForkedWorker\nfrom tests.test_forked import Counter\n"
        "workers = [ForkedWorker(Counter) for _ in range(3)]\n"
        "print(*(worker.call('add', 1, limit_s=30)[0] for worker in workers), flush=True)\nos._exit(0)\n"
    )
    # its output ends when the last process that could write to it has ended
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "1 1 1\n"


def test_a_system_without_fork_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(UsageError, match="cannot fork"):
        ForkedWorker(Counter)
