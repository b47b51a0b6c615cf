"""The flame graph's page: all is there without a script, nothing hostile runs, and it works by keyboard in a browser."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.profiles.difference import difference
from harness.profiles.index import Differing, Index, Profiled
from harness.profiles.stacks import Frame, Stack
from harness.report.flames import flames, sentences
from harness.report.html import render
from harness.report.profiles import index_page, of_toggle, speedscope_page
from tests.profiles.made import counted, held, profile, stack
from tests.report import sample_runs
from tests.report.sample_runs import HOSTILE

BEFORE: dict[Stack, float] = {stack("run", "llm"): 600, stack("run", "flow"): 300, stack("run", "cache"): 400}
AFTER: dict[Stack, float] = {stack("run", "llm"): 600, stack("run", "flow"): 300, stack("run", "llm", "slow"): 500}
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
ATTACK = f'{HOSTILE}"><img src=x onerror=alert(1)>'


def page(before: dict[Stack, float] | None = BEFORE, after: dict[Stack, float] = AFTER) -> str:
    first = None if before is None else profile("none", counted(before, 1.3))
    told = difference(first, profile("all", counted(after, 1.4)))
    return flames(told, profiler="Host time (py-spy)", device="cpu", notes=("A remark.",))


class Boxes(HTMLParser):
    """The frames of a page, by their names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        told = dict(attrs)
        if told.get("role") == "treeitem":
            self.found[str(told["title"]).partition("\n")[0]] = told


@pytest.mark.parametrize(("after_s", "by_chance"), [((1.31, 1.37), True), ((1.80, 1.86), False)])
def test_a_whole_that_chance_moves_is_said_to_be_so(after_s: tuple[float, float], *, by_chance: bool) -> None:
    before = profile("none", counted(BEFORE, 1.30), counted(BEFORE, 1.36))
    after = profile("all", *(counted(BEFORE, seconds) for seconds in after_s))
    whole, *_ = sentences(difference(before, after))
    assert whole.endswith("The whole is not changed by more than chance moves it.") is by_chance
    whole, *_ = sentences(difference(held("none", BEFORE), held("all", BEFORE)))
    assert "chance" not in whole


def test_what_takes_more_is_red_and_what_takes_less_is_blue_and_the_rest_is_neither() -> None:
    boxes = Boxes(page()).found
    assert boxes["slow"]["class"] == "box more"
    assert boxes["cache"]["class"] == "box less"
    assert boxes["flow"]["class"] == "box"
    assert boxes["request"]["class"] == "box"


def test_all_figures_of_a_frame_are_there_without_a_script() -> None:
    slow = Boxes(page()).found["slow"]
    assert slow["title"] == (
        "slow\npkg/slow.py:1\nbefore 0\u202fs, after 500.0\u202fms a request\n"
        "itself 0\u202fs, then 500.0\u202fms: 500.0\u202fms more"
    )
    assert str(slow["aria-label"]).startswith("slow, before 0\u202fs, after 500.0\u202fms a request, itself")


def test_frames_lie_inside_their_callers() -> None:
    boxes = Boxes(page()).found
    for name, caller in (("slow", "llm"), ("llm", "run"), ("cache", "run"), ("run", "request")):
        inner, outer = boxes[name], boxes[caller]
        assert float(str(inner["data-l"])) >= float(str(outer["data-l"])) - 1e-3
        assert (
            float(str(inner["data-l"])) + float(str(inner["data-w"]))
            <= float(str(outer["data-l"])) + float(str(outer["data-w"])) + 1e-3
        )
        assert int(str(inner["aria-level"])) == int(str(outer["aria-level"])) + 1


def test_the_head_says_the_change_and_the_function_of_the_largest_and_the_remarks() -> None:
    text = re.sub(r"<[^>]+>", " ", page())
    assert "all takes 100.0\u202fms more a request (none 1.300\u202fs, all 1.400\u202fs)." in text
    assert "The largest change of a function&#39;s own: slow (pkg/slow.py:1), 500.0\u202fms more a request." in text
    assert "A remark." in text


def test_one_arm_alone_has_neither_red_nor_blue() -> None:
    boxes = Boxes(page(None)).found
    assert {told["class"] for told in boxes.values()} == {"box"}
    assert "all: 1.400\u202fs a request." in page(None)


def test_bytes_are_told_as_bytes_at_the_peak() -> None:
    told = difference(held("none", {stack("cache"): 2048.0}), held("all", {stack("cache"): 4096.0}))
    text = flames(told, profiler="Host memory", device="cpu")
    assert "all takes 2.000\u202fKiB more at the peak (none 2.000\u202fKiB, all 4.000\u202fKiB)." in text


