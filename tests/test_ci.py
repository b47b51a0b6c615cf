"""The files for CI services in docs/ci are what those services read, and run commands that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML

from harness.cli import app
from harness.gate import Decision, Line, Moved, Ungated
from harness.scenario import load

DOCS = Path(__file__).parent.parent / "docs"
FILES = sorted((DOCS / "ci").glob("*.yml"))
READ = {path.stem: YAML(typ="safe").load(path.read_text(encoding="utf-8")) for path in FILES}


def scripts(node: Any) -> Iterator[str]:
    """The shell lines of a file: `run` of GitHub, `script` of GitLab."""
    if isinstance(node, list):
        for item in node:
            yield from scripts(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("run", "script"):
                yield from [value] if isinstance(value, str) else value
            else:
                yield from scripts(value)


def commands(node: Any) -> list[list[str]]:
    """Every call of the harness, without its program."""
    words = [shlex.split(line) for script in scripts(node) for line in script.splitlines()]
    return [line[1:] for line in words if line and Path(line[0]).name == "harness"]


@pytest.mark.parametrize("name", READ)
def test_a_file_calls_a_gate_that_writes_every_output(name: str) -> None:
    (gate,) = [line for line in commands(READ[name]) if line[0] == "gate"]
    assert {"--base", "--junit", "--json", "--markdown"} <= set(gate)


@pytest.mark.parametrize("name", READ)
def test_the_command_line_accepts_every_call(name: str) -> None:
    group: Any = typer.main.get_command(app)
    called = commands(READ[name])
    assert {line[0] for line in called} <= {*group.commands, "gate"}
    for command, *arguments in called:
        if command in group.commands:
            group.commands[command].make_context(command, list(arguments))


def test_what_a_gate_writes_is_what_is_kept() -> None:
    github, gitlab = READ["github-actions"], READ["gitlab-ci"]["gate"]
    (kept,) = [
        step["with"]["path"] for step in github["jobs"]["gate"]["steps"] if "upload-artifact" in step.get("uses", "")
    ]
    assert kept.split() == gitlab["artifacts"]["paths"]
    for node in (github, gitlab):
        (gate,) = [line for line in commands(node) if line[0] == "gate"]
        assert gate[gate.index("--junit") + 1] == gitlab["artifacts"]["reports"]["junit"]
        out = gate[gate.index("--out") + 1]
        assert all(Path(gate[gate.index(f"--{output}") + 1]).match(f"{out}/gate.*") for output in ("json", "markdown"))


def test_the_scenario_of_the_files_has_limits() -> None:
    for name in (READ["github-actions"]["env"]["SCENARIO"], READ["gitlab-ci"]["gate"]["variables"]["SCENARIO"]):
        assert load(name).gate.limits


def test_both_fetch_the_whole_history_and_a_fork_can_write_nothing() -> None:
    github, gitlab = READ["github-actions"], READ["gitlab-ci"]["gate"]
    checkout = github["jobs"]["gate"]["steps"][0]["with"]
    assert checkout == {"fetch-depth": 0, "persist-credentials": False}
    assert gitlab["variables"]["GIT_DEPTH"] == "0"
    assert set(github["on"]) == {"pull_request"}
    assert github["permissions"] == {"contents": "read"}
    assert "secrets." not in (DOCS / "ci" / "github-actions.yml").read_text(encoding="utf-8")


def test_no_script_has_an_expression_that_a_pull_request_can_fill() -> None:
    assert not [script for script in scripts(READ["github-actions"]) if "${{" in script]


@pytest.mark.parametrize("data", [Decision, Line, Moved, Ungated])
def test_the_page_lists_every_key_of_the_json(data: Any) -> None:
    page = (DOCS / "ci.md").read_text(encoding="utf-8")
    assert [field.name for field in fields(data) if f"`{field.name}`" not in page] == []


def test_the_page_links_every_file() -> None:
    linked = set(re.findall(r"\(ci/([a-z-]+\.yml)\)", (DOCS / "ci.md").read_text(encoding="utf-8")))
    assert linked == {path.name for path in FILES}
