"""The page as its reader has it: opened from a file in Chromium, by mouse, by keyboard, without script, and printed.

Skipped, and said so, where there is no Chromium. The committed screenshots are renewed by `UPDATE_SNAPSHOTS=1`.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from harness.report import canvas, forest, html, render
from harness.report.page import build
from harness.results import Run
from tests.report import sample_gates, sample_runs
from tests.report.sample_streaming import by_length
from tests.report.test_caches import CROSSING
from tests.report.test_starts import PAYS, effect, phase
from tests.report.test_starts import run as started

pytestmark = pytest.mark.browser
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--no-first-run", "--force-color-profile=srgb",
]  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}


def starts_and_caches() -> Run:
    """A run with a short and a long sentence about starts, and a cache."""
    unknown = effect(phase(0.0, 0.1), phase(0.0), optimization="batched_cleanup", arm="batched_cleanup")
    return replace(started(PAYS, unknown, replace(PAYS, optimization="all", arm="all")), caches=(CROSSING,))


STATES: dict[str, Callable[[], Run]] = {
    "calibrated": sample_runs.calibrated,
    "not-calibrated": sample_runs.not_calibrated,
    "nothing-told-apart": sample_runs.nothing_told_apart,
    "several-states": sample_runs.several_states,
    "hostile": sample_runs.hostile,
    "streaming": by_length,
    "gate": sample_gates.run,
    "starts-and-caches": starts_and_caches,
}
PICTURES = Path(__file__).parent / "pictures"
TABLE = "#effects-device-cpu"


@dataclass
class Opened:
    """A page with what it asked for, what it complained of, and the dialogs that it opened."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def go(self, path: Path) -> Any:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.goto(path.as_uri())
        return self.page

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on PATH")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of every state, and the audio of the first one's first request."""
    made = tmp_path_factory.mktemp("pages")
    (made / "audio" / "cpu").mkdir(parents=True)
    files = {}
    for name in ("none", "all"):
        path = f"audio/cpu/{name}-zh-news.wav"
        (made / path).write_bytes(sample_runs.wav())
        files[path] = (made / path).stat().st_size
    for state, run in STATES.items():
        (made / f"{state}.html").write_text(html(run(), files), encoding="utf-8")
    (made / "chinese.html").write_text(html(sample_runs.calibrated(), files, "zh"), encoding="utf-8")
    return made


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def make(size: dict[str, int] = DESKTOP, **options: Any) -> Opened:
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        return Opened(page=context.new_page())

    yield make
    for context in contexts:
        context.close()


OUTSIDE = """svg => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter(text => {
        const own = text.getBoundingClientRect();
        return own.width && (own.left < box.left - 1 || own.right > box.right + 1);
    }).map(text => text.textContent);
}"""


@pytest.mark.parametrize("state", [*STATES, "chinese"])
def test_no_word_of_a_plot_is_cut_off_at_its_sides(opened: Callable[..., Opened], folder: Path, state: str) -> None:
    page = opened().go(folder / f"{state}.html")
    found = {text for plot in page.query_selector_all("figure svg") for text in plot.evaluate(OUTSIDE)}
    assert not found


def test_the_longest_name_has_room_beside_the_plot_and_settings_of_one_toggle_are_called_alike(
    opened: Callable[..., Opened], tmp_path: Path
) -> None:
    device = build(sample_runs.calibrated()).devices[0]
    row = replace(device.headline.rows[1], against="")
    states = ("every=2", "every=request", "every=never", "every=never,above=2GiB")
    shown = tuple(replace(row, name=f"batched_cleanup[{state}]", setting=state) for state in states)
    shown += (replace(row, name="speaker_preregistration_of"),)
    with canvas.style():
        svg = forest.effects(replace(device, headline=replace(device.headline, rows=shown)))
    assert all(f">{state}</text>" in svg for state in states)
    (tmp_path / "plot.html").write_text(f"<meta charset=utf-8><body>{svg}", encoding="utf-8")
    page = opened().go(tmp_path / "plot.html")
    assert page.query_selector("svg").evaluate(OUTSIDE) == []


