"""What the report says of a GPU's memory and of the card, from a fixed run."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

from harness.report import html, markdown, svgs
from harness.report.memory import allocator, conditions, courses, snapshots, stage_peaks
from harness.report.reading import Reading
from harness.results import ArmSummary, Conditions, MemoryCourse, Run, Trial
from tests.report import sample_runs

CUDA = "cuda:0"
MIB = 2**20
POINTS = (
    (0.0, "", 100.0 * MIB, 200.0 * MIB, 100.0 * MIB),
    (0.1, "request", 100.0 * MIB, 200.0 * MIB, 100.0 * MIB),
    (0.5, "llm", 110.0 * MIB, 200.0 * MIB, 150.0 * MIB),
    (0.6, "request", 110.0 * MIB, 200.0 * MIB, 110.0 * MIB),
    (0.7, "flow", 120.0 * MIB, 260.0 * MIB, 120.0 * MIB),
    (0.8, "flow.estimator", 120.0 * MIB, 260.0 * MIB, 250.0 * MIB),
    (0.9, "flow", 110.0 * MIB, 260.0 * MIB, 120.0 * MIB),
)


def with_memory(run: Run) -> Run:
    """`run`, with the memory of the arms none and all on the GPU, and the state of the card in two blocks."""
    heard = [
        MemoryCourse(device=CUDA, arm=arm, requests=("r0",), points=POINTS, snapshot=f"memory/cuda-0-{arm}.pickle")
        for arm in ("none", "all")
    ]
    peaks = {"peak_allocated.llm": 150.0 * MIB, "peak_allocated.flow": 250.0 * MIB, "peak_reserved.flow": 260.0 * MIB}
    trials = [
        Trial(
            device=CUDA, pass_="memory", kind="request", phase="timed", worker=9, block=0, group="", position=0,
            arm=arm, predecessor=None, request="cycle", stratum="cycle", values=peaks,
        )
        for arm in ("none", "all")
    ]  # fmt: skip
    readings: dict[str, Any] = {
        "sm_clock_mhz": 1980.0,
        "power_w": 150.0,
        "temperature_highest_c": 41.0,
        "slowed_share": 0.0,
    }
    slowed = {**readings, "sm_clock_mhz": 1200.0, "slowed_share": 0.5, "slowed_by": ["power cap"]}
    blocks = [
        Conditions(device=CUDA, pass_="latency", worker=1, block=block, readings=found)
        for block, found in enumerate((readings, slowed))
    ]
    return replace(run, memory_courses=tuple(heard), conditions=tuple(blocks), trials=(*run.trials, *trials))


RUN = with_memory(sample_runs.calibrated())
READING = Reading(RUN)


def test_stages_come_with_their_peaks_highest_first_and_what_is_missing_says_so() -> None:
    rows = {row.stage: row.figures for row in stage_peaks(READING, CUDA)}
    assert list(rows) == ["flow", "llm"]
    assert rows["flow"] == ("250.0\u202fMiB", "250.0\u202fMiB", "260.0\u202fMiB", "260.0\u202fMiB")
    assert rows["llm"][2:] == ("not measured", "not measured")


def test_what_a_control_alone_makes_once_more_is_no_stage_of_the_workload() -> None:
    """Of requests at the same moment no stages are heard; the known allocation is then looked for in one that is made alone."""
    together = [
        replace(trial, stratum="alone") if trial.pass_ == "memory" and trial.arm == "none" else trial
        for trial in RUN.trials
        if trial.pass_ != "memory" or trial.arm == "none"
    ]
    assert not stage_peaks(Reading(replace(RUN, trials=tuple(together))), CUDA)


def test_what_is_held_outside_the_allocator_stands_beside_what_it_asked_for_where_it_was_counted() -> None:
    counted = {"device_mallocs": 18.0, "non_torch": 775.0 * MIB}
    for names, titles in (
        (("device_mallocs",), ("Device mallocs",)),
        (("device_mallocs", "non_torch"), ("Device mallocs", "Outside the allocator")),
    ):
        metrics = {name: {"p50": counted[name]} for name in names}
        summary = ArmSummary(device=CUDA, arm="none", role="none", states={}, failed=False, metrics=metrics)
        table = allocator(Reading(replace(RUN, arms=(summary,))), CUDA)
        assert table is not None
        assert table.titles == titles
        assert {row.figures for row in table.rows} == {("18", "775.0\u202fMiB")[: len(names)]}
    assert allocator(Reading(RUN), "cpu") is None


def test_a_course_has_the_outermost_stages_and_every_peak() -> None:
    before, after = courses(READING, CUDA)
    assert (before.label, after.label) == ("before", "after")
    assert before.stages == (("llm", 0.1, 0.5), ("flow", 0.6, 0.9))
    assert max(held for _, held in before.allocated) == 250.0 * MIB
    assert not courses(READING, "cpu")


def test_the_card_is_described_by_the_range_over_blocks_and_slowed_blocks_are_counted() -> None:
    told = dict(conditions(READING, CUDA))
    assert told["SM clock"] == "1200 to 1980\u202fMHz"
    assert told["Power"] == "150\u202fW"
    assert told["Turns slowed down"] == "1 of 2"
    assert conditions(READING, "cpu") == ()


def test_the_page_draws_and_tells_it_and_links_the_pages_of_allocations() -> None:
    page = html(RUN)
    assert dict(snapshots(READING, CUDA))["all"] == "memory/cuda-0-all.html"
    assert 'href="memory/cuda-0-all.html"' in page
    assert "Peaks by stage" in page
    assert "The card meanwhile" in page
    assert "Memory of cuda:0 by stage" in markdown(RUN)
    drawn = svgs(RUN)["device-cuda-0-course.svg"]
    assert ET.fromstring(drawn).get("role") == "img"  # noqa: S314  our own output
    assert ">flow</text>" in drawn
