"""The progress of a run where stderr is no terminal, as in a log of CI."""

from __future__ import annotations

import pytest

from harness.terminal import LINE_EVERY_S, ProgressBar


def test_without_a_terminal_a_step_has_a_line_and_from_time_to_time_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([0.0, 1.0, LINE_EVERY_S - 1, LINE_EVERY_S, LINE_EVERY_S + 1, LINE_EVERY_S + 2])
    bar = ProgressBar(lambda: next(times))
    with bar:
        for doing, left_s in (
            ("examining none", None),
            ("latency: block 1", 90.0),
            ("latency: block 2", 80.0),
            ("latency: block 3", 61.0),
            ("latency: block 40", 60.0),
            ("memory", None),
        ):
            bar.update("cpu", doing, 0.5, left_s)
        bar.note(
            "a note that is longer than eighty columns, and that nobody who reads a log wants to see broken in two"
        )
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [
        "cpu: examining none",
        "cpu: latency",
        "cpu: latency: block 40, about 1:00 left",
        "cpu: memory",
    ]
    assert lines[4].endswith("broken in two")