@pytest.mark.parametrize("told", ["under 0.1\N{NO-BREAK SPACE}% faster", "over 1,000 times slower", "快 12.3 倍以上"])
def test_what_an_effect_is_told_as_has_room_beside_the_plot(
    opened: Callable[..., Opened], tmp_path: Path, told: str
) -> None:
    device = build(sample_runs.calibrated()).devices[0]
    rows = tuple(replace(row, change=told) for row in device.headline.rows)
    with canvas.style():
        svg = forest.effects(replace(device, headline=replace(device.headline, rows=rows)))
    assert told in svg
    (tmp_path / "plot.html").write_text(f"<meta charset=utf-8><body>{svg}", encoding="utf-8")
    page = opened().go(tmp_path / "plot.html")
    assert page.query_selector("svg").evaluate(OUTSIDE) == []


def status_of(page: Any) -> str:
    """What is announced, once something is: the clipboard answers in its own time."""
    from playwright.sync_api import expect

    status = page.locator("[role=status]")
    expect(status).not_to_be_empty()
    told: str = status.inner_text()
    return told


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("state", STATES)
def test_the_page_asks_for_nothing_complains_of_nothing_and_is_no_wider_than_the_window(
    opened: Callable[..., Opened], folder: Path, state: str, size: dict[str, int]
) -> None:
    one = opened(size)
    page = one.go(folder / f"{state}.html")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    own = (folder / f"{state}.html").as_uri()
    assert [url for url in one.requests if url != own and not url.startswith("data:")] == []
    assert one.complaints == []
    assert overflow == 0


@pytest.mark.parametrize("state", [*STATES, "chinese"])
def test_on_a_desktop_no_table_is_wider_than_its_card(opened: Callable[..., Opened], folder: Path, state: str) -> None:
    page = opened().go(folder / f"{state}.html")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate("document.querySelectorAll('.tab').forEach((one) => one.classList.remove('away'))")
    found = page.evaluate(
        """[...document.querySelectorAll('.scroll:has(table)')].filter((e) => e.checkVisibility())
           .map((e) => [e.ariaLabel, e.scrollWidth, e.clientWidth])"""
    )
    assert found
    assert [one for one in found if one[1] > one[2]] == []


def test_a_sentence_about_a_start_stands_below_its_figures_in_the_row_of_its_name(
    opened: Callable[..., Opened], folder: Path
) -> None:
    page = opened().go(folder / "starts-and-caches.html")
    rows = page.locator("#device-cpu-starts tbody tr")
    assert rows.count() == 6
    said = rows.nth(1).locator("td")
    assert said.inner_text().startswith("pays 40.0\u202fms at initialisation")
    assert said.bounding_box()["width"] > 500
    assert rows.nth(0).locator("th").get_attribute("rowspan") == "2"


def test_on_a_phone_a_table_that_goes_on_shows_a_shade_at_its_side(opened: Callable[..., Opened], folder: Path) -> None:
    page = opened(PHONE).go(folder / "calibrated.html")
    box = page.locator("#device-cpu-metrics .scroll").first
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    assert box.evaluate("e => getComputedStyle(e).backgroundAttachment") == "local, local, scroll, scroll"
    assert box.evaluate("e => { e.scrollLeft = 50; return e.scrollLeft; }") == 50


def test_what_a_run_file_says_is_never_run_in_the_page_or_in_its_plots(
    opened: Callable[..., Opened], folder: Path
) -> None:
    for number, document in enumerate([(folder / "hostile.html").read_text(encoding="utf-8"), *_hostile_plots()]):
        path = folder / f"hostile-{number}.{'svg' if number else 'html'}"
        path.write_text(document, encoding="utf-8")
        one = opened()
        page = one.go(path)
        assert one.dialogs == []
        assert page.evaluate("document.querySelectorAll('script').length") == (0 if number else 1)


def _hostile_plots() -> list[str]:
    run = sample_runs.hostile()
    named = [
        sample_runs.renamed(run, name)
        for name in (sample_runs.HOSTILE, '"/><script>alert(1)</script>', "--><img src=x>")
    ]
    found = [
        svg for made in named for name, svg in render(made).plots.items() if "effects" in name or "distrib" in name
    ]
    assert len(found) >= 6
    return [
        text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) if "xmlns=" not in text else text
        for text in found
    ]


