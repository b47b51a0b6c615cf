"""Who held memory at the peak, from traces as PyTorch's allocator keeps them."""

from __future__ import annotations

from typing import Any

from harness.report import allocations as page
from harness.worker.allocations import MAX_POINTS, summary, thinned
from tests.report.sample_runs import HOSTILE


def event(action: str, addr: int, size: int, at_s: float, *frames: str) -> dict[str, Any]:
    stack = [{"filename": f"/x/harness/models/{name}.py", "line": 7, "name": name} for name in frames]
    torch_frame = {"filename": "/x/site-packages/torch/nn/functional.py", "line": 1, "name": "linear"}
    return {"action": action, "addr": addr, "size": size, "time_us": int(at_s * 1e6), "frames": [torch_frame, *stack]}


TRACE = [
    event("segment_alloc", 1, 4096, 0.0),
    event("alloc", 1, 100, 0.0, "attention", "flow"),
    event("alloc", 2, 50, 0.1, "attention", "flow"),
    event("alloc", 3, 500, 0.2, "vocoder"),
    event("free_requested", 3, 500, 0.3),
    event("free_completed", 3, 500, 0.3),
    event("alloc", 4, 30, 0.4, "late"),
    event("free_completed", 1, 100, 0.5),
]


def test_the_peak_and_its_holders_are_found_and_torchs_own_frames_left_out() -> None:
    found = summary(TRACE, 1000)
    assert (found["before_bytes"], found["peak_bytes"], found["complete"]) == (1000, 1650, True)
    assert [(item["bytes"], item["count"], item["place"]) for item in found["holders"]] == [
        (500, 1, "harness/models/vocoder.py:7 vocoder"),
        (150, 2, "harness/models/attention.py:7 attention"),
    ]
    assert found["holders"][1]["stack"][1] == "harness/models/flow.py:7 flow"


def test_memory_over_time_goes_up_with_allocations_and_down_with_completed_frees() -> None:
    assert summary(TRACE, 0)["points"] == [(0.0, 100), (0.1, 150), (0.2, 650), (0.3, 150), (0.4, 180), (0.5, 80)]


def test_a_trace_without_allocations_is_level() -> None:
    assert summary([], 1000) == {
        "before_bytes": 1000, "peak_bytes": 1000, "events": 0, "complete": True, "points": [], "holders": [],
    }  # fmt: skip


def test_thinning_keeps_the_highest_of_each_stretch() -> None:
    points = [(float(place), 1) for place in range(10 * MAX_POINTS)]
    points[12_345] = (12_345.0, 99)
    kept = thinned(points)
    assert len(kept) == MAX_POINTS
    assert (12_345.0, 99) in kept


def test_the_page_needs_no_network_and_escapes_what_it_is_given() -> None:
    found = summary(TRACE, 1000)
    found["holders"][0]["place"] = HOSTILE
    text = page("cuda-0-none", found)
    assert HOSTILE not in text
    assert "://" not in text
    assert "called from" in text
