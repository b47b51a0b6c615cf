"""The page that lists runs: complete, escaped, in need of nothing else, and searched by any word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import catalogue, store
from harness.report import index
from harness.report.listing import Found
from harness.report.listing.entries import entries
from harness.results import Run
from tests.report import sample_gates, sample_runs
from tests.report.in_browser import chromium, opened, overflow
from tests.report.test_html import Elements

REVISIONS = {"base": {"name": "main", "commit": 40 * "a"}, "head": {"name": "topic", "commit": 40 * "b"}}


def _found(run: Run, place: str = "results/run", file: str = "report.html") -> Found:
    return Found(place=place, run=run, file=file)


def _begun(run: Run, moment: str) -> Run:
    return replace(run, timing={**run.timing, "started": moment})


@pytest.fixture(scope="module")
def text() -> str:
    found = [
        _found(sample_runs.calibrated(), "first"),
        _found(sample_runs.not_calibrated(), "second", "report.md"),
        _found(sample_gates.run(environment={"revisions": REVISIONS}), "gate", ""),
        Found(place="torn", run=None, fault="run.json cannot be read as a run"),
    ]
    return index(found, "Runs")


def test_each_device_of_each_run_has_a_row_with_all_that_is_asked_of_it(text: str) -> None:
    rows = Elements(text).rows
    assert len(rows) == 1 + 2 + 2 + 1
    row = next(row for row in rows if "first" in row and "cuda:0" in row)
    for wanted in ("2026-11-24 13:40", "seed-optimizations", "8481C", "NVIDIA H100", "1a54df0 with changes", "yes", "8.3\u202ftimes faster"):  # fmt: skip
        assert wanted in row, wanted


def test_the_newest_run_comes_first_whatever_its_time_zone_and_one_without_a_date_last() -> None:
    run = sample_runs.nothing_told_apart()
    found = [
        _found(_begun(run, "no date"), "undated"),
        _found(_begun(run, "2026-11-24T23:30:00+02:00"), "evening"),
        _found(_begun(run, "2026-11-24T22:00:00Z"), "night"),
        _found(_begun(run, "2025-01-01T00:00:00"), "old"),
    ]
    assert [entry.place for entry in entries(found)] == ["night", "evening", "old", "undated"]
    assert [entry.day for entry in entries(found)] == [
        "2026-11-24 22:00", "2026-11-24 21:30", "2025-01-01 00:00", "not known",
    ]  # fmt: skip


def test_calibration_is_said_by_device_and_an_unfinished_run_says_so() -> None:
    cpu, cuda = entries([_found(sample_runs.not_calibrated())])
    assert (cpu.calibrated.text, cuda.calibrated.text) == ("no", "yes")
    assert cpu.state == "run not finished"
    (alone,) = entries([_found(replace(sample_runs.nothing_told_apart(), contrasts=(), optimizations={}))])
    assert alone.calibrated.text == "nothing compared"


def test_a_gate_names_both_commits() -> None:
    (entry,) = entries([_found(sample_gates.run(environment={"revisions": REVISIONS}))])
    assert entry.commit == "aaaaaaaaaa \u2192 bbbbbbbbbb"
    assert entry.scenario == "nightly: head bbbbbbbbbb against base aaaaaaaaaa"


def test_a_run_that_cannot_be_read_is_named_with_the_reason(text: str) -> None:
    assert "<dt>torn</dt><dd>run.json cannot be read as a run</dd>" in text


def test_links_lead_to_pages_below_the_list_and_nothing_else_is_loaded(text: str) -> None:
    page = Elements(text)
    assert page.open == []
    assert list(page.attributes("href")) == ["data:,", "./first/report.html", "./first/report.html", "./second/report.md",
                                             "./second/report.md"]  # fmt: skip
    assert "http:" not in text
    assert "https:" not in text
    assert [attributes for tag, attributes in page.found if tag == "script"] == [{}]


@pytest.mark.parametrize(
    "environment", [{}, {"cpu": None}, {"cpu": {"model": 3}, "git": "x", "devices": []}, {"git": {"commit": 7}}]
)
def test_a_run_that_says_little_of_its_machine_is_listed_all_the_same(environment: dict[str, Any]) -> None:
    run = replace(sample_runs.nothing_told_apart(), environment=environment, timing={})
    (entry,) = entries([_found(run)])
    assert entry.day == "not known"
    assert entry.machine in ("not known", "3")


def test_hostile_names_and_places_stay_text_and_links_stay_inside() -> None:
    place = "javascript:alert(1)//<b>\"'\u202egnp"
    page = index(
        [_found(sample_runs.hostile(), place), Found(place=place, run=None, fault=sample_runs.HOSTILE)], "Runs"
    )
    found = Elements(page)
    assert page.count("<script") == 1
    assert "<b>" not in page
    assert "\u202e" not in page
    links = [link for link in found.attributes("href") if link != "data:,"]
    assert links
    assert all(link.startswith("./javascript%3Aalert%281%29//%3Cb%3E%22%27") for link in links)


def test_an_empty_folder_says_how_a_run_is_made() -> None:
    assert "harness run SCENARIO" in index([], "Runs")


def test_runs_are_found_at_any_depth_and_without_their_samples(tmp_path: Path) -> None:
    deep = tmp_path / "machine" / "deep" / "run"
    deep.mkdir(parents=True)
    store.save(sample_runs.calibrated(), deep)
    (deep / "samples.parquet").unlink()
    (deep / "report.md").touch()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    read, torn = catalogue.runs(tmp_path, seen_from=tmp_path / "machine")
    assert (read.place, read.file) == ("deep/run", "report.md")
    assert read.run is not None
    assert read.run.contrasts
    assert (torn.place, torn.run) == ("../torn", None)
    assert torn.fault.startswith("run.json cannot be read as a run")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def address(tmp_path: Path, text: str) -> str:
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    return (tmp_path / "index.html").as_uri()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_search_shows_the_rows_that_have_every_word(browser: Any, address: str, width: int) -> None:
    page, complaints = opened(browser, address, viewport={"width": width, "height": 800})
    rows = page.locator("#runs tr")
    assert rows.count() == 5
    page.keyboard.press("Tab")
    page.keyboard.type("SEED h100 first")
    assert rows.locator("visible=true").count() == 1
    assert page.locator("#count").inner_text() == "1 of 5 rows have these words."
    page.fill("#words", "no such run")
    assert page.locator("#nothing").is_visible()
    page.fill("#words", "")
    assert rows.locator("visible=true").count() == 5
    assert overflow(page) == 0
    assert complaints == []


@pytest.mark.browser
def test_without_javascript_every_run_is_listed_and_no_search_is_offered(browser: Any, address: str) -> None:
    page, complaints = opened(browser, address, java_script_enabled=False)
    assert page.locator("#runs tr >> visible=true").count() == 5
    assert not page.locator("#words").is_visible()
    assert complaints == []
