"""What a device did, from times of kernels and launches; and a trace of real operators."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

from harness.worker.traces import _device, device_share, record


def test_a_device_that_computes_all_the_time_waits_for_nobody() -> None:
    assert device_share([(0, 50, 0), (50, 100, 10)], 0, 100) == {"busy": 1.0, "waits_for_host": 0.0}


def test_the_device_waits_for_the_host_until_it_is_asked_and_no_longer() -> None:
    # Free at 10; the host asks for the next kernel at 60, which starts at 70: 50 waiting, 10 on the way.
    found = device_share([(0, 10, 0), (70, 100, 60)], 0, 100)
    assert found["busy"] == pytest.approx(0.4)
    assert found["waits_for_host"] == pytest.approx(0.5)


def test_a_kernel_that_was_asked_for_long_ago_did_not_keep_the_device_waiting() -> None:
    assert device_share([(0, 10, 0), (30, 100, 5)], 0, 100)["waits_for_host"] == 0.0


def test_time_before_the_first_kernel_and_after_the_last_is_the_hosts() -> None:
    assert device_share([(40, 60, 40)], 0, 100)["waits_for_host"] == pytest.approx(0.8)


def test_kernels_side_by_side_are_busy_once() -> None:
    assert device_share([(0, 60, 0), (20, 50, 0), (40, 100, 0)], 0, 100)["busy"] == pytest.approx(1.0)


def test_a_launch_whose_time_is_not_known_counts_as_the_host_until_the_kernel_starts() -> None:
    assert device_share([(0, 10, 0), (60, 100, 0)], 0, 100)["waits_for_host"] == pytest.approx(0.5)


def test_an_empty_stretch_has_no_shares() -> None:
    assert device_share([], 5, 5) == {"busy": 0.0, "waits_for_host": 0.0}


class Event:
    """As much of a profiler's event as is read."""

    def __init__(self, name: str, device: str, start: int, length: int, correlation: int = 0) -> None:
        self.told = (name, device, start, length, correlation)

    def name(self) -> str:
        return self.told[0]

    def device_type(self) -> str:
        return self.told[1]

    def start_ns(self) -> int:
        return self.told[2]

    def duration_ns(self) -> int:
        return self.told[3]

    def correlation_id(self) -> int:
        return self.told[4]

    def is_user_annotation(self) -> bool:
        return self.told[0].startswith("mark")


def test_kernels_are_put_to_the_calls_that_asked_for_them_and_the_profilers_own_waiting_is_left_out() -> None:
    events = [
        Event("aten::mm", "CPU", 0, 10, 7),
        Event("cudaLaunchKernel", "CPU", 5, 2, 1),
        Event("gemm", "CUDA", 10, 20, 1),
        Event("cudaLaunchKernel", "CPU", 60, 2, 7),
        Event("gemm", "CUDA", 70, 30, 7),
        Event("cudaMemcpyAsync", "CPU", 62, 2, 9),
        Event("Memcpy DtoH", "CUDA", 100, 10, 9),
        Event("mark of a step", "CUDA", 0, 100, 0),
        Event("cudaDeviceSynchronize", "CPU", 110, 900, 11),
    ]
    found = _device(events, "CPU")
    assert found["launches"] == 2
    assert found["kernels"] == [
        {"name": "gemm", "calls": 2, "own_s": 50e-9},
        {"name": "Memcpy DtoH", "calls": 1, "own_s": 10e-9},
    ]
    assert found["device"]["busy"] == pytest.approx(60 / 110)
    # Free from 0 to 5 until the first launch, and from 30 to 60 until the second.
    assert found["device"]["waits_for_host"] == pytest.approx(35 / 110)


def test_a_trace_counts_operators_and_opens_elsewhere(tmp_path: Path) -> None:
    values = torch.ones(32, 32)
    file = tmp_path / "a.trace.json.gz"
    counted = record(lambda: [values @ values for _ in range(7)], file)
    calls = {row["name"]: row["calls"] for row in counted["operators"]}
    assert calls["aten::mm"] == 7
    assert all(row["own_s"] <= row["total_s"] for row in counted["operators"])
    names = [event.get("name") for event in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]]
    assert names.count("aten::mm") == 7
    if not torch.cuda.is_initialized():
        assert counted["device"] is None


@pytest.mark.cuda
def test_kernels_launches_and_waiting_are_counted_on_a_card(tmp_path: Path) -> None:
    import time

    values = torch.ones(256, 256, device="cuda")
    (values @ values).sum()
    torch.cuda.synchronize()

    def run() -> None:
        for _ in range(5):
            torch.mm(values, values)
            torch.cuda.synchronize()
            time.sleep(0.02)

    counted = record(run, tmp_path / "a.trace.json.gz")
    assert sum(row["calls"] for row in counted["kernels"]) >= counted["launches"] >= 5
    assert counted["device"]["waits_for_host"] > 0.9

    def busy() -> None:
        torch.cuda._sleep(200_000_000)
        torch.mm(values, values)
        torch.cuda.synchronize()

    assert record(busy, tmp_path / "b.trace.json.gz")["device"]["busy"] > 0.8
