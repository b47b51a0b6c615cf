"""The templates, styles and scripts of this package."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness import units
from harness.report import palette
from harness.report.words import language, say


@cache
def environment() -> Environment:
    """Escapes whatever is put into a page; a name that is missing is an error."""
    made = Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["tied"] = tied
    return made


def tied(text: str) -> str:
    """Text in which no line ends between a number and its sign of percent."""
    return re.sub(r"(?<=\d) (?=%)", units.SPACE, text)


def style(*more: str) -> Markup:
    """The colours, the style that pages share, and that of the assets `more`."""
    return Markup(palette.css() + "".join(map(_asset, ("style.css", *more))))  # noqa: S704  files of this package


def script(name: str) -> tuple[Markup, str]:
    """A script of this package, and its SHA-256, by which a page's policy lets it run and no other."""
    digest = base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode("ascii")
    return Markup(_asset(name)), digest  # noqa: S704  a file of this package


def prose(text: str) -> Markup:
    """Text of a docstring, in which backticks mark code."""
    return Markup(re.sub(r"`+([^`]+)`+", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped just here


def page(template: str, **data: Any) -> str:
    """A page in the language spoken, whose sentences are looked up as those of the report are."""
    return environment().get_template(template).render(language=language(), _=say, **data)


@cache
def _asset(name: str) -> str:
    return files("harness.report").joinpath("assets", name).read_text(encoding="utf-8")
