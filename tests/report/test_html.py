"""The page: complete, escaped, and in need of nothing else."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.report import html
from harness.report.audio import inside, sounds
from harness.report.model import Listening, Player
from harness.results import Run
from tests.report import sample_runs

FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--no-first-run",
]  # fmt: skip
_VOID = {"meta", "link", "br", "img", "input", "hr"}


class Elements(HTMLParser):
    """Every element with its attributes, ids, the text of table rows, and tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.rows: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "tr" in self.open:
            self.rows[-1] += data

    def attributes(self, *names: str) -> Iterator[str]:
        return (attributes[name] for _, attributes in self.found for name in names if name in attributes)


@pytest.fixture(scope="module")
def text() -> str:
    return html(sample_runs.calibrated(), lambda _: sample_runs.wav())


@pytest.mark.parametrize("run", [sample_runs.calibrated, sample_runs.not_calibrated, sample_runs.hostile])
def test_the_page_is_well_formed_and_its_ids_are_unique(run: Callable[[], Run]) -> None:
    page = Elements(html(run()))
    assert page.open == []
    ids = list(page.attributes("id"))
    assert len(ids) == len(set(ids))
    targets = [link[1:] for link in page.attributes("href", "xlink:href") if link.startswith("#")]
    assert set(targets) <= set(ids)


def test_every_optimization_has_its_row(text: str) -> None:
    rows = Elements(text).rows
    for name in (*sample_runs.TITLES, "All together"):
        assert any(name in row for row in rows), name


def test_nothing_is_loaded_from_anywhere_and_nothing_runs(text: str) -> None:
    page = Elements(text)
    assert "http:" not in text
    assert "https:" not in text
    assert "script" not in {tag for tag, _ in page.found}
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    assert all(link.startswith(("#", "data:")) for link in page.attributes("src", "href", "xlink:href"))
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    policy = next(
        a["content"] for tag, a in page.found if tag == "meta" and "content-security-policy" in str(a).lower()
    )
    assert policy.startswith("default-src 'none';")


def test_markup_of_a_run_file_stays_text_and_its_paths_stay_inside() -> None:
    opened: list[str] = []

    def read_file(path: str) -> bytes:
        opened.append(path)
        return b""

    page = html(sample_runs.hostile(), read_file)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "javascript:" not in page
    assert opened == []


def test_audio_is_embedded_up_to_the_limit_and_linked_beyond() -> None:
    data = sample_runs.wav()
    group = Listening(device="cpu", request="a", players=(Player(label="Before", path="a b.wav"),) * 2)
    first, second = sounds([group], lambda _: data, limit_bytes=len(data) * 2)[0].players
    assert first.uri.startswith("data:audio/wav;base64,")
    assert (second.uri, second.link) == ("", "./a%20b.wav")
    assert "embeds" in second.note


def test_audio_that_is_missing_or_is_something_else_is_said_so() -> None:
    def missing(path: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", path)

    group = Listening(device="cpu", request="a", players=(Player(label="Before", path="a.wav"),))
    assert sounds([group], missing)[0].players[0].note == "cannot be read: No such file or directory"
    assert "not a WAV file" in sounds([group], lambda _: b"<html>")[0].players[0].note
    assert sounds([group], None)[0].players[0].link == "./a.wav"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x.wav", "a/../../x.wav", "..\\x.wav", "C:\\x.wav", "file:x"])
def test_paths_that_leave_the_folder_are_refused(path: str) -> None:
    assert not inside(path)


def test_a_page_that_is_not_calibrated_says_so_at_its_head() -> None:
    page = html(sample_runs.not_calibrated())
    head = page[: page.index("<main>")]
    assert "Not calibrated: placebo failed." in head
    assert "This run was not finished." in head


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on PATH")
    return found


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_opens_the_page_without_network_errors_or_overflow(tmp_path: Path, text: str, width: int) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = _chromium()
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    requests: list[str] = []
    complaints: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        playing = page.evaluate("document.querySelector('audio').play().then(() => true)")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        browser.close()
    assert complaints == []
    assert _not_local(requests, path.as_uri()) == []
    assert playing
    assert overflow == 0


def _not_local(requests: Sequence[str], page: str) -> list[str]:
    return [url[:80] for url in requests if url != page and not url.startswith("data:")]
