"""py-spy beside a real process: a planted slow function is found, and a refusal says what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import pyspy
from harness.errors import ProfileError
from harness.profiles.difference import difference, widest
from harness.profiles.speedscope import samples
from harness.profiles.stacks import Profile, Round, within_requests
from harness.pyspy import Sampler, refusal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="py-spy cannot be told to stop there")
UNIT, REQUESTS = 60_000, 40
PROGRAM = """
import ctypes, sys
from harness.worker.profiling import allow_tracing, profiled_request

def work(units):
    total = 0
    for number in range(units * int(sys.argv[1])):
        total += number * number
    return total

def planted_slow_function(units):
    total = 0
    for number in range(units * int(sys.argv[2])):
        total += number * number
    return total

def speak(units):
    work(units)
    planted_slow_function(units)

allow_tracing()
print("begun", flush=True)
while True:
    profiled_request(speak, int(sys.argv[3]))
    print("spoken", flush=True)
"""


@contextmanager
def running(tmp_path: Path, *arguments: int) -> Iterator[subprocess.Popen[str]]:
    """The program above, which says when a request is over: units of work, units of the planted function, the size of a unit."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    root = str(Path(pyspy.__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, str(file), *map(str, arguments)], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": root}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        try:
            yield process
        finally:
            process.kill()


def sampled(tmp_path: Path, name: str, *arguments: int, native: bool) -> Profile:
    """A profile whose requests take as many units as they are known to have, however fast this machine is."""
    with running(tmp_path, *arguments) as program:
        sampler = Sampler(program.pid, tmp_path / f"{name}.json", native=native)
        try:
            sampler.start()
        except ProfileError as error:
            if "does not let py-spy" in str(error):
                pytest.skip(str(error))
            raise
        try:
            assert program.stdout is not None
            assert [program.stdout.readline() for _ in range(REQUESTS)] == ["spoken\n"] * REQUESTS
            document = sampler.stop()
        finally:
            sampler.end()
    weights = within_requests(samples(document))
    each = (arguments[0] + arguments[1]) / sum(weights.values())
    return Profile(arm=name, unit="s", rounds=(Round(weights=weights, each=each),), requests=1)


@pytest.mark.parametrize("native", [False, True])
def test_a_planted_slow_function_is_the_widest_red_frame(tmp_path: Path, native: bool) -> None:  # noqa: FBT001  a parameter of the test
    before = sampled(tmp_path, "before", 2, 0, UNIT, native=native)
    after = sampled(tmp_path, "after", 2, 6, UNIT, native=native)
    told = difference(before, after)
    found = widest(told.tree, more=True)
    assert found is not None
    assert found.frame.name == "planted_slow_function"
    assert found.frame.file.endswith("program.py")
    assert told.functions[0].frame == found.frame
    assert 3 < told.functions[0].own.change < 8


def test_a_process_that_is_gone_is_an_error_and_not_a_profile(tmp_path: Path) -> None:
    with running(tmp_path, 1, 0, 10) as program:
        pass
    with pytest.raises(ProfileError, match="py-spy failed"):
        Sampler(program.pid, tmp_path / "gone.json", native=False).start()


SAID = "Permission Denied: Try running again with elevated permissions by going 'sudo env \"PATH=$PATH\" !!'"
"""What py-spy 0.4.3 said of a process of another user."""


@pytest.mark.parametrize(
    ("scope", "platform", "remedy"),
    [
        ("", "linux", "--cap-add SYS_PTRACE"),
        ("1", "linux", "--cap-add SYS_PTRACE"),
        ("2", "linux", "sysctl kernel.yama.ptrace_scope=1"),
        ("3", "linux", "until the next start"),
        ("", "darwin", "needs root: sudo harness profile"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(tmp_path: Path, scope: str, platform: str, remedy: str) -> None:
    yama = tmp_path / "ptrace_scope"
    if scope:
        yama.write_text(scope + "\n")
    said = refusal(SAID, yama, platform)
    assert "does not let py-spy look into the worker" in said
    assert remedy in said


def test_another_failure_is_told_in_py_spys_own_words() -> None:
    assert refusal("one\nError: No such process\n") == "py-spy failed: Error: No such process"


def test_without_py_spy_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ProfileError, match="pip install py-spy"):
        pyspy.command()
