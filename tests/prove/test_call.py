"""The call that other tools measure is the one that the harness measures, and its work is in proportion to its units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from harness.adapters.planted import UNITS, PlantedModel, Unit
from harness.worker.requests import Request, Speaker
from tests.prove.call import UNITS_VARIABLE, planted_call, told_call
from tests.prove.decisions import SLOW_DOWNS, Job


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """The call sets the number of threads of its process, which here is that of all tests."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def done_by(units: int) -> int:
    """How many units one call does."""
    calls = []
    planted_call(units, lambda: calls.append(1))()
    return len(calls)


def test_a_call_does_as_many_units_as_it_is_told() -> None:
    assert [done_by(units) for units in (1, 100, 105)] == [1, 100, 105]


def test_a_slow_down_is_so_many_percent_more_units() -> None:
    units = [Job(tool="any", turn=0, slow_down=slow_down).units for slow_down in SLOW_DOWNS]
    assert [done_by(number) / UNITS for number in units] == [1.0, 1.01, 1.02, 1.05]


def test_the_call_makes_what_a_request_of_the_harness_makes() -> None:
    answer = planted_call(2)()
    speaker = Speaker(id="nobody", audio=Path("nobody.wav"), text="", digest="")
    request = Request(id="en", mode="zero_shot", text="", speaker=speaker, seed=0)
    output = PlantedModel(Unit(), 2, "cpu").bind({}, []).run(request, lambda _: None)
    assert isinstance(answer, torch.Tensor)
    assert answer.numpy().tobytes() == output.audio.tobytes()


def test_a_process_is_told_its_units_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr("tests.prove.call.Unit", lambda: lambda: calls.append(1))
    monkeypatch.setenv(UNITS_VARIABLE, "7")
    told_call()()
    assert len(calls) == 7
    assert torch.get_num_threads() == 1
