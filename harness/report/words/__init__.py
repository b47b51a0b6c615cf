"""What the page says, in the language of its reader.

English stands where it is said, as `say("{count} samples", count=...)` in Python and `_("...")` in a template; the other
languages are catalogues from the English sentence to their own (`zh.py` and the files beside it). A sentence that a catalogue lacks is said in
English. What a run file holds (reasons, findings) was worded when it was measured, and stays as it is.

The language is that of the innermost `speaking`: a context variable, so that no function hands it on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from harness.report.words.zh import SENTENCES
from harness.report.words.zh_beside import COMPARISONS, LISTS, PROFILES
from harness.report.words.zh_caches import SENTENCES as CACHES
from harness.report.words.zh_designs import DESIGNS
from harness.report.words.zh_lengths import SENTENCES as LENGTHS
from harness.report.words.zh_starts import STARTS
from harness.report.words.zh_terms import PHRASES, TERMS, WORDS
from harness.units import Direction

LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}
"""Codes as in HTML's `lang`, and what each language calls itself."""

_CATALOGUES: Mapping[str, Mapping[str, str]] = {
    "en": {},
    "zh": {**COMPARISONS, **LISTS, **PROFILES, **TERMS, **SENTENCES, **DESIGNS, **CACHES, **STARTS, **LENGTHS},
}
_spoken: ContextVar[str] = ContextVar("spoken", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Say everything in `language` (a key of LANGUAGES) until the end of the block."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def language() -> str:
    """The code of the language that is spoken now."""
    return _spoken.get()


def say(text: str, /, **values: Any) -> str:
    """The sentence `text` in the language spoken, with `{name}` replaced by the value of that name."""
    said = catalogue(language()).get(text, text)
    return said.format(**values) if values else said


def plural(number: int, one: str, many: str, /, **values: Any) -> str:
    """`one` or `many`, by `number`, said as `say` does."""
    return say(one if number == 1 else many, **values)


def in_language(direction: Direction) -> Direction:
    """The words of a change in the language spoken."""
    if language() == "en":
        return direction
    return replace(direction, below=WORDS[direction.below], above=WORDS[direction.above], phrases=PHRASES)


def mark(text: str, /) -> str:
    """`text` as it is: for sentences in constants, which are said later, so that tests of catalogues find them."""
    return text


def catalogue(code: str) -> Mapping[str, str]:
    """The sentences of a language by their English; none for English itself."""
    return _CATALOGUES[code]
