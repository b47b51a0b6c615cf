"""A run as one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from harness import units
from harness.errors import RunFileError
from harness.report import canvas, page, plots
from harness.report.audio import ReadFile, sounds
from harness.report.model import Device
from harness.report.profiles import index_in, of_toggle
from harness.report.reading import anchor
from harness.report.templates import environment, style
from harness.results import Run, toggle_of


def html(run: Run, read_file: ReadFile | None = None) -> str:
    """The report of `run`. `read_file` reads audio from the run's folder; without it, audio is linked, not embedded."""
    report = page.build(run)
    index = None
    try:
        index = index_in(read_file)
    except RunFileError as error:
        report = replace(report, notices=(*report.notices, f"Its profiles are not linked: {error}."))
    template = environment().get_template("template.html.j2")
    return template.render(
        page=report,
        plots={device.name: _inline_plots(device) for device in report.devices},
        sounds=sounds(report.listening, read_file),
        style=style(),
        code=_code,
        prose=_prose,
        anchor=anchor,
        toggle_of=toggle_of,
        profiles={toggle.name: of_toggle(index, toggle.name) for toggle in report.toggles},
        linked={toggle.name for toggle in report.toggles},
    )


def allocations(title: str, data: Mapping[str, Any]) -> str:
    """One arm's allocations (`harness.allocations.summary`) as a page of its own, without network or script."""
    with canvas.style():
        drawn = plots.held(data["points"] or [(0.0, data["before_bytes"])], title)
    holders = [
        (units.size(item["bytes"]), units.count(item["count"]), item["place"], item["stack"][1:])
        for item in data["holders"]
    ]
    return (
        environment()
        .get_template("allocations.html.j2")
        .render(
            title=title,
            peak=units.size(data["peak_bytes"]),
            before=units.size(data["before_bytes"]),
            events=units.count(data["events"]),
            complete=data["complete"],
            holders=holders,
            plot=Markup(canvas.inline(drawn, "held")),  # noqa: S704  matplotlib escapes what it draws
            style=style(),
        )
    )


def _inline_plots(device: Device) -> dict[str, Markup]:
    drawn = plots.device_plots(device)
    return {
        name: Markup(canvas.inline(text, f"{device.anchor}-{name}"))  # noqa: S704  matplotlib escapes what it draws
        for name, text in drawn.items()
    }


def _code(source: str) -> Markup:
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))  # noqa: S704  Pygments escapes


def _prose(text: str) -> Markup:
    """Text of a docstring, in which backticks mark code."""
    return Markup(re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(text)))  # noqa: S704  escaped just here
