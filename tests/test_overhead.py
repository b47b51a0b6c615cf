"""What the harness itself costs: that both sides do the same, that each part is told, and how the outcome is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.scenario import Scenario
from harness.statistics import Effect
from tests import overhead
from tests.checkout.samples import written

SPEAK = """
import math

def speak(text):
    return [math.sin(i) for i in range(20_000)]
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