def test_audio_beside_the_page_can_be_played(opened: Callable[..., Opened], folder: Path) -> None:
    one = opened()
    page = one.go(folder / "calibrated.html")
    assert page.evaluate("document.querySelector('audio').play().then(() => true)")
    assert one.complaints == []


def _column(page: Any, number: int) -> list[str]:
    return [text.strip() for text in page.locator(f"{TABLE} tbody tr > :nth-child({number})").all_inner_texts()]


def test_a_table_is_sorted_by_the_mouse_and_by_the_keyboard(opened: Callable[..., Opened], folder: Path) -> None:
    page = opened().go(folder / "calibrated.html")
    before = [
        float(value)
        for value in page.locator(f"{TABLE} td.change").evaluate_all("cells => cells.map(c => c.dataset.v)")
    ]
    assert before != sorted(before)
    page.click(f"{TABLE} th.change button")
    assert page.get_attribute(f"{TABLE} th.change", "aria-sort") == "ascending"
    after = [
        float(value)
        for value in page.locator(f"{TABLE} td.change").evaluate_all("cells => cells.map(c => c.dataset.v)")
    ]
    assert after == sorted(before)
    page.focus(f"{TABLE} th.change button")
    page.keyboard.press("Enter")
    again = [
        float(value)
        for value in page.locator(f"{TABLE} td.change").evaluate_all("cells => cells.map(c => c.dataset.v)")
    ]
    assert again == sorted(before, reverse=True)
    assert page.get_attribute(f"{TABLE} th.change", "aria-sort") == "descending"


def test_a_filter_leaves_the_rows_that_hold_the_word_and_says_how_many(
    opened: Callable[..., Opened], folder: Path
) -> None:
    page = opened().go(folder / "calibrated.html")
    page.locator(".tools[data-for=effects-device-cpu] input").fill("material")
    visible = page.locator(f"{TABLE} tbody tr:visible")
    assert visible.count() == 2
    assert all("no material difference" in text for text in visible.all_inner_texts())
    assert page.inner_text(".tools[data-for=effects-device-cpu] .count") == "2 of 7 rows"


def test_units_are_those_that_the_reader_chooses_and_back(opened: Callable[..., Opened], folder: Path) -> None:
    page = opened().go(folder / "calibrated.html")
    fitting = _column(page, 2)
    page.select_option(".tools[data-for=effects-device-cpu] select", "ms")
    assert _column(page, 2)[0] == "2083\u202fms"
    page.select_option(".tools[data-for=effects-device-cpu] select", "")
    assert _column(page, 2) == fitting


def test_a_table_is_copied_as_markdown_and_as_csv_with_plain_numbers(
    opened: Callable[..., Opened], folder: Path
) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"]).go(folder / "calibrated.html")
    page.locator(".tools[data-for=effects-device-cpu] input").fill("preregistration")
    page.click(".tools[data-for=effects-device-cpu] [data-tool=markdown]")
    assert status_of(page) == "Copied as Markdown"
    head, rule, row = page.evaluate("navigator.clipboard.readText()").strip().splitlines()
    assert head.startswith("| Optimization | Before | After |")
    assert set(rule) <= set("| -")
    assert "10.7\u202f% faster" in row.replace(" %", "\u202f%")
    page.click(".tools[data-for=effects-device-cpu] [data-tool=csv]")
    head, row = page.evaluate("navigator.clipboard.readText()").strip().splitlines()
    assert head.startswith("Optimization,Before [s],After [s],")
    assert row.split(",")[1:3] == ["2.083", "1.86033"]


def test_the_button_changes_the_colours_and_the_page_remembers(opened: Callable[..., Opened], folder: Path) -> None:
    one = opened(color_scheme="light")
    page = one.go(folder / "calibrated.html")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.click("button.theme")
    page.click("button.theme")
    dark = page.evaluate(background)
    assert dark != light
    for _ in range(5):  # the browser writes it down in a process of its own
        page.reload()
        if page.inner_text("button.theme") == "Colours: dark":
            break
    assert page.evaluate(background) == dark
    assert page.inner_text("button.theme") == "Colours: dark"
    assert opened(color_scheme="dark").go(folder / "calibrated.html").evaluate(background) == dark


