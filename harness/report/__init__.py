"""Reports: a `Run` as one HTML page, as Markdown for a pull request, and as SVG plots.

    reading   looking things up in a Run
    rows, toggles, sentences   contrasts in words
    page      Run -> model.Page, all that a report says
    scales    a place timed alone beside a request
    memory, kinds              what an allocator held; effects by kind of request
    tables                     Page -> rows of cells, which Markdown and terminal share
    markdown, plots, html, terminal   Page -> text; templates/, assets/ and palette lay out the page
    words     the page's sentences in other languages
    data      Run -> JSON for machines
    exports                    Run -> the formats of other tools
    comparing Runs -> one page, or Markdown, with them side by side
    listing   Runs -> one page that lists them; standalone, machines  what such pages share
    gates     the outputs of `harness gate`, from a decision

Nothing here writes files: callers do.
"""

from collections.abc import Callable, Mapping

from harness.report.data import json_text
from harness.report.exports import pytest_benchmark
from harness.report.html import allocations, html, render, svgs
from harness.report.listing import index
from harness.report.markdown import markdown
from harness.results import Run

EXPORTS: Mapping[str, Callable[[Run], str]] = {"pytest-benchmark": pytest_benchmark}
"""Formats of other tools, by name."""

__all__ = ["EXPORTS", "allocations", "html", "index", "json_text", "markdown", "render", "svgs"]
