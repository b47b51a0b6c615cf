"""The command `harness` as a user runs it, in a fork of the test's process, which has imported everything already.

A fresh interpreter would import all of it anew for each of many commands. What starts the interpreter itself is tested by
`tests/test_quickstart.py`, `tests/plugins/` and the tests that end a command by a signal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import IO

import harness.cli
import harness.report
import harness.runner

LIMIT_S = 300.0


def harness_command(
    *arguments: str, cwd: Path | None = None, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """What `harness ARGUMENTS` in `cwd` ends with, and writes to stdout and stderr; `before` is called in its process first."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = get_context("fork").Process(target=_run, args=(arguments, cwd, before, stdout, stderr))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
            process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        assert process.exitcode is not None
        texts = []
        for stream in (stdout, stderr):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8"))
        return subprocess.CompletedProcess(["harness", *arguments], process.exitcode, texts[0], texts[1])


def _run(
    arguments: tuple[str, ...],
    cwd: Path | None,
    before: Callable[[], None] | None,
    stdout: IO[bytes],
    stderr: IO[bytes],
) -> None:
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
    sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if cwd is not None:
        os.chdir(cwd)
    sys.argv = ["harness", *arguments]
    sys.path.insert(0, str(Path.cwd()))  # as of `python -m`
    warnings.resetwarnings()
    if before is not None:
        before()
    harness.cli.main()
