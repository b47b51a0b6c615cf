"""Markdown's own means: text that stays text, tables, and parts that are folded away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def escape(text: str) -> str:
    """Text that Markdown and HTML leave alone, on one line; an at-sign calls nobody."""
    plain = " ".join(text.split()) if "\n" in text or "\r" in text else text
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")
    return _SPECIAL.sub(r"\\\1", escaped)


def fold(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines that open on a click on `title`."""
    yield f"<details><summary>{escape(title)}</summary>"
    yield ""
    yield from lines
    yield "</details>"
    yield ""


def tabulate(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; cells are Markdown already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"
    yield ""