def test_metrics_are_tabs_that_arrows_move_between(opened: Callable[..., Opened], folder: Path) -> None:
    page = opened().go(folder / "calibrated.html")
    tabs = page.locator("#device-cpu-metrics [role=tab]")
    assert page.locator("#device-cpu-metrics [role=tabpanel]:visible").count() == 1
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    assert tabs.nth(1).get_attribute("aria-selected") == "true"
    assert "Time to first audio" in page.locator("#device-cpu-metrics [role=tabpanel]:visible caption").inner_text()


def test_everything_that_can_be_used_is_reached_by_the_tab_key_and_shows_its_focus(
    opened: Callable[..., Opened], folder: Path
) -> None:
    page = opened().go(folder / "nothing-told-apart.html")
    wanted = page.evaluate(
        """[...document.querySelectorAll('a[href], button, input, select, summary, audio, [tabindex="0"]')]
           .filter((e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && e.tabIndex >= 0)
           .map((e, n) => { e.dataset.reached = n; return n; })"""
    )
    reached = set()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(len(wanted) * 4):
        now = page.evaluate(
            """(() => { const e = document.activeElement; return [e.dataset.reached, getComputedStyle(e).outlineStyle,
               getComputedStyle(e).outlineWidth, e.tagName]; })()"""
        )
        if now[0] is not None:
            assert now[1] != "none" or now[3] == "AUDIO", page.evaluate(
                "document.activeElement.outerHTML.slice(0, 300)"
            )
            reached.add(int(now[0]))
        if len(reached) == len(wanted):
            break
        page.keyboard.press("Tab")
    assert reached == set(wanted)


@pytest.mark.parametrize(
    ("state", "size", "scheme"),
    [
        ("calibrated", DESKTOP, "light"), ("calibrated", PHONE, "dark"), ("not-calibrated", DESKTOP, "dark"),
        ("streaming", DESKTOP, "light"), ("several-states", PHONE, "light"), ("gate", PHONE, "light"),
    ],
)  # fmt: skip
def test_axe_finds_no_violation(
    opened: Callable[..., Opened], folder: Path, state: str, size: dict[str, int], scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(size, color_scheme=scheme, bypass_csp=True).go(folder / f"{state}.html")
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]})
    assert [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in found.response["violations"]] == []


def test_without_script_nothing_is_lost(opened: Callable[..., Opened], folder: Path) -> None:
    page = opened(java_script_enabled=False).go(folder / "calibrated.html")
    assert page.locator(".tab:visible").count() == page.locator(".tab").count() > 5
    assert page.locator("button:visible, input:visible, select:visible").count() == 0
    assert (
        page.locator("figure :not(.narrow) > svg:visible").count() == page.locator("figure :not(.narrow) > svg").count()
    )
    assert page.locator(".tip title").count() > 10
    with_script = opened().go(folder / "calibrated.html")
    assert page.locator("tbody tr").count() == with_script.locator("tbody tr").count()


def test_the_chinese_page_works_as_the_english_one_and_speaks_chinese(
    opened: Callable[..., Opened], folder: Path
) -> None:
    one = opened(permissions=["clipboard-read", "clipboard-write"])
    page = one.go(folder / "chinese.html")
    assert page.get_attribute("html", "lang") == "zh"
    assert page.inner_text("button.theme") == "配色：跟随系统"
    page.click(f"{TABLE} th.change button")
    assert page.get_attribute(f"{TABLE} th.change", "aria-sort") == "ascending"
    page.click(".tools[data-for=effects-device-cpu] [data-tool=markdown]")
    assert status_of(page) == "已复制为 Markdown"
    assert page.evaluate("navigator.clipboard.readText()").startswith("| 优化 | 之前 | 之后 |")
    assert one.complaints == []


def test_a_plot_says_what_is_under_the_pointer(opened: Callable[..., Opened], folder: Path) -> None:
    page = opened().go(folder / "calibrated.html")
    plot = page.locator("#device-cpu-samples figure svg").first
    plot.scroll_into_view_if_needed()
    x, y = plot.evaluate(
        """svg => { const [, x, y] = svg.querySelector('.cloud path').getAttribute('d').match(/M([\\d.]+) ([\\d.]+)/);
           const p = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM()); return [p.x, p.y]; }"""
    )
    page.mouse.move(x, y)
    told = page.inner_text(".hint")
    lowest = min(
        trial.values["latency"] or 0.0
        for trial in sample_runs.calibrated().trials
        if (trial.device, trial.arm, trial.phase) == ("cpu", "none", "timed")
    )
    assert told.startswith("before\n")
    assert float(told.split()[1]) == pytest.approx(lowest, rel=0.005)


