"""Floors and advice on the page and in Markdown."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest

from harness.profiles.index import Index, Profiled
from harness.report import canvas, forest, html, index, least, markdown, page
from harness.report.listing import Found
from harness.report.reading import Reading
from harness.results import Bandwidth, Ceilings, Floor, Repeated, Run
from tests.report.sample_runs import calibrated

FIGURE = Repeated(best=2e9, median=1e9, worst=1e8, repeats=15)
CALL = Repeated(best=1e-6, median=2e-6, worst=3e-6, repeats=15)
FLOOR = Floor(
    device="cpu", arm="none", stage="llm", strata=("s",), measured_s=1.2, floor_s=0.3, hardware_s=0.2, memory_s=0.2,
    arithmetic_s=0.1, calls_s=0.3, operations=300_000.0, binds="calls", not_counted=("llm.<b>odd",),
)  # fmt: skip
CLEANUP = replace(
    FLOOR, stage="cleanup", measured_s=0.4, floor_s=0.0, hardware_s=0.0, memory_s=0.0, arithmetic_s=0.0, calls_s=0.0,
    operations=0.0, not_counted=(),
)  # fmt: skip


@pytest.fixture
def run() -> Run:
    ceilings = Ceilings(
        digest="0", machine="m", device="cpu", made="2026-11-28", threads=1, rates={"float32": FIGURE}, call=CALL,
        bandwidths=(Bandwidth(block_bytes=2**20, copy=FIGURE, read=FIGURE),),
    )  # fmt: skip
    return replace(calibrated(), ceilings=(ceilings,), floors=(FLOOR, CLEANUP))


def test_a_stage_says_its_floor_its_distance_and_what_binds(run: Run) -> None:
    table = least.table(Reading(run), "cpu")
    assert table is not None
    first, last = table.rows
    assert first.figures[2] == "4.00 ×"
    assert first.binds == "calls"
    assert first.note == "not counted: llm.<b>odd"
    assert (last.figures[2], last.binds) == ("–", "–")


def test_page_and_markdown_have_both_parts_and_nothing_of_a_run_is_markup(run: Run) -> None:
    whole, told = html(run), markdown(run)
    for text in (whole, told):
        assert "How far from the limit" in text
        assert "What to do next" in text
        assert "<b>odd" not in text
    assert "Toggles that act here and are not on: batched_cleanup, cached_cuda_check." in whole


def test_a_run_without_ceilings_has_neither(run: Run) -> None:
    bare = replace(run, ceilings=(), floors=())
    assert "How far from the limit" not in html(bare)
    assert "What to do next" not in markdown(bare)


def test_what_a_profile_counted_is_evidence(run: Run) -> None:
    profiled = Profiled(
        device="cpu", arm="none", kind="torch", requests=3, processes=1, files={}, launches=5100.0, waits=0.75
    )
    rows = least.advised(Reading(run), "cpu", Index(scenario="s", command="c", started="now", profiles=(profiled,)))
    assert rows[0].sentences[0] == "The device waits for the host."
    assert "counted 5,100 launches" in " ".join(rows[0].sentences).replace("\u202f", ",").replace("\u2009", ",")
    without = least.advised(Reading(run), "cpu", None)
    assert not any("profile of the whole request" in text for row in without for text in row.sentences)


def test_the_limit_is_that_of_all_stages_where_they_are_of_all_kinds_of_request(run: Run) -> None:
    latencies = [
        trial.values["latency"] or 0.0 for trial in run.trials
        if (trial.device, trial.arm, trial.pass_, trial.phase, trial.kind) == ("cpu", "none", "latency", "timed", "request")
    ]  # fmt: skip
    kinds = tuple(
        dict.fromkeys(trial.stratum for trial in run.trials if trial.arm == "none" and trial.pass_ == "latency")
    )
    assert len(kinds) == 1
    small = replace(FLOOR, strata=kinds, hardware_s=0.25 * median(latencies))
    whole = replace(run, floors=(small,), plan=replace(run.plan, strata={kinds[0]: 1.0}))
    assert least.limit(Reading(whole), "cpu") == pytest.approx(0.25)
    assert "8481C" in index([Found(place="results/run", run=replace(whole, trials=()), file="report.html")], "Runs")
    assert least.limit(Reading(run), "cpu") is None


def test_the_limit_is_marked_in_the_plot_where_it_lies_near_and_presses_nothing_together_where_it_is_far() -> None:
    device = page.build(calibrated()).devices[0]
    with canvas.style():
        far, near, none = (
            forest.effects(replace(device, limit=limit)).count(">limit<") for limit in (1e-6, 0.85, None)
        )
    assert (far, none) == (0, 0)
    assert near > 0
