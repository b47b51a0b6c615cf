"""The page: complete, escaped, and in need of nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import pytest

from harness.report import html
from harness.report.audio import players
from harness.report.files import downloads, inside
from harness.report.model import Listening, Player
from harness.results import Run
from tests.report import sample_runs

_VOID = {"meta", "link", "br", "img", "input", "hr", "wbr"}


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
    return html(sample_runs.calibrated())


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


def test_nothing_is_loaded_from_anywhere_and_only_the_page_s_own_script_runs(text: str) -> None:
    page = Elements(text)
    assert "http:" not in text
    assert "https:" not in text
    assert [attributes for tag, attributes in page.found if tag == "script"] == [{}]
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    assert all(link.startswith(("#", "data:", "./")) for link in page.attributes("src", "href", "xlink:href"))
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    policy = next(
        a["content"] for tag, a in page.found if tag == "meta" and "content-security-policy" in str(a).lower()
    )
    assert policy.startswith("default-src 'none';")
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_markup_of_a_run_file_stays_text_and_its_paths_stay_inside() -> None:
    page = html(sample_runs.hostile(), {"../../etc/passwd": 1})
    assert page.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "javascript:" not in page
    assert "passwd" not in page


def test_audio_beside_the_page_is_played_from_there_with_its_size() -> None:
    group = Listening(device="cpu", request="a", players=(Player(label="Before", path="a b.wav"),))
    assert players([group], {"a b.wav": 2048})[0].players[0].link == "./a%20b.wav"
    assert players([group], {"a b.wav": 2048})[0].players[0].note == "2.00\u202fKiB"
    assert players([group], None)[0].players[0].link == "./a%20b.wav"


def test_audio_that_is_not_there_is_said_so() -> None:
    group = Listening(device="cpu", request="a", players=(Player(label="Before", path="a.wav"),))
    (sound,) = players([group], {"other.wav": 1})[0].players
    assert (sound.link, sound.note) == ("", "its file is not beside this page")


def test_files_beside_the_page_are_linked_by_what_they_are_and_those_outside_are_not() -> None:
    files = {
        "run.json": 10,
        "samples.parquet": 2**20,
        "audio/a.wav": 4,
        "audio/b.wav": 4,
        "../passwd": 3,
        "other.txt": 1,
        "plots/a.svg": 9,
    }
    found = {link.name: link for link in downloads(files)}
    assert list(found) == ["run.json", "samples.parquet", "audio/", "plots/"]
    assert found["samples.parquet"].links == (("samples.parquet", "./samples.parquet"),)
    assert [name for name, _ in found["audio/"].links] == ["a.wav", "b.wav"]
    assert downloads({}) == ()


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x.wav", "a/../../x.wav", "..\\x.wav", "C:\\x.wav", "file:x"])
def test_paths_that_leave_the_folder_are_refused(path: str) -> None:
    assert not inside(path)


def test_a_page_that_is_not_calibrated_says_so_at_its_head() -> None:
    page = html(sample_runs.not_calibrated())
    head = page[: page.index("<main ")]
    assert "Not calibrated: placebo failed." in head
    assert "This run was not finished." in head