def test_hostile_names_do_no_harm() -> None:
    odd: dict[Stack, float] = {(Frame(ATTACK, ATTACK, 1),): 900.0}
    told = difference(profile(ATTACK, counted(BEFORE, 1.0)), profile(ATTACK, counted(odd, 2.0)))
    text = flames(told, profiler=ATTACK, device=ATTACK, notes=(ATTACK,))
    read = Boxes(text)
    assert ATTACK in read.found
    assert "img" not in read.tags
    assert read.handlers == []
    assert len(re.findall(r"<script", text)) == 1
    index = Index(
        scenario=ATTACK, command=ATTACK, started="",
        profiles=(Profiled(device=ATTACK, arm=ATTACK, kind="py-spy", requests=1, processes=1, files={ATTACK: "a.html"}, notes=(ATTACK,)),),
        differences=(Differing(device=ATTACK, before=ATTACK, arm=ATTACK, toggle=ATTACK, kind="py-spy", page="a.html", sentences=(ATTACK,), top=(ATTACK,)),),
    )  # fmt: skip
    whole = Boxes(index_page(index))
    assert not {"img", "script"} & whole.tags
    assert whole.handlers == []
    assert not {"img"} & Boxes(speedscope_page(ATTACK)).tags


def test_a_toggles_card_gets_its_own_differences_alone() -> None:
    made = [
        Differing(device="cpu", before="none", arm=name, toggle=toggle, kind="py-spy", page=f"{name}.html", sentences=("It differs.",))
        for name, toggle in (("resample_cache", "resample_cache"), ("all", ""))
    ]  # fmt: skip
    part = of_toggle(Index(scenario="s", command="", started="", differences=tuple(made)), "resample_cache")
    assert [known.page for known in part.differences] == ["resample_cache.html"]
    assert part.prefix == "./profiles/"
    assert of_toggle(Index(scenario="s", command="", started=""), "resample_cache").differences == ()


def test_the_page_of_a_run_links_a_toggles_profiles_from_its_card_and_all_others_once() -> None:
    made = [
        Differing(device="cpu", before="none", arm=name, toggle=toggle, kind="py-spy", page=f"{name}.html", sentences=(HOSTILE,))
        for name, toggle in (("resample_cache", "resample_cache"), ("all", ""))
    ]  # fmt: skip
    index = Index(scenario="s", command="", started="", differences=tuple(made))
    text = render(sample_runs.calibrated(), profiles=index).html
    card = text[text.index('id="toggle-resample_cache"') :].partition("</article>")[0]
    assert 'href="./profiles/resample_cache.html"' in card
    assert text.count('href="./profiles/resample_cache.html"') == 1
    assert text.count('href="./profiles/all.html"') == 1
    assert 'href="./profiles/index.html"' in text
    assert HOSTILE not in text
    without = render(sample_runs.calibrated()).html
    assert "profiles/" not in without


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    """The page in Chromium, and what it asked for and complained of."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium on PATH")
    path = tmp_path / "flames.html"
    path.write_text(page(), encoding="utf-8")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        found = browser.new_page(viewport={"width": 390, "height": 900})
        found.complaints = []
        found.on(
            "request",
            lambda request: (
                found.complaints.append(request.url)
                if request.url != path.as_uri() and not request.url.startswith("data:")
                else None
            ),
        )
        found.on("console", lambda message: found.complaints.append(message.text))
        found.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.goto(path.as_uri())
        yield found
        assert found.complaints == []
        browser.close()


def focused(found: Any) -> str:
    return str(found.evaluate("document.activeElement.textContent"))


def shown(found: Any) -> set[str]:
    return set(found.evaluate("[...document.querySelectorAll('.box')].filter(b => !b.hidden).map(b => b.textContent)"))


@pytest.mark.browser
def test_the_keyboard_alone_moves_zooms_and_searches(opened: Any) -> None:
    opened.evaluate("document.querySelector('.box').focus()")
    for key in ("ArrowDown", "ArrowDown"):
        opened.keyboard.press(key)
    assert focused(opened) == "llm"
    opened.keyboard.press("ArrowRight")
    assert focused(opened) == "cache"
    opened.keyboard.press("Enter")
    assert shown(opened) == {"request", "run", "cache"}
    assert opened.evaluate("document.activeElement.style.width") == "100%"
    opened.keyboard.press("Escape")
    assert shown(opened) == {"request", "run", "llm", "slow", "flow", "cache"}
    opened.keyboard.press("/")
    opened.keyboard.type("slow")
    assert opened.evaluate("document.getElementById('found').textContent") == "1 frame, 27.8 % of the width"
    assert opened.evaluate("[...document.querySelectorAll('.hit')].map(b => b.textContent)") == ["slow"]
    assert "before" in opened.evaluate("document.getElementById('detail').textContent")


@pytest.mark.browser
def test_a_phone_shows_it_without_overflow_and_a_click_zooms(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    opened.click(".box >> text=flow")
    assert shown(opened) == {"request", "run", "flow"}
    opened.click("#reset")
    assert len(shown(opened)) == 6
