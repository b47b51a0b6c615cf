"""One part of the page: what it is called, which template lays it out, from which data, with which plots.

To add a part: write a function that takes what it is about (`OfDevice`, `OfToggle` or `OfPage`) and returns a `Section`, or
None where there is nothing to say; write its template; put the function into a list of `harness.report.sections`. The
heading, the entry in the contents, the drawing and the files of the plots follow from the `Section`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.report.model import Device, Page, Toggle
from harness.report.reading import Reading

Drawing = Callable[[], str]
"""Draws a plot, as `canvas.svg` makes one. Called inside `canvas.style()`, and only where plots are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the page.

    `name` is unique among the parts of one device, toggle or page: ids and files of plots begin with it. `title` is the
    heading and the entry in the contents. `template` is a file of `harness/report/templates`, which sees `data`, the plots
    drawn as `plots[NAME]`, and the whole `page`. `markdown` are the lines of the same part in a pull request, if any.
    """

    name: str
    title: str
    template: str
    data: Any = None
    plots: Mapping[str, Drawing] = field(default_factory=dict)
    markdown: Callable[[], Iterable[str]] | None = None


OfDevice = Callable[[Reading, Device], Section | None]
OfToggle = Callable[[Reading, Page, Toggle], Section | None]
OfPage = Callable[[Reading, Page], Section | None]
