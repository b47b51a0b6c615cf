"""The pages beside that of a run, as their readers have them: in both languages, on a phone, in the dark, by keyboard, printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.report import comparing, index
from harness.report.listing import Found
from harness.report.words import LANGUAGES, speaking
from tests.report import sample_gates, sample_profiles, sample_runs
from tests.report.in_browser import chromium, opened, overflow
from tests.report.sample_comparisons import elsewhere, first

REVISIONS = {"base": {"name": "main", "commit": 40 * "a"}, "head": {"name": "topic", "commit": 40 * "b"}}
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 812}


def three_runs() -> str:
    """Two machines, of which one has a card, and a run that is not calibrated."""
    return comparing.html(comparing.compare([first(), elsewhere(), replace(sample_runs.not_calibrated(), id="third")]))


def runs() -> str:
    return index([
        Found(place="first", run=sample_runs.calibrated(), file="report.html"),
        Found(place="second", run=sample_runs.not_calibrated(), file="report.md"),
        Found(place="gate", run=sample_gates.run(environment={"revisions": REVISIONS})),
        Found(place="torn", run=None, fault="run.json cannot be read as a run"),
    ])  # fmt: skip


PAGES: dict[str, Callable[[], str]] = {
    "comparison": three_runs,
    "runs": runs,
    "flames": sample_profiles.flame_graph,
    "one-arm": sample_profiles.one_arm,
    "operators": sample_profiles.operators,
    "profiles": sample_profiles.folder,
    "allocations": sample_profiles.held,
}
ENGLISH = (
    "Calibrated", "Machine", "Commit", "Started", "Intervals", "What differs", "Why", "Search", "Headline", "newest first", "takes more",
    "Whole request", "Function", "Itself", "Beyond chance", "Keys:", "Width:", "Kernel", "Operator", "Calls", "Launches", "Nothing was",
    "Each arm", "Requests", "Processes", "Files", "Made ", "open in", "flame graph", "takes 100", "at the peak", "allocations and",
    "Who held", "Held", "called from", "not calibrated", "faster", "inconclusive", "Processor", "Cores", "not set", "of the width",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every page in every language, as NAME.LANGUAGE.html."""
    made = tmp_path_factory.mktemp("beside")
    for language in LANGUAGES:
        with speaking(language):
            for name, make in PAGES.items():
                (made / f"{name}.{language}.html").write_text(make(), encoding="utf-8")
    return made


def _shown(page: str) -> str:
    """The text and the labels of a page, without code and plots."""
    body = re.sub(r"<(style|script|svg|code|pre)\b.*?</\1>", "", page[page.index("<body") :], flags=re.DOTALL)
    labels = re.findall(r"(?:aria-label|title|placeholder|data-one|data-many)=\"([^\"]+)\"", body)
    return " ".join((*re.findall(r">([^<]+)<", body), *labels))


@pytest.mark.parametrize("name", PAGES)
def test_the_chinese_page_says_so_and_says_nothing_of_its_own_in_english(folder: Path, name: str) -> None:
    page = (folder / f"{name}.zh.html").read_text(encoding="utf-8")
    assert '<html lang="zh">' in page
    shown = _shown(page)
    assert [word for word in ENGLISH if word in shown] == []
    assert len(re.findall(r"[\u4e00-\u9fff]", shown)) > 30


@pytest.mark.parametrize("name", PAGES)
def test_the_english_page_holds_no_chinese(folder: Path, name: str) -> None:
    page = (folder / f"{name}.en.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert not re.findall(r"[\u4e00-\u9fff]", page[page.index("<body") :])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_the_whole_page_and_neither_asks_nor_complains(browser: Any, folder: Path, name: str) -> None:
    for language in LANGUAGES:
        page, complaints = opened(browser, (folder / f"{name}.{language}.html").as_uri(), viewport=PHONE)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert overflow(page) == 0, language
        assert complaints == []
        page.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation(browser: Any, folder: Path, name: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    for language, size, scheme in (("en", WIDE, "light"), ("zh", PHONE, "dark")):
        page, _ = opened(
            browser, (folder / f"{name}.{language}.html").as_uri(), viewport=size, color_scheme=scheme, bypass_csp=True
        )
        found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in found] == []
        page.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_the_tab_key_reaches_all_that_scrolls_or_is_pressed_and_shows_where_it_is(
    browser: Any, folder: Path, name: str
) -> None:
    page, _ = opened(browser, (folder / f"{name}.en.html").as_uri(), viewport=PHONE)
    wanted = page.evaluate(
        """[...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')]
           .filter((e) => e.checkVisibility() && e.tabIndex >= 0).map((e, n) => { e.dataset.reached = n; return n; })"""
    )
    scrolling = page.evaluate(
        """[...document.querySelectorAll('main *')].filter((e) => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
           && e.scrollWidth > e.clientWidth && e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert scrolling == []
    reached = set()
    for _ in range(len(wanted) + 2):
        page.keyboard.press("Tab")
        number, outline = page.evaluate(
            "[document.activeElement.dataset.reached, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if number is not None:
            assert outline != "none", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            reached.add(int(number))
    assert reached == set(wanted)
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_printed_it_is_dark_on_white_without_tools_and_nothing_is_cut_off(
    browser: Any, folder: Path, name: str
) -> None:
    page, _ = opened(
        browser, (folder / f"{name}.en.html").as_uri(), viewport={"width": 718, "height": 1000}, color_scheme="dark"
    )
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    red, green, blue = map(
        int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.querySelector('h1')).color"))[:3]
    )
    assert max(red, green, blue) < 130
    assert page.locator("input:visible, button:visible").count() == 0
    cut = page.evaluate(
        """[...document.querySelectorAll('.scroll, pre')].filter((e) => e.scrollWidth > e.clientWidth + 1
           && getComputedStyle(e).overflowX !== 'visible').map((e) => e.getAttribute('aria-label') || e.outerHTML.slice(0, 80))"""
    )
    assert cut == []
    assert overflow(page) <= 0
    page.close()
