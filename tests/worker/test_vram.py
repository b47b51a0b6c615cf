"""A limit of a card's memory, and what an out-of-memory error of the caching allocator is told as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.worker.card import Card
from harness.worker.errors import UsageError
from harness.worker.vram import DOSE_BYTES, NON_TORCH, WHOLE, CudaMemory, refused

GIB = 2**30
MIB = 2**20
MESSAGE = (
    "CUDA out of memory. Tried to allocate {asked}. GPU 0 has a total capacity of 139.80 GiB of which 136.20 GiB is free. "
    "Including non-PyTorch memory, this process has 2.90 GiB memory in use. 2.32 GiB allowed; Of the allocated memory "
    "{allocated} is allocated by PyTorch, and {unused} is reserved by PyTorch but unallocated. If reserved but unallocated "
    "memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)


def told(message: str) -> str:
    said = refused(
        message, now_bytes=0.25 * GIB, context_bytes=0.75 * GIB, limit_bytes=3 * GIB, limit="the limit of 3 GiB"
    )
    return said.replace("\u202f", " ")


def test_what_was_in_use_is_what_the_error_says_and_not_what_is_left_after_it() -> None:
    message = MESSAGE.format(asked="256.00 MiB", allocated="2.25 GiB", unused="12.00 MiB")
    assert told(message) == (
        "256.0 MiB asked for with 2.250 GiB in use and 768.0 MiB of context: 256.0 MiB more than the limit of 3 GiB"
    )


def test_where_the_sum_would_fit_no_cause_is_made_up() -> None:
    """Two decimals of a GiB hide five MiB, and another process may hold the card."""
    full = MESSAGE.format(asked="2.00 MiB", allocated="2.24 GiB", unused="1.10 MiB")
    assert told(full).endswith("of context: no block of that size is left in the limit of 3 GiB")
    others = full.replace("136.20 GiB is free", "1.50 MiB is free")
    assert told(others).endswith("of context: of the card 1.500 MiB are free, as others hold the rest")


def test_where_the_sum_would_fit_what_lies_unused_is_told() -> None:
    message = MESSAGE.format(asked="2.00 MiB", allocated="2.00 GiB", unused="250.00 MiB")
    assert told(message) == (
        "2.000 MiB asked for with 2.000 GiB in use and 768.0 MiB of context: the limit of 3 GiB would hold it, were it not "
        "fragmented (250.0 MiB are reserved, and in use by nothing)"
    )


def test_an_error_that_does_not_say_what_was_in_use_is_told_by_what_is() -> None:
    assert told("CUDA out of memory. Tried to allocate 3.00 GiB.") == (
        "3.000 GiB asked for with 256.0 MiB in use and 768.0 MiB of context: 1.000 GiB more than the limit of 3 GiB"
    )


def test_an_error_of_another_form_is_told_as_it_is() -> None:
    assert told("no memory") == "no memory"


@dataclass
class Allocator:
    """What `CudaMemory` asks of PyTorch and of the driver, with a card of 8 GiB; bytes."""

    tensors: float = 0.0
    blocks: float = 0.0
    outside: float | None = 700.0 * MIB
    share: float = 1.0
    unavailable: Mapping[str, str] = field(default_factory=dict)

    def answer(self, monkeypatch: pytest.MonkeyPatch) -> Allocator:
        import torch

        monkeypatch.setattr(CudaMemory, "_load_libraries", lambda _: None)
        for name, answer in {
            "memory_reserved": lambda _: self.blocks,
            "memory_allocated": lambda _: self.tensors,
            "empty_cache": self.empty,
            "set_per_process_memory_fraction": self.keep_to,
            "get_device_properties": lambda _: type("Properties", (), {"total_memory": 8 * GIB}),
            "mem_get_info": lambda _: (8 * GIB - 3 * GIB, 8 * GIB),
        }.items():
            monkeypatch.setattr(torch.cuda, name, answer)
        return self

    def empty(self) -> None:
        self.blocks = self.tensors

    def keep_to(self, share: float, _: int) -> None:
        self.share = share

    def used_by(self, _: int) -> float | None:
        self.unavailable = {"process_used": "not told"} if self.outside is None else {}
        return None if self.outside is None else self.outside + self.blocks


def limited(allocator: Allocator, limit_bytes: int | None = 4 * GIB) -> CudaMemory:
    card: Any = allocator
    return CudaMemory(0, limit_bytes, card)


def test_what_comes_outside_the_allocator_is_taken_from_the_room_that_a_limit_leaves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allocator = Allocator().answer(monkeypatch)
    memory = limited(allocator)
    assert allocator.share * 8 * GIB == pytest.approx(4 * GIB - 700 * MIB)
    allocator.tensors, allocator.blocks, allocator.outside = 3.0 * GIB, 3.25 * GIB, 800.0 * MIB
    assert memory.count_non_torch() == 800 * MIB
    assert allocator.share * 8 * GIB == pytest.approx(4 * GIB - 800 * MIB)
    assert allocator.blocks == 3 * GIB, "blocks beyond what is left are given back"


def test_tensors_in_what_is_no_longer_the_allocators_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = Allocator().answer(monkeypatch)
    memory = limited(allocator)
    allocator.tensors = allocator.blocks = 3.25 * GIB
    allocator.outside = 800.0 * MIB
    with pytest.raises(RuntimeError) as caught:
        memory.count_non_torch()
    assert type(caught.value).__name__ == "OutOfMemoryError", "by which it is known as one"
    assert memory.refusal(caught.value).replace("\u202f", " ") == (
        "3.250 GiB in blocks of tensors and 800.0 MiB of context: 32.00 MiB more than the limit of 4.000 GiB"
    )


def test_without_a_limit_nothing_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = Allocator(tensors=1.0 * GIB, blocks=7.5 * GIB).answer(monkeypatch)
    assert limited(allocator, None).count_non_torch() == 700 * MIB
    assert (allocator.blocks, allocator.share) == (7.5 * GIB, 1.0)


def test_where_the_driver_does_not_tell_processes_apart_the_start_is_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allocator = Allocator(outside=None, blocks=1.0 * GIB).answer(monkeypatch)
    memory = limited(allocator)
    assert memory.context_bytes == 2 * GIB, "all that is in use on the card, and is not the allocator's"
    assert memory.count_non_torch() is None
    assert allocator.share * 8 * GIB == pytest.approx(2 * GIB)
    assert memory.unavailable() == {NON_TORCH: "not told", WHOLE: "not told"}
    allocator.outside = 700.0 * MIB
    assert memory.count_non_torch() == 700 * MIB
    assert allocator.share * 8 * GIB == pytest.approx(4 * GIB - 700 * MIB), "what the driver tells replaces a guess"
    assert memory.unavailable() == {}


def test_a_count_below_what_the_allocator_holds_is_another_process_and_no_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allocator = Allocator(outside=-1.0 * GIB, blocks=2.0 * GIB).answer(monkeypatch)
    memory = limited(allocator)
    assert memory.count_non_torch() is None
    assert memory.context_bytes == 1 * GIB
    assert "another process" in memory.unavailable()[WHOLE]


def test_a_limit_is_wider_by_the_known_allocation_while_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def hold(*_: object, **__: object) -> bytes:
        allocator.blocks += DOSE_BYTES
        return b""

    allocator = Allocator(tensors=3.0 * GIB, blocks=3.0 * GIB).answer(monkeypatch)
    monkeypatch.setattr(torch, "empty", hold)
    memory = limited(allocator)
    with memory.holding_dose():
        assert allocator.share * 8 * GIB == pytest.approx(4 * GIB + DOSE_BYTES - 700 * MIB)
        memory.count_non_torch()
        assert allocator.share * 8 * GIB == pytest.approx(4 * GIB + DOSE_BYTES - 700 * MIB), (
            "nor does a count take it back"
        )
    assert allocator.share * 8 * GIB == pytest.approx(4 * GIB - 700 * MIB)
    assert (memory.limit_bytes, allocator.blocks) == (4 * GIB, 3 * GIB)


def test_what_is_lacked_beside_the_known_allocation_is_told_without_it_and_of_the_limit_that_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process ends with the error, so that nothing is put back, which might raise another."""
    import torch

    allocator = Allocator(tensors=3.0 * GIB, blocks=3.0 * GIB).answer(monkeypatch)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: b"")
    memory = limited(allocator)
    message = (
        "CUDA out of memory. Tried to allocate 328.00 MiB. GPU 0 has a total capacity of 8.00 GiB of which 4.00 GiB is free. Of the "
        "allocated memory 3.06 GiB is allocated by PyTorch, and 0 bytes is reserved by PyTorch but unallocated."
    )
    with pytest.raises(RuntimeError) as caught, memory.holding_dose():
        raise RuntimeError(message)
    told = memory.refusal(caught.value).replace("\u202f", " ")
    assert told.startswith("328.0 MiB asked for with 2.998 GiB in use and 700.0 MiB of context: ")
    assert told.endswith(" more than the limit of 4.000 GiB")

    memory = limited(allocator)
    allocator.tensors = allocator.blocks = 3.25 * GIB + DOSE_BYTES
    allocator.outside = 800.0 * MIB
    with pytest.raises(RuntimeError) as caught, memory.holding_dose():
        memory.count_non_torch()
    assert memory.refusal(caught.value).replace("\u202f", " ") == (
        "3.250 GiB in blocks of tensors and 800.0 MiB of context: 32.00 MiB more than the limit of 4.000 GiB"
    )


