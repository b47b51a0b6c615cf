"""The templates of this package, and the style that its pages share."""

from __future__ import annotations

import base64
import hashlib
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


@cache
def text(name: str) -> str:
    """A file of this package, as it is."""
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")


def script(name: str) -> tuple[Markup, str]:
    """A script of this package, and its digest, by which a page's policy lets it and no other run."""
    digest = base64.b64encode(hashlib.sha256(text(name).encode()).digest()).decode("ascii")
    return Markup(text(name)), f"sha256-{digest}"  # noqa: S704  a file of this package


def style(*more: str) -> Markup:
    """The shared style, and that of the files `more`."""
    return Markup("\n".join(map(text, ("style.css", *more))))  # noqa: S704  files of this package
