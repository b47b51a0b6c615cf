"""The templates of this package, and the style that its pages share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@cache
def environment() -> Environment:
    """Escapes whatever is put into a page; a name that is missing is an error."""
    return Environment(
        loader=PackageLoader("harness.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def style() -> Markup:
    text = files("harness.report").joinpath("style.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  a file of this package
