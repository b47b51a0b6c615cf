"""Reports: a `Run` as one HTML page, as Markdown for a pull request, and as SVG plots.

    section, sections          the parts of the page: how one is made, and which there are
    reading   looking things up in a Run
    rows, toggles, sentences   contrasts in words
    page      Run -> model.Page, all that a report says
    scales    a place timed alone beside a request
    memory, kinds              what an allocator held; effects by kind of request
    markdown, plots, html      Page -> text; templates/, assets/ and palette lay it out
    words     the page's sentences in other languages
    exports                    Run -> the formats of other tools
    gates     the outputs of `harness gate`, from a decision

Nothing here writes files: callers do.
"""

from collections.abc import Callable, Mapping

from harness.report.exports import pytest_benchmark
from harness.report.html import allocations, html, render, svgs
from harness.report.markdown import markdown
from harness.results import Run

EXPORTS: Mapping[str, Callable[[Run], str]] = {"pytest-benchmark": pytest_benchmark}
"""Formats of other tools, by name."""

__all__ = ["EXPORTS", "allocations", "html", "markdown", "render", "svgs"]
