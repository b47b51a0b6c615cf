"""The call of known cost: that its work is in proportion, and that the toggle proves itself where it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import compare, runner, workload
from harness.adapters import cosyvoice2
from harness.adapters.planted import ADAPTER, UNITS, PlantedModel, Unit
from harness.optimizations import registry
from harness.results import Run
from harness.scenario import Scenario
from harness.toggling import State
from harness.worker import spans
from harness.worker.machine import FakeMachine, machine
from harness.worker.requests import Output, Request, Speaker
from tests.conftest import Quiet

SPEAKER = Speaker(id="nobody", audio=Path("nobody.wav"), text="", digest="")
REQUEST = Request(id="en", mode="zero_shot", text="No text is spoken.", speaker=SPEAKER, seed=0)


class Counted(Unit):
    """A unit that says how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __call__(self) -> torch.Tensor:
        self.calls += 1
        return super().__call__()


def spoken(*, on: State, units: int = UNITS) -> tuple[int, Output]:
    """How many units one request did, and what it made."""
    unit = Counted()
    output = PlantedModel(unit, units, "cpu").bind({"planted_work": on}, []).run(REQUEST, lambda _: None)
    return unit.calls, output


def test_a_request_does_as_many_units_as_it_is_told() -> None:
    assert [spoken(on=False)[0], spoken(on=True)[0]] == [100, 100]
    assert [spoken(on={"units": units})[0] for units in (1, 101, 102, 105)] == [1, 101, 102, 105]
    assert [spoken(on=False, units=7)[0], spoken(on=True, units=7)[0]] == [7, 100]


def test_the_output_is_the_same_bits_whatever_the_number_of_units() -> None:
    before = spoken(on=False)[1].audio
    assert before.tobytes() == spoken(on={"units": 105})[1].audio.tobytes()
    assert before.any()


def test_its_chunk_and_stages_are_told() -> None:
    chunks: list[int] = []
    target = ADAPTER.load({"units": 3}, machine("cpu"), Path()).bind({}, [])
    with spans.recording(spans.Recorder()) as recorder:
        output = target.run(REQUEST, chunks.append)
    assert chunks == [len(output.audio)]
    assert list(recorder.totals_s()) == ["work", "output"]


def test_speech_toggles_do_not_apply_and_change_nothing() -> None:
    model = PlantedModel(Counted(), 5, "cpu")
    assert set(model.not_applicable()) == set(registry()) - {"planted_work"}
    model.bind(dict.fromkeys(registry(), True), [])


@pytest.fixture
def measure(tmp_path: Path, quiet: Quiet) -> Callable[..., Run]:
    def measured(toggles: dict[str, Any], **model: Any) -> Run:
        scenario = Scenario.from_data(
            {
                "file": "planted.yaml",
                "name": "planted",
                "model": {"adapter": "planted", "units": 3, **model},
                "devices": ["cpu"],
                "workload": {"texts": {"en": "hello"}, "prompts": ["builtin:aishell-0121"]},
                "optimizations": toggles,
                "measure": {"metrics": ["latency"], "budget": "0.2s", "workers": 2},
            }
        )
        return runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)

    return measured


def test_an_identical_arm_counts_as_engaged_with_an_unchanged_output(measure: Callable[..., Run]) -> None:
    run = measure({"planted_work": {"after": {"units": 3}}, "cached_device": True})
    found = {item.optimization: item for item in run.contrasts}
    same = found["planted_work"]
    assert same.verdict not in ("inert", "output changed", "failed", "not applicable"), same.reason
    assert (same.witness_before, same.witness_after, same.equivalence) == (0, 1, "bitwise")
    assert found["cached_device"].verdict == "not applicable"
    assert found["cached_device"].reason == "planted has no frontend.device, facade.device"
    here = run.environment["devices"]["cpu"]
    assert (here["torch"], here["threads"]) == (torch.__version__, run.environment["worker"]["threads"])


def test_a_run_says_how_long_the_model_worked_and_complains_of_much_work_of_its_own(
    measure: Callable[..., Run],
) -> None:
    run = measure({"planted_work": True})
    worked = run.timing["worked_s"]["cpu"]
    assert 0 < worked["model"] < worked["pass"]
    for share in (0.94, 0.96):
        timing = {**run.timing, "worked_s": {"cpu": {"pass": 10.0, "model": 10.0 * share}}}
        told = [
            found.message
            for found in compare.evaluate(replace(run, timing=timing, findings=())).findings
            if found.kind == "own work"
        ]
        assert [message[:44] for message in told] == (
            [] if share > 0.95 else ["In 6.0 % of the latency pass (10.0 s once th"]
        )


class Waits(FakeMachine):
    """A fake CPU that says how long it was kept busy."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.waited_s = 0.0

    def busy_wait_s(self, seconds: float) -> float:
        self.waited_s += seconds
        return super().busy_wait_s(seconds)


def test_over_another_model_a_request_is_that_models_after_a_wait_of_known_length(tmp_path: Path) -> None:
    """The waits are those of the arm's units, and what is spoken is what the other model speaks alone."""
    scenario = Scenario.from_data(
        {
            "file": "planted.yaml",
            "name": "planted",
            "model": {"adapter": "planted", "units": 1, "unit": "1ms", "over": {"adapter": "cosyvoice2"}},
            "devices": ["cpu"],
            "workload": {"texts": {"en": "Yes."}},
            "optimizations": {"planted_work": {"after": {"units": 4}}},
        }
    )
    device = Waits()
    model = ADAPTER.load(scenario.options(), device, tmp_path)
    request = workload.request(scenario, 0)
    spoken = {}
    for units, state in ((1, False), (4, {"units": 4})):
        device.waited_s = 0.0
        target = model.bind({"planted_work": state}, [request.speaker])
        spoken[units] = target.run(request, lambda _: None)
        assert device.waited_s == pytest.approx(1e-3 * units)
    alone = cosyvoice2.ADAPTER.load(scenario.options()["over"], machine("cpu"), tmp_path)
    said = alone.bind({"speaker_preregistration": True}, [request.speaker]).run(request, lambda _: None)
    assert all(output.audio.tobytes() == said.audio.tobytes() for output in spoken.values())
    assert len(said.audio) > 0
