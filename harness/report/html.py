"""A run as one HTML file that needs no network and, to be read, no script; data and audio lie beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from harness import units
from harness.profiles.index import Index
from harness.report import canvas, page, plots, sections, templating
from harness.report.files import Files
from harness.report.minis import mini, scale_of
from harness.report.model import Page, Toggle
from harness.report.reading import Reading, anchor
from harness.report.section import Section
from harness.report.words import language, say, speaking
from harness.results import Run
from harness.toggling import toggle_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A section with its id and its plots drawn."""

    section: Section
    anchor: str
    plots: Mapping[str, Markup]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The page, and its plots as SVG documents by file name."""

    html: str
    plots: Mapping[str, str]


def html(run: Run, files: Files | None = None, language: str = "en") -> str:
    """The report of `run`. `files` are those beside the page with their sizes; None where that is not known."""
    return render(run, files, language).html


def svgs(run: Run) -> Mapping[str, str]:
    """Every plot of a report as a standalone SVG document, by file name."""
    return render(run).plots


def render(run: Run, files: Files | None = None, language: str = "en", profiles: Index | None = None) -> Rendered:
    """The page of `run` in `language` (a key of `words.LANGUAGES`), with its plots, which are drawn once for both.

    `profiles` is the index of those that lie beside it.
    """
    with speaking(language), canvas.style():
        reading = Reading(run)
        report = replace(page.build(run), files=files, profiles=profiles)
        drawn: dict[str, str] = {}
        text = templating.environment().get_template("page.html.j2").render(
            page=report,
            before=_parts(sections.of_page(sections.PARTS_BEFORE, reading, report), "", drawn),
            devices=[
                (device, _parts(sections.of_device(reading, device), device.anchor, drawn)) for device in report.devices
            ],
            after=_parts(sections.of_page(sections.PARTS_AFTER, reading, report), "", drawn),
            card_parts=partial(_card_parts, reading, report, drawn),
            language=language,
            linked={toggle.name for toggle in report.toggles},
            **_common(),
        )  # fmt: skip
    return Rendered(html=text, plots=drawn)


def allocations(title: str, data: Mapping[str, Any]) -> str:
    """One arm's allocations (`harness.allocations.summary`) as a page of its own, without network or script."""
    with canvas.style():
        drawn = plots.held(data["points"] or [(0.0, data["before_bytes"])], title)
    holders = [
        (units.size(item["bytes"]), units.count(item["count"]), item["place"], item["stack"][1:])
        for item in data["holders"]
    ]
    return (
        templating.environment()
        .get_template("allocations.html.j2")
        .render(
            title=title,
            peak=units.size(data["peak_bytes"]),
            before=units.size(data["before_bytes"]),
            events=units.count(data["events"]),
            complete=data["complete"],
            holders=holders,
            plot=Markup(canvas.inline(drawn, "held")),  # noqa: S704  matplotlib escapes what it draws
            language=language(),
            **{**_common(), "style": templating.style("profiles.css")},
        )
    )


def _parts(found: Iterator[Section], prefix: str, drawn: dict[str, str]) -> Sequence[Part]:
    """Sections with their plots drawn; the documents go into `drawn` by file name."""
    parts = []
    for section in found:
        shown = {}
        for name, draw in section.plots.items():
            stem = f"{prefix}-{name}" if prefix else name
            drawn[f"{stem}.svg"] = document = draw()
            shown[name] = Markup(canvas.inline(document, stem))  # noqa: S704  matplotlib escapes what it draws
        whole = f"{prefix}-{section.name}" if prefix else section.name
        parts.append(Part(section=section, anchor=whole, plots=shown))
    return parts


def _card_parts(reading: Reading, report: Page, drawn: dict[str, str], toggle: Toggle) -> Sequence[Part]:
    """The parts of a card. Plots of a toggle name their device themselves, as their files do."""
    found = _parts(sections.of_toggle(reading, report, toggle), "", drawn)
    return [replace(part, anchor=f"{toggle.anchor}-{part.section.name}") for part in found]


def _common() -> Mapping[str, Any]:
    """What every template may use."""
    script, digest = templating.script("page.js")
    return {
        "style": templating.style(),
        "script": script,
        "script_hash": digest,
        "code": _code,
        "prose": templating.prose,
        "soft": _soft,
        "anchor": anchor,
        "toggle_of": toggle_of,
        "mini": mini,
        "scale_of": scale_of,
        "_": say,
    }


def _code(source: str) -> Markup:
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))  # noqa: S704  Pygments escapes


def _soft(text: str) -> Markup:
    """Text in which a line may break after a dot or an underscore or before a bracket, as names in code need."""
    return Markup(re.sub(r"(\.|_)(?=\w)|(?=\()", r"\1<wbr>", str(escape(text))))  # noqa: S704  escaped just here
