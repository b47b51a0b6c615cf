"""Whatever its reader has done to it, the page of a run fits a phone; and printed it hides nothing, whatever was folded or filtered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.report import html
from harness.report.words import LANGUAGES
from harness.results import Run
from tests.report import sample_gates, sample_runs
from tests.report.in_browser import chromium, opened, overflow
from tests.report.sample_streaming import by_length

pytestmark = pytest.mark.browser
PHONE = {"width": 375, "height": 812}
RUNS: dict[str, Callable[[], Run]] = {
    "inert-and-failed": sample_runs.calibrated,
    "not-calibrated": sample_runs.not_calibrated,
    "several-states": sample_runs.several_states,
    "streaming": by_length,
    "hostile": sample_runs.hostile,
    "gate": sample_gates.run,
}


def _everything_opened(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def _every_tab_visited(page: Any) -> None:
    page.evaluate("document.querySelectorAll('[role=tab]').forEach((one) => one.click())")


def _every_table_sorted(page: Any) -> None:
    page.evaluate("document.querySelectorAll('thead th button').forEach((one) => one.click())")


def _smallest_units(page: Any) -> None:
    page.evaluate(
        """document.querySelectorAll('select').forEach((one) => {
             one.selectedIndex = one.options.length - 1; one.dispatchEvent(new Event('change', { bubbles: true })); })"""
    )


def _no_row_left(page: Any) -> None:
    page.evaluate(
        """document.querySelectorAll('input[type=search]').forEach((one) => {
             one.value = 'no row has this'; one.dispatchEvent(new Event('input', { bubbles: true })); })"""
    )


STATES = (_everything_opened, _every_tab_visited, _every_table_sorted, _smallest_units, _no_row_left)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("states")
    for name, run in RUNS.items():
        for language in LANGUAGES:
            (made / f"{name}.{language}.html").write_text(html(run(), language=language), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", RUNS)
def test_in_every_state_it_is_no_wider_than_a_phone(browser: Any, folder: Path, name: str, language: str) -> None:
    page, complaints = opened(browser, (folder / f"{name}.{language}.html").as_uri(), viewport=PHONE)
    assert overflow(page) == 0
    for state in STATES:
        state(page)
        assert overflow(page) == 0, state.__name__
    assert complaints == []
    page.close()


def test_a_filter_without_a_hit_says_that_no_row_has_it(browser: Any, folder: Path) -> None:
    page, _ = opened(browser, (folder / "inert-and-failed.en.html").as_uri(), viewport=PHONE)
    _no_row_left(page)
    assert page.locator("#effects-device-cpu tbody tr:visible").count() == 0
    assert page.inner_text(".tools[data-for=effects-device-cpu] .count") == "0 of 7 rows"
    page.close()


def test_printing_unfolds_everything_and_folds_it_again(browser: Any, folder: Path) -> None:
    page, _ = opened(browser, (folder / "inert-and-failed.en.html").as_uri())
    count = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(count)
    assert before > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(count) == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(count) == before
    page.close()


@pytest.mark.parametrize("script", ["with-script", "without-script"])
def test_on_paper_every_row_every_tab_and_all_that_is_folded_is_there(browser: Any, folder: Path, script: str) -> None:
    page, _ = opened(
        browser, (folder / "inert-and-failed.en.html").as_uri(), java_script_enabled=script == "with-script"
    )
    if script == "with-script":
        _no_row_left(page)
    page.emulate_media(media="print")
    assert page.locator("tbody tr").count() > 50
    for part in ("tbody tr", ".tab", "figure :not(.narrow) > svg", "details > :not(summary)", ".card pre"):
        assert page.locator(f"{part}:visible").count() == page.locator(part).count(), part
    page.close()


@pytest.mark.parametrize("name", RUNS)
def test_on_paper_nothing_is_cut_off(browser: Any, folder: Path, name: str) -> None:
    page, _ = opened(browser, (folder / f"{name}.en.html").as_uri(), viewport={"width": 702, "height": 1000})
    page.emulate_media(media="print")
    wide = page.evaluate(
        """[...document.querySelectorAll('table, pre, figure')].filter((e) => e.checkVisibility()
           && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
           .map((e) => [e.tagName, (e.querySelector('caption, figcaption') || e).textContent.trim().slice(0, 60)])"""
    )
    assert wide == []
    page.close()
