"""Files that are written beside a run: its page and plots, Markdown, and several runs side by side."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.reading import run_of
from harness.cli.telling import write, write_or_tell
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.profiles.index import Index
    from harness.results import Run


def page_of(folder: Path) -> Path:
    """Where a run's page is, unless another place is named."""
    return folder / "report.html"


def write_reports(
    folder: Path, *, html: Path | None, markdown: Path | None = None, language: str = "en", plots: bool = True
) -> None:
    """Write the page of the run in `folder` and its Markdown, each where it is asked for; without `plots` no SVG files beside it."""
    from harness import report

    run = run_of(folder)
    if markdown is not None:
        write_or_tell(markdown, report.markdown(run))
    if html is not None:
        _write_page(run, folder, html, language, plots=plots)


def write_comparison(
    folders: Sequence[Path], *, html: Path | None, markdown: Path | None, language: str = "en"
) -> None:
    """Write several runs side by side; the page in `language`. Raises UsageError where they cannot be compared."""
    from harness.report import comparing
    from harness.report.words import speaking

    runs = [run_of(folder) for folder in folders]
    found = comparing.compare(runs)
    if html is not None:
        with speaking(language):
            write(html, comparing.html(comparing.compare(runs)))
    if markdown is not None:
        write_or_tell(markdown, comparing.markdown(found))


def judge_again(folders: Sequence[Path]) -> None:
    """Derive controls, contrasts and findings anew from the samples of runs. Raises UsageError for one that is not complete."""
    from harness import compare, store

    for folder in folders:
        run = store.load(folder)
        if not (folder / store.RUN_FILE).exists():
            message = f"{folder}: the run is not complete, and has no verdicts yet: harness run --resume {shlex.quote(str(folder))}"
            raise UsageError(message)
        store.save(compare.evaluate(run), folder)


def _write_page(run: Run, folder: Path, html: Path, language: str, *, plots: bool) -> None:
    """The page at `html`, its plots, the pages of allocations and that of profiles in the run's folder, whose files the page links to."""
    from harness import report, store
    from harness.profiles.index import FOLDER
    from harness.report.words import speaking

    for kept in sorted((folder / "memory").glob("*.json")):
        data = json.loads(kept.read_text(encoding="utf-8"))
        with speaking(language):
            write(kept.with_suffix(".html"), report.allocations(kept.stem, data))
    beside = html.resolve().parent == folder.resolve()
    # The plots are written below, with the page that links to them.
    there = store.files(folder) if beside else {}
    files = {name: size for name, size in there.items() if not name.startswith("plots/")}
    if beside and plots:
        files["plots/"] = 0
    profiles = _profiles_in(folder) if beside else None
    made = report.render(run, files, language, profiles)
    write(html, made.html)
    if profiles is not None:
        _write_index(profiles, folder / FOLDER, language)
    for name, svg in made.plots.items() if plots else ():
        write(folder / "plots" / name, svg)


def write_profiles(folder: Path, language: str) -> Path | None:
    """Write the page of a folder that holds profiles and no run, and say where it is; None for any other folder."""
    from harness import store
    from harness.profiles import index as indexes

    has_run = any((folder / name).exists() for name in (store.RUN_FILE, store.JOURNAL))
    profiles = None if has_run else _profiles_in(folder)
    return None if profiles is None else _write_index(profiles, folder / indexes.FOLDER, language)


def _write_index(profiles: Index, folder: Path, language: str) -> Path:
    from harness.profiles.index import INDEX_PAGE
    from harness.report.profiles import index_page
    from harness.report.words import speaking

    with speaking(language):
        write(folder / INDEX_PAGE, index_page(profiles))
    return folder / INDEX_PAGE


def _profiles_in(folder: Path) -> Index | None:
    """The index of the profiles in a run's folder, as far as they are there; None, with a word on stderr, where it cannot be read."""
    from harness.profiles import index as indexes

    path = folder / indexes.FOLDER / indexes.INDEX_FILE
    try:
        if not path.exists():
            return None
        return indexes.present(indexes.read(path.read_bytes()), {file.name for file in path.parent.iterdir()})
    except UsageError as error:
        typer.echo(f"harness: profiles are not linked: {error}", err=True)
        return None
