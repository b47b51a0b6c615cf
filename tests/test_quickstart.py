"""The quick start, done as it is written: its files, its commands, and what it says comes out."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "quickstart.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORT = {"run": ["--budget", "2s", "--set", "measure.workers=2", "--set", "measure.margin=10%"]}
"""What the test adds to a command of the page, so that it takes less time."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, each named in the first line of its block."""
    made = tmp_path_factory.mktemp("quickstart")
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language != "sh":
            name = re.fullmatch(r"# ([\w.]+)", text.partition("\n")[0])
            assert name is not None, f"a block of the page does not say in its first line which file it is: {text}"
            (made / name[1]).write_text(text, encoding="utf-8")
    return made


def commands() -> list[list[str]]:
    shell = [text for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if language == "sh"]
    return [shlex.split(line) for text in shell for line in text.splitlines()]


def do(command: list[str], folder: Path) -> str:
    """Run a command of the page, with this interpreter's harness."""
    program, *arguments = command
    if program == "harness":
        arguments = ["-m", "harness", *arguments, *SHORT.get(arguments[0], [])]
    paths = filter(None, (str(PAGE.parent.parent), os.environ.get("PYTHONPATH")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_the_commands_that_are_tested_here() -> None:
    assert [" ".join(command[:3]) for command in commands()] == [
        "harness validate mine.yaml", "harness run mine.yaml", "python -m pytest",
    ]  # fmt: skip
    assert len((BLOCK.findall(PAGE.read_text(encoding="utf-8")))[2][1].splitlines()) <= 6


def test_the_scenario_is_valid_and_the_contract_holds(folder: Path) -> None:
    validate, _, contract = commands()
    assert do(validate, folder) == "mine.yaml: valid\n"
    assert "passed" in do(contract, folder)


def test_the_run_makes_a_page_that_tells_the_planted_toggle_apart_or_says_that_it_cannot(folder: Path) -> None:
    said = do(commands()[1], folder)
    (run,) = (folder / "results").iterdir()
    assert (run / "report.html").as_uri() in "".join(said.split())
    assert "kept_window" in (run / "report.html").read_text(encoding="utf-8")
    told = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (found,) = (item for item in told["contrasts"] if item["metric"] == "latency")
    assert found["verdict"] in ("faster", "inconclusive"), found
    assert found["verdict"] == "faster" or found["reason"]
    assert (found["witness_before"], found["witness_after"], found["equivalence"]) == (1.0, 0.0, "bitwise")
