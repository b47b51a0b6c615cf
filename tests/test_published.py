"""What is published: whole runs, with the command that made them, and nothing of where they were made."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from harness import catalogue, store
from harness.profiles.index import FOLDER, INDEX_FILE, INDEX_PAGE, present, read
from harness.report import index
from tests.prove.proof import DECISIONS, TABLE

REPORTS = Path(__file__).parent.parent / "reports"
PUBLISHED = REPORTS / "published"
PUBLISHED_TITLE = "Published runs"
RUNS = sorted(path.parent for path in PUBLISHED.glob("*/*/run.json"))
PROFILES = sorted(path.parent for path in PUBLISHED.glob(f"*/*/{FOLDER}/{INDEX_FILE}"))
PROOFS = sorted(path.parent for path in PUBLISHED.glob(f"*/*/{DECISIONS}"))
STYLE = re.compile("<style>.*?</style>", re.DOTALL)
PAGES = sorted(PUBLISHED.rglob("*.html"))
LINK = re.compile(r'(?:href|src)="([^"]+)"')
PRIVATE = re.compile(r"/(home|root|tmp|work|Users|mnt)/")


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_published_run_is_whole_and_says_how_it_was_made(folder: Path) -> None:
    run = store.load(folder)
    assert run.complete
    assert run.trials
    assert run.controls
    assert run.timing["command"].startswith("harness run ")
    assert run.environment["git"]["dirty"] is False
    assert run.scenario["name"] == folder.name


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
@pytest.mark.parametrize("file", ["run.json", "report.md", "report.html"])
def test_a_published_report_names_no_folder_of_the_machine_that_made_it(folder: Path, file: str) -> None:
    found = PRIVATE.search((folder / file).read_text(encoding="utf-8"))
    assert found is None, found


@pytest.mark.parametrize("folder", PROFILES, ids=lambda folder: f"{folder.parent.parent.name}/{folder.parent.name}")
def test_published_profiles_are_all_there_and_name_no_folder_of_the_machine_that_made_them(folder: Path) -> None:
    files = {path.name: path for path in folder.iterdir()}
    known = read((folder / INDEX_FILE).read_bytes())
    assert known.differences
    assert f'"{known.differences[0].page}"' in files[INDEX_PAGE].read_text(encoding="utf-8")
    assert present(known, files).differences == known.differences
    for path in folder.glob("*.*"):
        found = PRIVATE.search(path.read_text(encoding="utf-8"))
        assert found is None, (path.name, found)


@pytest.mark.parametrize("folder", PROOFS, ids=lambda folder: folder.parent.name)
def test_a_published_proof_was_made_from_commits_and_names_no_folder_of_its_machine(folder: Path) -> None:
    events = list(store.read_journal(folder, DECISIONS))
    assert all(event["environment"]["git"]["dirty"] is False for event in events if event["is"] == "began")
    assert any(event["is"] == "decision" for event in events)
    for file in (DECISIONS, TABLE):
        assert PRIVATE.search((folder / file).read_text(encoding="utf-8")) is None


def test_the_list_of_published_runs_is_in_step_with_them() -> None:
    """After publishing a run: nox -s docs. How the page looks may lag behind the style that all pages share."""
    page = (REPORTS / "index.html").read_text(encoding="utf-8")
    made = index(catalogue.runs(REPORTS, seen_from=REPORTS), PUBLISHED_TITLE)
    assert STYLE.sub("", page) == STYLE.sub("", made)
    assert all(f"./{folder.relative_to(REPORTS).as_posix()}/report.html" in page for folder in RUNS)
    assert PRIVATE.search(page) is None


@pytest.mark.parametrize("page", [*PAGES, REPORTS / "index.html"], ids=lambda page: str(page.relative_to(REPORTS)))
def test_what_a_published_page_links_to_is_there(page: Path) -> None:
    """Pages are published without their plots: harness report RUN --no-plots."""
    found = {unescape(address) for address in LINK.findall(page.read_text(encoding="utf-8"))}
    files = {unquote(address.partition("#")[0]) for address in found if not urlsplit(address).scheme}
    assert [file for file in sorted(files - {""}) if not (page.parent / file).is_file()] == []


def test_something_is_published() -> None:
    assert RUNS
    assert PROFILES
