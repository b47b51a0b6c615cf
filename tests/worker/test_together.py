"""Requests at the same moment: what is timed, what is delayed, and what happens when one of them fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.adapters.base import Target
from harness.adapters.fake import ADAPTER
from harness.designs import DEVICE_DOSE, HOST_DOSE, PLACEBO
from harness.results import Arm
from harness.worker.machine import FakeMachine
from harness.worker.measure import Bench
from harness.worker.requests import Output, Request, Speaker
from harness.worker.together import Threads, values_of

SPEAKER = Speaker(id="ada", audio=Path("ada.wav"), text="hello", digest="ada-1")


def ask(concurrency: int, *, stream: bool = False) -> Request:
    return Request(
        id="r", mode="zero_shot", text="hello", speaker=SPEAKER, seed=0, concurrency=concurrency, stream=stream
    )


def arm(name: str, **states: bool) -> Arm:
    return Arm(name=name, role="toggle", states=states)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    machine = FakeMachine("cuda:0")
    options = {"base": 1.0, "effects": {"resample_cache": -0.1}, "crowding": {"resample_cache": -0.02}}
    model = ADAPTER.load(options, machine, tmp_path)
    names = ("none", PLACEBO, HOST_DOSE, DEVICE_DOSE)
    made = Bench(model, machine, [*map(arm, names), arm("resample_cache", resample_cache=True)], [SPEAKER])
    for name in (*names, "resample_cache"):
        made.bind(name)
    return made


def test_latency_is_each_ones_own_and_the_rate_is_of_all_audio(bench: Bench) -> None:
    values = bench.time("none", ask(4))
    assert values["latency"] == pytest.approx(2.5)
    assert values["audio"] == pytest.approx(0.5)
    assert values["rtf"] == pytest.approx(5.0)
    assert values["audio_rate"] == pytest.approx(4 * 0.5 / 2.5)
    assert values["alike"] == 1.0


def test_the_price_that_grows_with_the_crowd_is_found(bench: Bench) -> None:
    ratios = {}
    for concurrency in (1, 2, 4):
        before, after = (bench.time(name, ask(concurrency))["latency"] for name in ("none", "resample_cache"))
        assert before
        assert after
        ratios[concurrency] = after / before
    assert ratios == pytest.approx({1: 0.9, 2: 0.88, 4: 0.84})


def test_stages_are_recorded_alone_and_absent_in_a_crowd(bench: Bench) -> None:
    alone, crowd = bench.time("none", ask(1)), bench.time("none", ask(2))
    assert {"stage.llm", "device.latency"} <= set(alone)
    assert not [name for name in crowd if name.startswith(("stage.", "device."))]


def test_a_dose_on_the_host_delays_every_request_by_its_length(bench: Bench) -> None:
    plain, dosed = bench.time("none", ask(4)), bench.time(HOST_DOSE, ask(4), dose_s=0.25)
    assert plain["latency"] is not None
    assert dosed["dose"] == 0.25
    assert dosed["latency"] == pytest.approx(plain["latency"] + 0.25)


def test_a_dose_on_the_device_is_left_out_of_a_crowd(bench: Bench) -> None:
    plain, dosed = bench.time("none", ask(4)), bench.time(DEVICE_DOSE, ask(4), dose_s=0.25)
    assert "dose" not in dosed
    assert dosed["latency"] == plain["latency"]


def test_the_first_audio_of_a_crowd_is_the_mean_of_its_requests(bench: Bench) -> None:
    values = bench.time("none", ask(2, stream=True))
    assert values["ttfa"] == pytest.approx(0.9 * 1.5)
    assert values["chunk_gap"] == pytest.approx(0.1 * 1.5)


def test_pipelines_are_bound_as_needed_and_kept(bench: Bench) -> None:
    first = bench.bind_others("none", 3)
    assert len({id(target) for target in first}) == 3
    assert bench.bind_others("none", 2) == first[:2]
    bench.bind("none")
    assert not set(map(id, bench.bind_others("none", 3))) & set(map(id, first))


class Speaking:
    """A target that notes the thread in which it ran and then does as it is told."""

    def __init__(self, then: Callable[[], object] = lambda: None, token: int = 1, samples: int = 24) -> None:
        self.threads: list[int] = []
        self.then = then
        self.token = token
        self.samples = samples

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        self.threads.append(threading.get_ident())
        self.then()
        on_chunk(1)
        return Output(audio=np.zeros(self.samples, np.float32), sample_rate_hz=24, tokens=[self.token])


def fail() -> None:
    message = "planted"
    raise MemoryError(message)


def test_each_request_keeps_its_thread_and_no_two_share_one() -> None:
    threads, targets = Threads(FakeMachine()), [Speaking() for _ in range(3)]
    for count in (3, 2, 3):
        threads.run(targets[:count], ask(count))
    used = [set(target.threads) for target in targets]
    assert [len(names) for names in used] == [1, 1, 1]
    assert len(set.union(*used)) == 3


def test_all_requests_are_under_way_before_any_has_to_end() -> None:
    everybody = threading.Barrier(4, timeout=10)
    targets: list[Target] = [Speaking(everybody.wait) for _ in range(4)]
    assert len(Threads(FakeMachine()).run(targets, ask(4)).answers) == 4


def test_a_request_that_fails_fails_the_moment_after_the_others_have_ended() -> None:
    threads, targets = Threads(FakeMachine()), [Speaking(), Speaking(fail), Speaking()]
    with pytest.raises(MemoryError, match="planted"):
        threads.run(targets, ask(3))
    assert [len(target.threads) for target in targets] == [1, 1, 1]
    assert len(threads.run([Speaking(), Speaking()], ask(2)).answers) == 2


def test_requests_that_did_other_work_are_told() -> None:
    for other in (Speaking(token=2), Speaking(samples=3)):
        together = Threads(FakeMachine()).run([Speaking(), other], ask(2))
        assert values_of(together, stream=False)["alike"] == 0.5
