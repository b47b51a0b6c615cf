"""Peaks of memory by stage: of nested stages, the outer has at least the peak of the inner."""

from __future__ import annotations

from itertools import count

import pytest

from harness.worker import spans
from harness.worker.peaks import PeakRecorder
from harness.worker.vram import DOSE_BYTES, EVENTS, NON_TORCH, WHOLE, FakeMemory, HostMemory

MIB = 2**20


def recorder(memory: FakeMemory) -> PeakRecorder:
    ticks = count(0, 1_000_000_000)
    return PeakRecorder(memory, lambda: next(ticks))


def test_each_stage_has_the_peak_of_what_ran_in_it() -> None:
    memory = FakeMemory(device=True)
    heard = recorder(memory)
    with spans.recording(heard), spans.span("request"):
        with spans.span("llm"):
            memory.use_bytes(100 * MIB)
        with spans.span("flow"):
            memory.use_bytes(20 * MIB)
            with spans.span("flow.estimator"):
                memory.use_bytes(300 * MIB)
            memory.use_bytes(40 * MIB)
    values = heard.values()
    assert values["peak_allocated.llm"] == 100 * MIB
    assert values["peak_allocated.flow"] == values["peak_allocated.flow.estimator"] == 300 * MIB
    assert values["peak_allocated"] == values["peak_reserved"] == 300 * MIB
    assert "peak_allocated.request" not in values
    assert [stage for _, stage, *_ in heard.points][:4] == ["", "request", "llm", "request"]


def test_what_is_used_between_stages_counts_for_the_request_alone() -> None:
    memory = FakeMemory(device=True)
    heard = recorder(memory)
    with spans.recording(heard), spans.span("request"):
        with spans.span("llm"):
            memory.use_bytes(10 * MIB)
        memory.use_bytes(50 * MIB)
    values = heard.values()
    assert values["peak_allocated"] == 50 * MIB
    assert values["peak_allocated.llm"] == 10 * MIB


def test_a_dose_that_is_held_stands_in_every_peak() -> None:
    memory = FakeMemory(device=True)
    heard = recorder(memory)
    with memory.holding_dose(), spans.recording(heard), spans.span("llm"):
        memory.use_bytes(MIB)
    assert heard.values()["peak_allocated"] == DOSE_BYTES + MIB


def test_what_a_device_does_not_count_is_none_and_never_zero() -> None:
    heard = recorder(FakeMemory(device=False))
    with spans.recording(heard), spans.span("llm"):
        pass
    values = heard.values()
    missing = ("peak_allocated", "peak_reserved", "driver_used", "fragmentation", *EVENTS, NON_TORCH, WHOLE)
    assert [values[name] for name in missing] == [None] * len(missing)
    assert set(missing) <= set(FakeMemory(device=False).unavailable())
    assert not heard.points


def test_the_share_that_no_tensor_needed_is_that_of_the_peaks() -> None:
    class Wasteful(FakeMemory):
        def peaks(self) -> dict[str, float | None]:
            return {"rss_peak": 0.0, "peak_allocated": 75.0, "peak_reserved": 100.0}

    assert recorder(Wasteful(device=True)).values()["fragmentation"] == pytest.approx(0.25)


def test_the_resident_peak_of_this_process_rises_with_what_it_holds() -> None:
    memory = HostMemory()
    memory.reset()
    before = memory.peaks()["rss_peak"] or 0.0
    with memory.holding_dose():
        assert (memory.peaks()["rss_peak"] or 0.0) - before > 0.9 * DOSE_BYTES


class Loading(FakeMemory):
    """Counts outside the allocator what it is told, one after the other."""

    def __init__(self, *counts_mib: float | None) -> None:
        super().__init__(device=True)
        self._counts = iter(counts_mib)

    def count_non_torch(self) -> float | None:
        found = next(self._counts)
        return None if found is None else found * MIB


def test_what_is_outside_the_allocator_is_counted_at_every_edge_and_maxima_that_never_met_are_not_added() -> None:
    memory = Loading(692.0, 692.0, 692.0, 775.0, 770.0)
    heard = recorder(memory)
    with spans.recording(heard):
        with spans.span("llm"):
            memory.use_bytes(300 * MIB)
        with spans.span("flow"):
            memory.use_bytes(100 * MIB)
    values = heard.values()
    assert (values["peak_reserved"], values[NON_TORCH]) == (300 * MIB, 775 * MIB)
    assert values[WHOLE] == (300 + 692) * MIB


def test_where_the_driver_tells_no_count_there_is_none() -> None:
    values = recorder(Loading(None)).values()
    assert (values[NON_TORCH], values[WHOLE]) == (None, None)


class Full(FakeMemory):
    """Has no room left at the count numbered so."""

    def __init__(self, at: int) -> None:
        super().__init__(device=True)
        self._left = at

    def count_non_torch(self) -> float | None:
        self._left -= 1
        if self._left == 0:
            message = "no room"
            raise MemoryError(message)
        return 0.0


@pytest.mark.parametrize(("at", "stage"), [(1, "request"), (2, "llm"), (3, "llm"), (4, "request")])
def test_a_count_that_finds_no_room_names_the_stage_of_its_edge(at: int, stage: str) -> None:
    heard = recorder(Full(at))
    with (
        pytest.raises(MemoryError, match="no room") as caught,
        spans.recording(heard), spans.span("request"), spans.span("llm"),
    ):  # fmt: skip
        pass
    assert spans.stage_of(caught.value) == stage


def test_an_error_of_the_model_is_told_and_not_that_of_a_count_after_it() -> None:
    heard, own = recorder(Full(3)), ValueError("the model's own")
    with (
        pytest.raises(ValueError, match="the model's own") as caught,
        spans.recording(heard), spans.span("request"), spans.span("llm"),
    ):  # fmt: skip
        raise own
    assert spans.stage_of(caught.value) == "llm"
