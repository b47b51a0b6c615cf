"""Two arms' operators, kernels, launches and waits side by side."""

from __future__ import annotations

from typing import Any

import pytest

from harness.profiles.operators import traced
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


def test_figures_are_of_a_request_and_the_largest_change_of_time_comes_first() -> None:
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
