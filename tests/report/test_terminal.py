"""A run in a terminal: the tables of the report, at any width, and nothing that steers the terminal."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, Group

from harness.report import json_text, markdown
from harness.report.terminal import summary, terminal
from harness.results import Finding, Run
from tests.report import sample_gates, sample_runs

STEERING = "\x1b]0;owned\x07\x1b[2Jred\x9b31m\u202egnp.exe\r\n[bold]x[/bold]"
"""A new title, a cleared screen, a colour by one character, text turned round, a line overwritten, and rich's own markup."""


def _printed(what: Group, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(what)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # the StringIO from above


def _steered(text: str) -> Run:
    run = sample_runs.calibrated()
    contrasts = tuple(replace(contrast, reason=text) for contrast in run.contrasts)
    optimizations: Mapping[str, Any] = {
        name: {**known, "title": text, "witness_unit": text} for name, known in run.optimizations.items()
    }
    return replace(
        run, id=text, scenario={**run.scenario, "name": text, "design": text}, contrasts=contrasts, optimizations=optimizations,
        environment={text: {text: text}}, findings=(Finding(kind=text, device=text, message=text),),
        timing={"command": f"harness run {text}"}, unavailable={"cpu": {"latency": text}},
        controls=tuple(replace(control, name=text, reason=text) for control in run.controls),
    )  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 120, 300])
def test_every_figure_of_the_table_is_there_at_any_width(width: int) -> None:
    text = " ".join(_printed(terminal(sample_runs.calibrated()), width).split())
    for wanted in ("speaker_preregistration", "2.083 s", "1.860 s", "10.7 % faster", "no material difference",
                   "1 \u2192 0 extractions", "not measured", "powersave"):  # fmt: skip
        assert wanted in text, wanted
    assert "\u2026" not in text


@pytest.mark.parametrize("width", [40, 80, 120, 300])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int) -> None:
    lines = _printed(terminal(sample_runs.several_states()), width).splitlines()
    assert max(map(len, lines)) <= width


def test_terminal_and_markdown_have_the_same_tables() -> None:
    run = sample_runs.calibrated()
    shown = " ".join(_printed(terminal(run), 300).split())
    rows = [line for line in markdown(run).splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) > 50
    for row in rows:
        for cell in row.replace("\\", "").replace("**", "").strip("|").split(" | "):
            plain = cell.strip().lstrip("\u2714\u2718=? ")
            assert " ".join(plain.split()) in shown, row


@pytest.mark.parametrize("show", [terminal, summary])
@pytest.mark.parametrize("width", [30, 100])
def test_names_of_a_run_file_cannot_steer_the_terminal(show: Any, width: int) -> None:
    text = _printed(show(_steered(STEERING)), width)
    bad = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf") and letter != "\n"}
    assert bad == set()
    joined = "".join(text.split())
    assert "[bold]x[/bold]" in joined
    assert "gnp.exe" in joined


def test_why_a_row_is_not_decided_stands_below_the_table() -> None:
    run = sample_runs.calibrated()
    said = "the interval reaches across the margin"
    contrasts = tuple(replace(c, reason=said) if c.verdict == "inconclusive" else c for c in run.contrasts)
    text = " ".join(_printed(summary(replace(run, contrasts=contrasts))).split())
    assert f"Inconclusive, cached_device: {said} (what matters: ±1.0 %)" in text
    assert (
        said not in _printed(summary(replace(sample_runs.not_calibrated(), contrasts=contrasts))).partition("cuda:0")[0]
    )


def test_what_all_together_change_in_other_metrics_stands_below_the_table_of_the_first() -> None:
    """Only what was decided, and nothing where nothing was."""
    text = " ".join(_printed(summary(sample_runs.calibrated())).split())
    assert "In other metrics, all together: " in text
    assert "Peak reserved 16.8 % less" in text.rpartition("In other metrics")[2]
    assert "Real-time factor" not in text
    assert "In other metrics" not in _printed(summary(sample_runs.nothing_told_apart()))


def test_json_holds_the_verdicts_that_may_be_shown_and_plain_numbers() -> None:
    found = json.loads(json_text(sample_runs.not_calibrated()))
    assert found["complete"] is False
    cpu, cuda = found["devices"]
    assert (cpu["calibrated"], cuda["calibrated"]) == (False, True)
    row = next(row for row in cpu["contrasts"] if (row["optimization"], row["metric"]) == ("all", "latency"))
    assert (row["ratio"], row["verdict"]) == (0.877, "inconclusive")
    row = next(row for row in cuda["contrasts"] if (row["optimization"], row["metric"]) == ("all", "latency"))
    assert row["verdict"] == "faster"


def test_json_is_ascii_whatever_names_are_in_it() -> None:
    text = json_text(_steered(STEERING + " \u4f60\u597d"))
    assert text.isascii()
    assert not {letter for letter in text if letter < " "} - {"\n"}
    assert json.loads(text)["scenario"] == STEERING + " \u4f60\u597d"


def test_a_gate_speaks_of_settings_and_of_two_revisions() -> None:
    revisions = {"base": {"name": "main", "commit": 40 * "a"}, "head": {"name": "topic", "commit": 40 * "b"}}
    text = _printed(terminal(sample_gates.run(environment={"revisions": revisions})))
    assert "nightly: head bbbbbbbbbb against base aaaaaaaaaa" in text
    assert "With no optimization" in text
    assert "Setting" in text
    assert "Optimization" not in text


def test_a_run_without_controls_says_that_it_is_not_calibrated() -> None:
    text = _printed(terminal(replace(sample_runs.calibrated(), controls=())))
    assert "holds no controls, so it is not calibrated" in text
    assert "cpu (not calibrated)" in text
