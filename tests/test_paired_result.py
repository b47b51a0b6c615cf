"""What a test says by a result: one line, and assertions that never call slower what is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.paired_result import PairedResult, table

SLOWER = PairedResult(
    name="test_voice.py::test_speed", verdict="slower", reason="", margin=0.01, measured=True, calibrated=True, same_output=True,
    ratio=1.05, ratio_low=1.04, ratio_high=1.06, before_s=0.001, after_s=0.00105, workers=10, blocks=80, calls=5, budget_s=10,
    spent_s=2.5,
)  # fmt: skip
EQUAL = replace(SLOWER, verdict="no material difference", ratio=1.0, ratio_low=0.995, ratio_high=1.005)
FASTER = replace(SLOWER, verdict="faster", ratio=0.9, ratio_low=0.89, ratio_high=0.91)
ACROSS = replace(
    SLOWER, verdict="inconclusive", reason="the interval reaches across the margin", ratio_low=0.99, ratio_high=1.06
)
AT_MOST = replace(ACROSS, ratio=0.99, ratio_low=0.98, ratio_high=1.005)
FAULTY = replace(
    SLOWER, verdict="inconclusive", reason="not calibrated: identical code was told apart", calibrated=False
)
CHANGED = PairedResult(
    name="t", verdict="output changed", reason="before returned 1, after 2", margin=0.01, same_output=False
)
NOT_MEASURED = PairedResult(name="t", verdict="inconclusive", reason="not measured: --paired-disable", margin=0.01)


def outcome(result: PairedResult, claim: str) -> str:
    try:
        getattr(result, f"assert_{claim}")()
    except pytest.fail.Exception as failed:
        return f"failed: {failed}"
    except pytest.skip.Exception as skipped:
        return f"skipped: {skipped}"
    return "passed"


@pytest.mark.parametrize(
    ("result", "not_slower", "faster"),
    [
        (SLOWER, "failed", "failed"),
        (EQUAL, "passed", "failed"),
        (FASTER, "passed", "passed"),
        (ACROSS, "skipped", "failed"),
        (AT_MOST, "passed", "skipped"),
        (FAULTY, "skipped", "skipped"),
        (CHANGED, "failed", "failed"),
        (NOT_MEASURED, "skipped", "skipped"),
        (replace(NOT_MEASURED, on_inconclusive="pass"), "passed", "passed"),
        (replace(FAULTY, on_inconclusive="fail"), "failed", "failed"),
    ],
)
def test_an_assertion_fails_by_what_is_known_alone(result: PairedResult, not_slower: str, faster: str) -> None:
    assert outcome(result, "not_slower").startswith(not_slower)
    assert outcome(result, "faster").startswith(faster)


def test_a_failure_states_ratio_interval_and_margin() -> None:
    told = outcome(SLOWER, "not_slower").replace("\u202f", " ")
    assert told.startswith("failed: paired benchmark: slower by more than the margin: ")
    assert "5.0 % slower, 95 % interval 4.0 to 6.0 % slower, margin 1 %" in told


@pytest.mark.parametrize("result", [FAULTY, ACROSS])
def test_what_cannot_be_told_is_not_called_slower_than_the_margin(result: PairedResult) -> None:
    told = outcome(replace(result, on_inconclusive="fail"), "not_slower")
    assert told.startswith("failed: paired benchmark: cannot tell whether not slower")
    assert result.reason in told


def test_a_result_is_one_line() -> None:
    for result in (SLOWER, FAULTY, CHANGED, NOT_MEASURED):
        assert "\n" not in str(result)
        assert str(result).startswith(f"{result.name}: {result.verdict}")
        assert repr(result) == str(result)


def test_a_table_has_a_line_for_each_and_the_reason_below_it() -> None:
    lines = table([SLOWER, FAULTY, NOT_MEASURED])
    assert len(lines) == 1 + 1 + 2 + 2
    assert lines[0].split()[0] == "verdict"
    assert lines[3].strip() == FAULTY.reason
    assert all(line.index("test") == lines[0].index("test") for line in lines[1:3])
