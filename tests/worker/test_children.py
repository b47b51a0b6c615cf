"""What a user's function leaves behind or reads: forked children, and stdin, which is not the pipe of commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.errors import WorkerError
from harness.processes import Alone, WorkerProcess
from tests.worker.test_alone import asked, block, job, prompt, python

__all__ = ["prompt", "python"]  # fixtures

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and locks that end with their process")

CHILD_LIVES_S = 30
"""A child that nobody ends; a runner that waits for it finds the file `lived`."""


def ended_before_its_time(folder: Path) -> bool:
    """Wait for the child to be gone, then say whether somebody ended it."""
    import fcntl

    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    return not (folder / "lived").exists()


def run_once(process: WorkerProcess, prompt: dict[str, Any], *, limit_s: float = 60) -> None:
    process.ask({"do": "bind", "arms": ["none"]}, limit_s=60)
    request = {**block(["none"], asked(prompt)), "rehearsal": None, "settle": False}
    process.ask({"do": "blocks", "blocks": [request]}, limit_s=limit_s)


def test_a_forked_child_that_holds_the_pipes_is_ended_with_its_worker(
    tmp_path: Path, python: str, prompt: dict[str, Any]
) -> None:
    told = job(tmp_path, prompt, fork=CHILD_LIVES_S)
    with WorkerProcess(told, log=tmp_path / "worker.log", alone=Alone(python=python)) as process:
        run_once(process, prompt)
    assert ended_before_its_time(tmp_path)


def test_a_worker_that_ends_by_itself_is_a_crash_although_a_child_holds_its_pipes(
    tmp_path: Path, python: str, prompt: dict[str, Any]
) -> None:
    told = job(tmp_path, prompt, fork=CHILD_LIVES_S, die=3)
    with WorkerProcess(told, log=tmp_path / "worker.log", alone=Alone(python=python)) as process:
        with pytest.raises(WorkerError, match="ended with exit code 3 while none ran") as raised:
            run_once(process, prompt)
        assert ended_before_its_time(tmp_path)
    assert raised.value.kind == "crash"


def test_a_child_that_left_the_group_is_not_waited_for(
    tmp_path: Path, python: str, prompt: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.processes.PIPE_LIMIT_S", 0.1)
    told = job(tmp_path, prompt, fork=10, leave=True)
    with WorkerProcess(told, log=tmp_path / "worker.log", alone=Alone(python=python)) as process:
        run_once(process, prompt)
    assert not (tmp_path / "lived").exists()
    assert not ended_before_its_time(tmp_path)  # so that it is gone when the test is


def test_what_reads_stdin_finds_its_end_and_takes_no_command(
    tmp_path: Path, python: str, prompt: dict[str, Any]
) -> None:
    told = job(tmp_path, prompt, ask=True)
    with WorkerProcess(told, log=tmp_path / "worker.log", alone=Alone(python=python)) as process:
        run_once(process, prompt, limit_s=60)
        run_once(process, prompt, limit_s=60)
    assert (tmp_path / "read").read_text() == "nothing 0"
