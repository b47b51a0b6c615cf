"""Two arms' operators, kernels, launches and waits side by side."""

from __future__ import annotations

from typing import Any

import pytest

from harness.profiles.operators import callers, traced
from harness.report.operators import operators_page, sentences, top
from tests.report.sample_runs import HOSTILE


def counted(requests: int, launches: int, waits: float | None, **operators: tuple[int, float]) -> dict[str, Any]:
    rows = [{"name": name, "calls": calls, "own_s": own, "total_s": own} for name, (calls, own) in operators.items()]
    device = None if waits is None else {"busy": 1 - waits, "waits_for_host": waits}
    return {
        "requests": requests, "launches": launches, "device": device, "operators": rows, "callers": [],
        "kernels": [] if waits is None else rows,
    }  # fmt: skip


BEFORE = counted(2, 2000, 0.8, mm=(200, 0.2), cat=(100, 0.01))
AFTER = counted(4, 400, 0.3, mm=(400, 0.4), copy=(4, 0.04))


MANY = {f"aten::op{number}": (100, 0.1) for number in range(12)}
SPREAD = (0.72, 0.85, 0.78, 0.8, 0.75, 0.77, 0.82, 0.79, 0.76, 0.81, 0.74, 0.83)
"""Of the time of a call on a host that is faster by a fifth the second time."""


def on_a_faster_host(**more: tuple[int, float]) -> dict[str, Any]:
    faster = {name: (calls, own * SPREAD[place]) for place, (name, (calls, own)) in enumerate(MANY.items())}
    return counted(1, 10, None, **faster, cudaLaunchKernel=(39_439, 0.217), **more)


def test_a_host_that_is_faster_the_second_time_makes_no_operator_the_one_that_changed_most() -> None:
    before = counted(1, 10, None, **MANY, cudaLaunchKernel=(39_601, 0.256), conv=(66, 0.0327))
    told = traced(("none", [before]), ("all", [on_a_faster_host()]))
    assert told.operators[0].name == "conv"
    assert abs(told.operators[0].change_s) < max(abs(row.change_s) for row in told.operators)


def test_an_operator_whose_calls_take_other_time_than_before_beside_most_comes_first_at_as_many_calls() -> None:
    before = counted(1, 10, None, **MANY, cudaLaunchKernel=(39_601, 0.256), slow=(50, 0.06), once=(1, 0.001))
    told = traced(("none", [before]), ("all", [on_a_faster_host(slow=(50, 0.12))]))
    assert [row.name for row in told.operators[:2]] == ["slow", "once"]


def test_a_call_that_takes_longer_counts_by_what_it_takes_more() -> None:
    before = counted(1, 10, None, slow=(1, 0.001), more=(1, 0.01))
    told = traced(("none", [before]), ("all", [counted(1, 10, None, slow=(1, 0.010), more=(4, 0.04))]))
    assert [row.name for row in told.operators] == ["more", "slow"]


def test_what_is_timed_nowhere_has_a_dash_and_not_no_time() -> None:
    waits = {"file": "/a/harness/models/flow.py", "line": 3, "function": "forward", "count": 2}
    heard = [{"callers": [{**waits, "call": "implicit", "waited_s": None}], "requests": 1}]
    rows = callers(heard, heard)
    page = operators_page(traced(("none", [BEFORE]), ("all", [AFTER])), rows, device="cuda:0")
    assert [cell in page for cell in ("implicit at harness/models/flow.py:3 in forward", ">\u2013<")] == [True, True]


def test_figures_are_of_a_request_and_the_largest_change_comes_first() -> None:
    told = traced(("none", [BEFORE]), ("all", [AFTER]))
    assert (told.launches_before, told.launches_after) == (1000, 100)
    assert [row.name for row in told.operators] == ["copy", "cat", "mm"]
    assert told.operators[0].own_after_s == pytest.approx(0.01)
    assert told.operators[2].change_s == pytest.approx(0.0)
    assert (told.operators[1].calls_before, told.operators[1].calls_after) == (50, 0)


def test_several_processes_are_one_mean() -> None:
    told = traced(None, ("all", [counted(1, 10, 0.2, mm=(1, 1.0)), counted(1, 30, 0.4, mm=(3, 3.0))]))
    assert told.launches_after == 20
    assert told.waits_after == pytest.approx(0.3)
    assert (told.operators[0].calls_after, told.operators[0].own_after_s) == (2, 2.0)


def test_launches_waiting_and_what_changed_are_said_in_words() -> None:
    said = " ".join(sentences(traced(("none", [BEFORE]), ("all", [AFTER]))))
    assert "Launches a request: 1\u202f000 before, 100 after." in said
    assert "The device waits for the host: 80.0\u202f% before, 30.0\u202f% after." in said
    assert "The operator that changed most: copy: +10.0\u202fms a request, 0 calls before, 1 after." in said


def test_without_a_device_nothing_is_said_of_one() -> None:
    told = traced(("none", [counted(1, 0, None, mm=(1, 0.1))]), ("all", [counted(1, 0, None, mm=(1, 0.2))]))
    assert told.waits_after is None
    assert "device" not in " ".join(sentences(told))
    assert top(told) == ("mm: +100\u202fms a request",)


def test_hostile_names_do_no_harm() -> None:
    told = traced(("none", [counted(1, 1, 0.1, **{HOSTILE: (1, 0.1)})]), (HOSTILE, [counted(1, 1, 0.1)]))
    page = operators_page(told, told.operators, device=HOSTILE)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