def test_a_link_to_a_folded_card_opens_it(opened: Callable[..., Opened], folder: Path) -> None:
    from playwright.sync_api import expect

    page = opened().go(folder / "calibrated.html")
    card = page.locator("#toggle-resample_cache > details")
    card.locator("summary").first.click()
    assert not card.evaluate("details => details.open")
    page.locator(f"{TABLE} a", has_text="Keep one Resample").click()
    expect(card).to_have_attribute("open", "")


def test_printed_it_has_every_table_and_no_tools(opened: Callable[..., Opened], folder: Path) -> None:
    page = opened(color_scheme="dark").go(folder / "calibrated.html")
    page.emulate_media(media="print")
    assert page.locator(".tab:visible").count() == page.locator(".tab").count()
    assert page.locator("nav:visible, .tools:visible, button.theme:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize(
    ("name", "state", "size", "scheme", "at"),
    [
        ("desktop-head", "calibrated", DESKTOP, "light", "header"),
        ("desktop-effects", "calibrated", DESKTOP, "dark", "#device-cpu-effects"),
        ("desktop-doubted", "not-calibrated", DESKTOP, "light", "header"),
        ("phone-head", "calibrated", PHONE, "dark", "header"),
        ("phone-effects", "calibrated", PHONE, "light", "#device-cpu-effects"),
    ],
)
def test_the_page_looks_as_its_committed_picture(
    opened: Callable[..., Opened],
    folder: Path,
    tmp_path: Path,
    name: str,
    state: str,
    size: dict[str, int],
    scheme: str,
    at: str,
) -> None:
    page = opened(size, color_scheme=scheme, bypass_csp=True, device_scale_factor=1).go(folder / f"{state}.html")
    page.add_style_tag(content=_same_fonts())
    page.evaluate("document.fonts.ready")
    page.set_viewport_size({**size, "height": 1600})
    page.locator(at).screenshot(path=tmp_path / f"{name}.png", animations="disabled")
    made = Image.open(tmp_path / f"{name}.png").convert("RGB")
    kept = PICTURES / f"{name}.png"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PICTURES.mkdir(exist_ok=True)
        made.quantize(256).save(kept, optimize=True)
        pytest.skip(f"{kept.name} was renewed")
    wanted = Image.open(kept).convert("RGB")
    assert made.width == wanted.width
    assert abs(made.height - wanted.height) <= 0.02 * wanted.height + 8
    blocks = [_blocks(image, (wanted.width // 16, wanted.height // 16)) for image in (made, wanted)]
    apart = np.abs(blocks[0] - blocks[1])
    assert apart.mean() < 4, f"{apart.mean():.1f} of 255 on average"
    assert (apart.max(axis=2) > 60).mean() < 0.03, "some part looks different"  # of 255


def _blocks(image: Image.Image, size: tuple[int, int]) -> Any:
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=float)


def _same_fonts() -> str:
    """The page in the fonts that matplotlib brings along, so that a picture does not depend on those of the machine."""
    folder, rules = Path(mpl.get_data_path()) / "fonts" / "ttf", []
    for family, file, weight in (
        ("Same", "DejaVuSans.ttf", 400), ("Same", "DejaVuSans-Bold.ttf", 700), ("Same Mono", "DejaVuSansMono.ttf", 400)
    ):  # fmt: skip
        data = base64.b64encode((folder / file).read_bytes()).decode("ascii")
        rules.append(
            f"@font-face {{ font-family: '{family}'; font-weight: {weight}; src: url(data:font/ttf;base64,{data}); }}"
        )
    rules.append("*, svg text { font-family: 'Same', sans-serif !important; }")
    rules.append("code, pre, code *, pre * { font-family: 'Same Mono', monospace !important; }")
    return "\n".join(rules)
