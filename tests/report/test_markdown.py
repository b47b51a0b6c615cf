"""Markdown for a pull request, from fixed runs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report import markdown, rows
from harness.results import Equivalence
from tests.report import sample_gates, sample_runs, sample_streaming

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("name", ["calibrated", "not_calibrated", "nothing_told_apart", "by_length", "several_states"])
def test_markdown_is_what_it_was_when_last_looked_at(name: str) -> None:
    """After a wanted change: UPDATE_SNAPSHOTS=1 pytest tests/report, then read the difference."""
    text = markdown(getattr(sample_streaming if name == "by_length" else sample_runs, name)())
    path = SNAPSHOTS / f"{name}.md"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_the_answer_comes_first() -> None:
    lines = markdown(sample_runs.calibrated()).splitlines()
    assert lines[2] == (
        "- **cpu**: all eight together 12.3\u202f% faster (95 % interval 11.6 to 13.0\u202f%); of the eight, two are "
        "faster, one is slower, two make no material difference (none changes latency by more than 0.5\u202f%), one is not "
        "decided yet (a change of up to 1.5\u202f% is possible), one was inert, one changed the output."
    )


def test_markup_mentions_and_table_breaks_of_a_run_file_stay_text() -> None:
    text = markdown(sample_runs.hostile())
    running = [line for line in text.splitlines() if not line.startswith("    ")]  # indented lines are literal
    assert not any("<script" in line for line in running)
    assert "@all" not in text
    assert "\\| \\`x\\`" in text
    assert text.endswith("\n    harness run <script>alert(1)</script>\n")


def test_the_markdown_of_a_gate_speaks_of_revisions_and_settings() -> None:
    revisions = {
        "base": {"name": "main", "commit": 40 * "a", "subject": "Cache the <kernel>"},
        "head": {"name": "topic", "commit": 40 * "b"},
    }
    text = markdown(sample_gates.run(environment={"revisions": revisions}))
    assert text.startswith("## nightly: head bbbbbbbbbb against base aaaaaaaaaa\n")
    assert "- Base: main (aaaaaaaaaa): Cache the &lt;kernel&gt;" in text
    assert "| Setting | Before |" in text
    assert "| With no optimization | " in text
    assert "ptimization |" not in text.replace("With no optimization |", "")
    assert "all together" not in text


def test_the_markdown_of_a_gate_in_which_nothing_can_be_compared_says_so_in_its_words() -> None:
    text = markdown(sample_gates.run(contrasts=()))
    assert "No setting can be compared." in text
    assert "No optimization can be compared" not in text


def test_another_sound_is_told_by_how_much_but_no_other_numbers_and_nothing_that_was_heard() -> None:
    row = Equivalence(
        device="cpu", arm="a", request="r", grade="changed", bound=4.2077, accepted=False, required="spectral", tokens_equal=True,
        tokens=9, hit_cap=False, rate_before_hz=24_000, rate_after_hz=24_000,
    )  # fmt: skip
    assert rows.grade(row.grade, row.figure) == "output changed, 4.2\u202fdB apart"
    numbers, heard = replace(row, rate_before_hz=0, rate_after_hz=0), replace(row, words_before=0.0, words_after=0.5)
    assert [rows.grade(one.grade, one.figure) for one in (numbers, heard)] == ["output changed", "output changed"]
    assert replace(heard, grade="spectral", bound=0.5).figure == 0.5
