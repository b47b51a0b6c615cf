"""`harness report`, `show`, `index` and `export`: what was measured, as pages, tables and files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import pages
from harness.cli.options import RESULTS, JsonFlag, LanguageOption, RunArgument, named_file
from harness.cli.reading import language_of, run_of
from harness.cli.telling import STDOUT, console, write, write_or_tell
from harness.errors import UsageError

RunArguments = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Folder of a run; several are put side by side.")
]
PageFile = Annotated[
    Path | None,
    typer.Option(
        help="Write the page here.", show_default="RUN/report.html, or RUN/comparison.html", callback=named_file
    ),
]
MarkdownFile = Annotated[Path | None, typer.Option(help="Write Markdown here; - for stdout.")]
AgainFlag = Annotated[
    bool,
    typer.Option("--again", help="First judge what was measured by this version's rules, and write run.json anew."),
]
PlotsFlag = Annotated[
    bool,
    typer.Option("--plots/--no-plots", help="Whether to write the plots as SVG into RUN/plots, too, and link to them."),
]
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder with runs, at any depth.")]
IndexFile = Annotated[
    Path | None, typer.Option(help="Write the page here.", show_default="DIR/index.html", callback=named_file)
]
TitleOption = Annotated[str, typer.Option(help="What stands at its head.", show_default="Runs")]
FormatOption = Annotated[str, typer.Option("--format", metavar="FORMAT", help="pytest-benchmark")]
ExportFile = Annotated[Path, typer.Option(help="Write it here; - for stdout.")]


def report(
    folders: RunArguments,
    html: PageFile = None,
    markdown: MarkdownFile = None,
    language: LanguageOption = "en",
    again: AgainFlag = False,
    plots: PlotsFlag = True,
) -> None:
    """Write the HTML page, and Markdown for a pull request, of a run. Also for a run in progress or interrupted.

    The page is one file. Its plots are written beside the run as SVG too, in RUN/plots. Several runs stand side by side on
    one page, each with its own verdicts; what cannot be compared is refused, with the reason. Of a folder with profiles
    alone, their page is written.
    """
    language_of(language)
    several = len(folders) > 1
    if not (several or again or html or markdown) and (page := pages.write_profiles(folders[0], language)):
        typer.echo(f"page  {page.resolve().as_uri()}")
        return
    if again:
        pages.judge_again(folders)
    if html is None and markdown is None:
        html = folders[0] / "comparison.html" if several else pages.page_of(folders[0])
    if several:
        pages.write_comparison(folders, html=html, markdown=markdown, language=language)
    else:
        pages.write_reports(folders[0], html=html, markdown=markdown, language=language, plots=plots)
    if html is not None:
        typer.echo(f"page  {html.resolve().as_uri()}", err=markdown == STDOUT)


def show(folder: RunArgument, json_: JsonFlag = False) -> None:
    """Print the tables of a run's report, as wide as the terminal. Also for a run in progress or interrupted.

    With --json the answers, controls and contrasts with plain numbers, and the verdicts that may be drawn from them.
    """
    from harness.report import json_text
    from harness.report.terminal import terminal

    found = run_of(folder)
    if json_:
        typer.echo(json_text(found))
        return
    console().print(terminal(found))


def index(
    folder: FolderArgument = RESULTS, out: IndexFile = None, title: TitleOption = "", language: LanguageOption = "en"
) -> None:
    """Write a page that lists all runs below a folder, the newest first, with a search. Links lead to their pages.

    The page is one file; it needs no network, and without JavaScript only the search is missing.
    """
    from harness import catalogue
    from harness import report as reports
    from harness.report.words import speaking

    if not folder.is_dir():
        message = f"{folder}: there is no such folder; name one that holds runs"
        raise UsageError(message)
    out = out or folder / "index.html"
    found = catalogue.runs(folder, seen_from=out.parent)
    with speaking(language_of(language)):
        write(out, reports.index(found, title))
    typer.echo(f"{len(found)} run{'' if len(found) == 1 else 's'}\npage  {out.resolve().as_uri()}")


def export(folder: RunArgument, format_: FormatOption = "pytest-benchmark", out: ExportFile = STDOUT) -> None:
    """Write the timed samples of a run in the format of another tool, without verdicts.

    `pytest-benchmark compare FILE` reads what `--format pytest-benchmark` writes.
    """
    from harness import store
    from harness.report import EXPORTS

    if format_ not in EXPORTS:
        message = f"--format {format_}: allowed are {', '.join(EXPORTS)}"
        raise UsageError(message)
    write_or_tell(out, EXPORTS[format_](store.load(folder)))
