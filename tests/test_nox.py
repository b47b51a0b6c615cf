"""`nox -s bench`: what it calls and in which order, with a Python that writes down what it was asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECORDER = """\
#!/bin/sh
echo "$*" >> "$RECORDED"
case "$*" in *limits*) exit "$LIMITS";; esac
echo "page  file:///where/report.html"
exit "$RUN"
"""


def bench(folder: Path, *, limits: int = 0, run: int = 0, wanted: tuple[str, ...] = ()) -> tuple[int, list[str], str]:
    """The exit code of the session, what it called, and what it said."""
    recorder, recorded = folder / "python", folder / "recorded"
    recorder.write_text(RECORDER, encoding="utf-8")
    recorder.chmod(0o755)
    variables = {"HARNESS_PYTHON": str(recorder), "RECORDED": str(recorded), "LIMITS": str(limits), "RUN": str(run)}
    command = [sys.executable, "-m", "nox", "-f", str(ROOT / "noxfile.py"), "-s", "bench"]
    done = subprocess.run(
        [*command, *(["--", *wanted] if wanted else [])], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )  # fmt: skip
    return done.returncode, recorded.read_text(encoding="utf-8").splitlines(), done.stdout


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the recorder is a shell script")


def test_a_bench_measures_the_limits_first_then_the_six_and_says_where_the_page_is(tmp_path: Path) -> None:
    code, called, said = bench(tmp_path)
    assert code == 0
    assert called == ["-m harness limits", "-m harness run seed-optimizations"]
    assert said.rstrip().splitlines()[-1] == "page  file:///where/report.html"


@pytest.mark.parametrize("limits", [2, 4])
def test_a_bench_goes_on_where_the_limits_cannot_be_measured(tmp_path: Path, limits: int) -> None:
    code, called, _ = bench(tmp_path, limits=limits, wanted=("smoke", "--budget", "5s"))
    assert code == 0
    assert called[-1] == "-m harness run smoke --budget 5s"


def test_a_bench_whose_run_fails_has_failed(tmp_path: Path) -> None:
    assert bench(tmp_path, run=4)[0] != 0
