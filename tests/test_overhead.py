"""What the harness itself costs: that both sides do the same, that each part is told, and how the outcome is drawn."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.scenario import Scenario
from harness.statistics import Effect
from tests import overhead
from tests.checkout.samples import written
from tests.worker.interpreters import bare

SPEAK = """
import math

def speak(text):
    return [math.sin(i) for i in range(20_000)]
"""
SOUND_WITHOUT_NUMPY = """
from array import array

def speak(text):
    return array("f", [0.1] * 8000), 16_000
"""
ANSWERS = """
import numpy as np

def one_channel(text):
    return np.zeros((1, 8000), np.float32), 16_000

def in_chunks(text):
    yield np.zeros((1, 8000), np.float32), 16_000
    yield np.zeros(4000, np.float32), 16_000

def unequal_chunks(text):
    yield np.zeros(8000, np.float32), 16_000
    yield np.zeros(8000, np.float32), 8_000

def no_sound(text):
    return 3, 4.5

def by_zero(text):
    return "words", 0
"""
FAILING = """
name: failing
model: {{adapter: callable, target: {target}}}
devices: [cpu]
workload: {{texts: {{en: hello}}}}
optimizations: {{cached_device: true}}
"""
EFFECT = Effect(location=0.0, low=0.0, high=0.0, level=0.95, blocks=10, workers=5)


def scenario_of(folder: Path, model: dict[str, Any], **more: Any) -> Scenario:
    data = {
        "file": str(folder / "mine.yaml"),
        "name": "mine",
        "devices": ["cpu"],
        "optimizations": {"cached_device": True},
    }
    return Scenario.from_data({**data, "model": model, **more})


def test_a_function_is_timed_through_the_worker_and_as_it_is(user_code: Callable[..., Path]) -> None:
    folder = user_code(overhead_of_mine=SPEAK)
    scenario = scenario_of(folder, {"adapter": "callable", "target": "overhead_of_mine.py:speak"})
    found = overhead.measure(scenario, device="cpu", processes=2, rounds=3, index=0)
    assert [len(rounds) for rounds in found.processes] == [3, 3]
    assert found.spans == {"call": 1}
    assert found.same_work
    for rounds in found.processes:
        for row in rounds:
            assert row["harness.whole"] > row["harness"] > 0
            assert row["plain"] > 0
            assert min(row["plain.cpu"], row["harness.cpu"]) > 0
    text = "\n".join(overhead.told(found))
    assert "the plain call" in text
    assert "CPU time of it" in text
    assert "2 spans, recorded" in text
    assert "unequal work" not in text
    assert "unequal work" in "\n".join(overhead.told(replace(found, same_work=False)))


def test_a_checkout_is_timed_through_its_own_worker_and_by_its_facade_with_as_much_sound(tmp_path: Path) -> None:
    written(tmp_path / "code")
    model = {
        "adapter": "checkout", "path": str(tmp_path / "code"), "weights": str(tmp_path / "code" / "weights"),
        "length": "forced",
    }  # fmt: skip
    workload = {"texts": {"en": "See you at three."}, "prompts": ["builtin:aishell-0121"]}
    found = overhead.measure(
        scenario_of(tmp_path, model, workload=workload), device="cpu", processes=1, rounds=2, index=0
    )
    assert found.same_work
    assert found.spans["llm"] >= 1
    assert len(found.processes[0]) == 2


@pytest.mark.parametrize(
    ("low", "high", "code"),
    [(-0.001, 0.004, 0), (0.006, 0.02, 1), (0.004, 0.006, 3), (-0.05, 0.05, 3), (None, None, 3)],
)
def test_the_whole_interval_must_lie_on_one_side_of_the_limit(low: float | None, high: float | None, code: int) -> None:
    assert overhead.outcome(replace(EFFECT, low=low, high=high)) == code


def test_a_model_of_ours_has_no_plain_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        overhead.main(["smoke"])
    assert "has no plain call" in capsys.readouterr().err


def test_a_scenario_that_cannot_be_used_and_a_process_that_fails_do_not_end_as_above(
    user_code: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert overhead.main(["no-such-scenario"]) == 2
    assert "no-such-scenario" in capsys.readouterr().err
    folder = user_code(overhead_of_failing="def speak(text):\n    raise ValueError('out of words')\n")
    (folder / "failing.yaml").write_text(FAILING.format(target="overhead_of_failing.py:speak"), encoding="utf-8")
    assert overhead.main([str(folder / "failing.yaml"), "--processes", "1", "--rounds", "1"]) == 4
    assert "out of words" in capsys.readouterr().err
    absent = ["--set", "model.python=nowhere/python", "--processes", "1"]
    assert overhead.main([str(folder / "failing.yaml"), *absent]) == 2


def test_an_error_that_nobody_foresaw_does_not_end_as_above(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        message = "unforeseen"
        raise RuntimeError(message)

    monkeypatch.setattr(overhead, "load", broken)
    assert overhead.main(["smoke"]) == 4
    assert "unforeseen" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for a bare interpreter")
def test_a_function_is_timed_in_an_interpreter_of_its_own(user_code: Callable[..., Path], tmp_path: Path) -> None:
    folder = user_code(overhead_elsewhere=SOUND_WITHOUT_NUMPY)
    model = {"adapter": "callable", "target": "overhead_elsewhere.py:speak", "python": bare(tmp_path)}
    found = overhead.measure(scenario_of(folder, model), device="cpu", processes=1, rounds=2, index=0)
    assert found.same_work
    assert found.spans == {"call": 1}
    assert len(found.processes[0]) == 2


@pytest.mark.parametrize("function", ["one_channel", "in_chunks", "unequal_chunks", "no_sound", "by_zero"])
def test_what_counts_as_sound_is_what_counts_for_the_adapter(user_code: Callable[..., Path], function: str) -> None:
    folder = user_code(overhead_of_answers=ANSWERS)
    model = {"adapter": "callable", "target": f"overhead_of_answers.py:{function}"}
    found = overhead.measure(scenario_of(folder, model), device="cpu", processes=1, rounds=1, index=0)
    assert found.same_work
