"""What a worker reads off one request, with the fake adapter on its own clock."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.adapters.fake import FakeAdapter
from harness.results import Arm
from harness.worker.machine import CudaMachine, FakeMachine, event_of
from harness.worker.measure import Bench, _written
from harness.worker.requests import Output, Request, Speaker

SPEAKER = Speaker(id="a", audio=Path("a.wav"), text="hello", digest="d")


def timed(base_s: float, *, stream: bool, tmp_path: Path) -> dict[str, Any]:
    """The values of one request of `base_s` seconds, whose two streamed chunks arrive after 0.9 and 1.0 of that."""
    machine = FakeMachine()
    model = FakeAdapter().load({"base": base_s}, machine, tmp_path)
    bench = Bench(model, machine, [Arm(name="none", role="none", states={})], [SPEAKER])
    bench.bind("none")
    return bench.time("none", Request(id="r", mode="zero_shot", text="hi", speaker=SPEAKER, seed=0, stream=stream))


def test_a_streaming_request_says_when_its_chunks_came_and_what_a_listener_heard(tmp_path: Path) -> None:
    values = timed(0.1, stream=True, tmp_path=tmp_path)
    assert values["ttfa"] == pytest.approx(0.09)
    assert values["chunk_gap"] == pytest.approx(0.01)
    assert (values["underruns"], values["stall"]) == (0, 0)


def test_a_request_that_is_slower_than_it_plays_runs_dry(tmp_path: Path) -> None:
    values = timed(10.0, stream=True, tmp_path=tmp_path)
    assert values["chunk_gap"] == pytest.approx(1.0)
    assert values["underruns"] == 1
    assert values["stall"] == pytest.approx(0.75)


def test_a_request_that_does_not_stream_has_no_chunks_to_speak_of(tmp_path: Path) -> None:
    assert not {"ttfa", "chunk_gap", "underruns", "stall"} & set(timed(0.1, stream=False, tmp_path=tmp_path))


def test_the_time_in_which_the_model_worked_is_that_of_all_requests_timed_or_not_and_of_building(
    tmp_path: Path,
) -> None:
    machine = FakeMachine()
    model = FakeAdapter().load({"base": 0.1}, machine, tmp_path)
    bench = Bench(model, machine, [Arm(name="none", role="none", states={})], [SPEAKER])
    built = bench.bind("none")["init"] or 0.0
    assert bench.model_s == pytest.approx(built)
    alone = Request(id="r", mode="zero_shot", text="hi", speaker=SPEAKER, seed=0)
    bench.settle("none", alone)
    latency = bench.time("none", alone)["latency"] or 0.0
    assert bench.model_s == pytest.approx(built + 0.1 + latency, rel=0.05)


class Event:
    """As torch.Event and torch.cuda.Event, without a card."""

    def __init__(self, device: str = "", *, enable_timing: bool) -> None:
        assert enable_timing
        self.device, self.recorded = device, 0

    def record(self) -> None:
        self.recorded += 1


def test_events_are_used_again_once_their_request_was_read() -> None:
    device = CudaMachine.__new__(CudaMachine)  # __init__ needs a card; what is tested does not
    device._event = event_of(SimpleNamespace(Event=Event), "cuda:1")
    device._events, device._recorded = [], 0
    first = [device._mark() for _ in range(3)]
    assert len(set(map(id, first))) == 3
    device.forget_marks()
    again = [device._mark() for _ in range(4)]
    assert again[:3] == first
    assert [event.recorded for event in again] == [2, 2, 2, 1]


def test_events_are_those_that_cost_least_of_what_a_version_of_pytorch_has() -> None:
    assert event_of(SimpleNamespace(Event=Event, cuda=SimpleNamespace(Event=None)), "cuda:1")().device == "cuda:1"
    old = event_of(SimpleNamespace(cuda=SimpleNamespace(Event=Event)), "cuda:1")()
    old.record()
    assert (old.device, old.recorded) == ("", 1)


def test_a_request_forgets_the_marks_of_those_before_it_and_none_of_its_own(tmp_path: Path) -> None:
    told: list[str] = []

    class Marking(FakeMachine):
        def forget_marks(self) -> None:
            told.append("forget")

        def elapsed_s(self, start: Any, end: Any) -> float:
            told.append("read")
            return super().elapsed_s(start, end)

    machine = Marking("cuda:0")
    bench = Bench(FakeAdapter().load({"base": 0.1}, machine, tmp_path), machine, [Arm(name="none", role="none", states={})],
                  [SPEAKER])  # fmt: skip
    bench.bind("none")
    told.clear()
    for _ in range(2):
        bench.time("none", Request(id="r", mode="zero_shot", text="hi", speaker=SPEAKER, seed=0))
    assert [name for name, _ in groupby(told)] == ["forget", "read", "forget", "read"]


@pytest.mark.parametrize(("rate_hz", "as_first"), [(24_000, True), (22_050, False)])
def test_the_same_samples_at_another_rate_are_not_what_the_request_made_first(
    rate_hz: int, *, as_first: bool, tmp_path: Path
) -> None:
    samples = np.linspace(-0.5, 0.5, 300, dtype=np.float32)
    before, after = (Output(audio=samples, sample_rate_hz=rate, tokens=()) for rate in (24_000, rate_hz))
    assert _written(after, before, tmp_path / "after.wav")["as_first"] is as_first
