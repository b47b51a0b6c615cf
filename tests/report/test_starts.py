"""The parts of the page, of Markdown and of the terminal about starts, from fixed figures."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from harness.report import html, markdown
from harness.report.reading import Reading
from harness.report.starts import StartRow, starts
from harness.report.terminal import terminal
from harness.results import ArmSummary, PhaseChange, Run, StartEffect
from tests.report.sample_runs import HOSTILE, calibrated, not_calibrated

NAME = "speaker_preregistration"
ERROR_S = 0.001


def phase(change_s: float, error_s: float | None = ERROR_S) -> PhaseChange:
    low_s, high_s = (None, None) if error_s is None else (change_s - error_s, change_s + error_s)
    return PhaseChange(before_s=2.0, change_s=change_s, low_s=low_s, high_s=high_s, workers=6)


def effect(upfront: PhaseChange, steady: PhaseChange, **changes: Any) -> StartEffect:
    known: dict[str, Any] = {
        "device": "cpu", "optimization": NAME, "reference_arm": "none", "arm": NAME, "basis": "init", "init": upfront,
    }  # fmt: skip
    return StartEffect(**{**known, "upfront": upfront, "steady": steady, **changes})


PAYS = effect(phase(0.04), phase(-0.012), even=3.33, even_low=2.8, even_high=4.1)
"""Pays 40 ms, wins 12 ms a request."""


def run(*effects: StartEffect, of: Run | None = None) -> Run:
    """A run with these, whose init is vouched for as its latency is."""
    whole = of or calibrated()
    vouching = [
        replace(c, metric=name) for c in whole.controls if c.metric == "latency" for name in ("init", "first_request")
    ]
    return replace(whole, controls=(*whole.controls, *vouching), starts=effects)


def row(found: StartEffect, of: Run | None = None) -> StartRow:
    told = starts(Reading(run(found, of=of)), "cpu")
    assert told is not None
    return told.rows[0]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (PAYS, "pays 40.0 ms at initialisation, wins 12.0 ms a request: even after 4 requests (3 to 5)."),
        (replace(PAYS, basis="start", even=1.0, even_low=0.9, even_high=1.0),
         "pays 40.0 ms until its first answer, wins 12.0 ms a request: even after 1 request (1 to 1)."),
        (effect(phase(-0.04), phase(0.012), even=3.33, even_low=2.8, even_high=4.1),
         "wins 40.0 ms at initialisation, loses 12.0 ms a request: the gain is used up after 4 requests (3 to 5)."),
        (effect(phase(-0.04), phase(-0.012)), "wins 40.0 ms at initialisation and 12.0 ms a request: a gain from the first request on."),
        (effect(phase(0.04), phase(0.012)), "pays 40.0 ms at initialisation and loses 12.0 ms a request: it never pays back."),
        (effect(phase(0.04, 0.1), phase(-0.012), even_low=0.0, even_high=12.5), "even after 13 requests at most."),
        (effect(phase(-0.04, 0.1), phase(-0.012)),
         "wins 12.0 ms a request; what it changes at initialisation is not told from nothing (−140 ms to +60.0 ms)."),
        (effect(phase(0.04, 0.1), phase(0.012)), "loses 12.0 ms a request; what it changes at initialisation is not told"),
        (effect(phase(0.04), phase(-0.012, 0.1)), "so that it is not known to pay back."),
        (effect(phase(-0.04), phase(-0.012, 0.1)), "wins 40.0 ms at initialisation; what it changes of a request is not told"),
        (effect(phase(0.04, 0.1), phase(0.0)), "neither at initialisation (−60.0 ms to +140 ms) nor in a request"),
        (effect(phase(0.04), phase(-0.012)), "have different signs; after how many requests that is even is not known yet."),
        (effect(phase(0.04, None), phase(-0.012, None)), "one process measured it, so that there is no interval"),
        (replace(PAYS, init=None, upfront=None, steady=None, reason="inert: idle"), "no figures (inert: idle)."),
    ],
)  # fmt: skip
def test_each_start_has_a_sentence_that_says_when_it_is_even(found: StartEffect, sentence: str) -> None:
    assert sentence in row(found).sentence.replace("\u202f", " ")


def test_the_three_phases_stand_side_by_side_and_what_was_not_measured_says_so() -> None:
    told = row(PAYS)
    assert (told.init.change, told.init.before) == ("+40.0\u202fms", "2.000\u202fs")
    assert told.init.interval == "+39.0\u202fms to +41.0\u202fms"
    assert told.steady.change == "\u221212.0\u202fms"
    assert (told.first.change, told.first.interval) == ("not measured", "")
    assert told.even == "4 requests (3 to 5)"


def test_no_number_of_requests_is_told_where_the_controls_failed() -> None:
    told = row(PAYS, not_calibrated())
    assert told.even == "\u2013"
    assert told.sentence.startswith("the controls did not pass")
    unvouched = starts(
        Reading(replace(calibrated(), controls=calibrated().controls, starts=(replace(PAYS, basis="start"),))), "cpu"
    )
    assert unvouched is not None
    assert unvouched.rows[0].even == "\u2013", "nothing vouches for first requests there"


def test_a_phase_whose_controls_failed_is_marked_whatever_the_number_rests_on() -> None:
    whole = run(replace(PAYS, basis="start", first=phase(-0.01)))
    failed = replace(whole, controls=tuple(replace(c, passed=c.passed and c.metric != "init") for c in whole.controls))
    told = starts(Reading(failed), "cpu")
    assert told is not None
    (found,) = told.rows
    assert [found.init.doubt, found.first.doubt, found.steady.doubt] == ["not calibrated", "", ""]
    assert found.even == "4 requests (3 to 5)", "what is paid is that of fresh processes, whose controls passed"
    assert "of 2.000\u202fs; not calibrated" in markdown(failed)
    assert "of 2.000\u202fs</small><small>not calibrated</small>" in html(failed)
    assert "</small><small>not calibrated" not in html(whole)


def test_requests_that_overlap_have_their_figures_and_no_number() -> None:
    told = row(replace(PAYS, even=None, even_low=None, even_high=None, untold="requests overlap"))
    assert told.sentence.startswith("requests are made at the same moment")
    assert (told.even, told.init.change) == ("\u2013", "+40.0\u202fms")


def test_the_note_says_that_first_requests_were_measured_where_every_toggle_was_refused() -> None:
    whole = run(replace(PAYS, init=None, upfront=None, steady=None, basis=None, reason="inert: idle"))
    figures = {"p50": 2.0, "p95": 2.0, "p99": 2.0, "count": 6}
    arm = ArmSummary(device="cpu", arm="none", role="none", states={}, failed=False, metrics={"first_request": figures})
    told, without = (starts(Reading(replace(whole, arms=arms)), "cpu") for arms in ((arm,), ()))
    assert told is not None
    assert without is not None
    assert "the first request of a fresh process" in told.note
    assert without.note.startswith("First requests of fresh processes were not measured")


def test_page_card_markdown_and_terminal_hold_the_part() -> None:
    measured = run(PAYS, replace(PAYS, optimization="all", arm="all"))
    page, text = html(measured), markdown(measured)
    assert 'id="device-cpu-starts"' in page
    card = page.partition('<article class="card" id="toggle-speaker_preregistration"')[2].partition("</article>")[0]
    assert "From start to steady" in card
    assert "even after 4 requests (3 to 5)" in card
    assert "First requests of fresh processes were not measured" in page
    assert "From start to steady: cpu" in text
    console = Console(file=io.StringIO(), width=300, force_terminal=False)
    console.print(terminal(measured))
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO from above
    for told in (text, shown):
        assert (
            "pays 40.0\u202fms at initialisation, wins 12.0\u202fms a request: even after 4 requests (3 to 5)." in told
        )
    assert "从启动到稳态" in html(measured, language="zh")
    assert "初始化时多用 40.0" in html(measured, language="zh")
    assert "From start to steady" not in html(calibrated())


def test_what_a_run_says_is_escaped() -> None:
    hostile = run(replace(PAYS, optimization=HOSTILE, reason=HOSTILE))
    assert HOSTILE not in html(hostile)
    assert HOSTILE not in markdown(hostile)
