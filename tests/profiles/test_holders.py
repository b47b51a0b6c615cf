"""The memory of a card at its peak as a profile: all of it, or a reason why it is not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ProfileError
from harness.profiles.holders import card

SUMMARY = {
    "before_bytes": 1000, "peak_bytes": 1700, "events": 9, "complete": True,
    "holders": [{"bytes": 600, "count": 2, "place": "flow.py:7 flow", "stack": ["flow.py:7 flow", "serving.py:1 main"]}],
}  # fmt: skip


def written(folder: Path, **changes: Any) -> Path:
    (folder / "held.json").write_text(json.dumps({**SUMMARY, **changes}), encoding="utf-8")
    return folder / "held.json"


def test_what_the_largest_holders_leave_is_held_by_others_so_that_the_whole_is_the_peak(tmp_path: Path) -> None:
    (round_,) = card("all", written(tmp_path), 1).rounds
    assert {stack[-1].name: size for stack, size in round_.weights.items()} == {"flow": 600, "(other holders)": 100}
    (round_,) = card("all", written(tmp_path, peak_bytes=1600), 1).rounds
    assert [stack[-1].name for stack in round_.weights] == ["flow"]


def test_a_history_that_is_cut_has_no_peak(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="more allocations than the 9 that are kept"):
        card("all", written(tmp_path, complete=False), 1)
