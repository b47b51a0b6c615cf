"""Pages beside that of a run: one file each, in the language spoken, with the style that all pages share, and a script that a
page names itself.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.report import palette, templating
from harness.report.words import language, say

_STYLE = "assets/style.css"


def render(template: str, *, styles: str, script: str | None = None, **data: Any) -> str:
    """The page of `template` (a path in this package), whose own style and script are the files `styles` and `script`.

    The page's policy allows that one script by its hash and nothing else: no request, no other script, no form.
    """
    code = _text(script) if script else ""
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(f"{palette.css()}{_text(_STYLE)}\n{_text(styles)}"),  # noqa: S704  files of this package
            script=Markup(code),  # noqa: S704  a file of this package
            policy=_policy(code),
            language=language(),
            _=say,
            prose=templating.prose,
            **data,
        )
    )


def _policy(code: str) -> str:
    digest = base64.b64encode(hashlib.sha256(code.encode("utf-8")).digest()).decode("ascii")
    allowed = f"script-src 'sha256-{digest}'; " if code else ""
    return f"default-src 'none'; {allowed}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("harness.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def _text(name: str) -> str:
    return files("harness.report").joinpath(name).read_text(encoding="utf-8")
