"""Commands that a page or a terminal tells its reader to type."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from harness.report import commands
from harness.results import Run
from tests.report import sample_runs


def made_by(command: str, *, name: str = "mine", file: str = "/home/ada/my bench.yaml") -> Run:
    run = sample_runs.calibrated()
    return replace(
        run, scenario={**run.scenario, "name": name, "file": file}, timing={**run.timing, "command": command}
    )


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("harness run 'my bench.yaml'", "harness calibrate 'my bench.yaml'"),
        ("harness run here/my\\ bench.yaml --out x --budget 2m", "harness calibrate 'here/my bench.yaml' --budget 2m"),
        ("harness run --json 'my bench' --set 'a=[1, 2]'", "harness calibrate 'my bench' --set 'a=[1, 2]'"),
        (
            "harness run 'my bench.yaml' --for 9m --continue --device=cpu",
            "harness calibrate 'my bench.yaml' --device=cpu",
        ),
        ("harness run --resume results/mine-1", "harness calibrate mine"),
        ("harness run run.yaml", "harness calibrate run.yaml"),
        ("harness run --out mine mine.yaml", "harness calibrate mine.yaml"),
        ("harness run 'torn", "harness calibrate mine"),
        ("", "harness calibrate mine"),
    ],
)
def test_what_a_machine_can_tell_apart_is_asked_for_the_scenario_as_it_was_named(command: str, expected: str) -> None:
    assert commands.calibrating(made_by(command)) == expected


def test_a_name_of_two_words_is_one_word_of_a_command() -> None:
    assert commands.calibrating(made_by("", name="my run")) == "harness calibrate 'my run'"
    assert shlex.split(commands.command(made_by("", name="my run"))) == ["harness", "run", "my run"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("harness run mine.yaml --for 9m --continue --out 'a b'", "harness run mine.yaml --out 'a b'"),
        ("harness run --for=9m mine.yaml --resume 'results/a b'", "harness run mine.yaml"),
        ("harness run --resume 'results/a b'", "harness run mine"),
        ("harness run --resume x --json", "harness run mine --json"),
        ("harness run --resume x --out y", "harness run mine --out y"),
    ],
)
def test_a_run_is_made_anew_at_once_whatever_its_parts_were(command: str, expected: str) -> None:
    assert commands.anew(made_by(command)) == expected
