"""A run as one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from harness.report import canvas, page, plots
from harness.report.audio import ReadFile, sounds
from harness.report.model import Device
from harness.report.reading import anchor
from harness.results import Run


def html(run: Run, read_file: ReadFile | None = None) -> str:
    """The report of `run`. `read_file` reads audio from the run's folder; without it, audio is linked, not embedded."""
    report = page.build(run)
    template = _environment().get_template("template.html.j2")
    return template.render(
        page=report,
        plots={device.name: _inline_plots(device) for device in report.devices},
        sounds=sounds(report.listening, read_file),
        style=Markup(_asset("style.css")),
        code=_code,
        anchor=anchor,
        linked={toggle.name for toggle in report.toggles},
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("harness.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _asset(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _inline_plots(device: Device) -> dict[str, Markup]:
    drawn = plots.device_plots(device)
    return {name: Markup(canvas.inline(text, f"{device.anchor}-{name}")) for name, text in drawn.items()}


def _code(source: str) -> Markup:
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))