def test_the_known_allocation_splits_no_block_that_the_allocator_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    seen: list[float] = []
    allocator = Allocator(tensors=2.0 * GIB, blocks=3.0 * GIB).answer(monkeypatch)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: seen.append(allocator.blocks))
    with limited(allocator).holding_dose():
        pass
    allocator.blocks = 3.0 * GIB
    with limited(allocator, None).holding_dose():
        pass
    assert seen == [2.0 * GIB, 3.0 * GIB], (
        "without a limit nothing is given back, as what is kept is part of what is read"
    )


def test_a_limit_below_the_context_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="less than the CUDA context of a process takes here"):
        limited(Allocator().answer(monkeypatch), 512 * MIB)


class Driver:
    """Processes on a card, as pynvml lists them."""

    NVMLError = OSError

    def __init__(self, *held: tuple[int, int]) -> None:
        self._held = held

    def nvmlDeviceGetComputeRunningProcesses(self, _: Any) -> list[Any]:  # noqa: N802  its name there
        return [type("Process", (), {"pid": pid, "usedGpuMemory": used}) for pid, used in self._held]


@pytest.mark.parametrize(
    ("processes", "used"),
    [(((7, 100), (8, 200)), 200.0), (((4711, 300),), 300.0), (((7, 100), (9, 300)), None), ((), None)],
)
def test_a_process_is_found_on_the_card_by_its_number_or_as_the_only_one(
    processes: tuple[tuple[int, int], ...], used: float | None
) -> None:
    card = Card("GPU-0")
    card._nvml, card._handle = Driver(*processes), None
    assert card.used_by(8) == used
    assert card.unavailable == ({} if used else {"process_used": "the driver does not say: no such process"})
