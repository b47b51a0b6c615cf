"""Compile patterns once (seed document: `utils/frontend_utils.py` and `TTS.py`; the rest under "optional")."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from harness.optimizations.cache import Cache
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext, Pattern
from harness.optimizations.witness import Expected, Witness
from harness.worker.probes import Probe, calls

SEED_PATTERNS = ("chinese_character", "clause_boundary")
"""The patterns that the seed document says are precompiled, by their names in the front end."""


class PatternByText:
    """Hands a pattern to `re` as text, so that `re` looks it up in its cache of compiled patterns every time."""

    def __init__(self, source: str) -> None:
        self._source = source

    def search(self, text: str) -> re.Match[str] | None:
        return re.search(self._source, text)

    def sub(self, repl: Any, text: str) -> str:
        return re.sub(self._source, repl, text)

    def split(self, text: str) -> list[str | Any]:
        return re.split(self._source, text)


def look_up_each_time(context: BindContext) -> Callable[[Mapping[str, str]], Mapping[str, Pattern]]:
    """Pass patterns to `re` as text."""

    def build(sources: Mapping[str, str]) -> Mapping[str, Pattern]:
        return {name: PatternByText(source) for name, source in sources.items()}

    return build


def one_search(
    build: Callable[[Mapping[str, str]], Mapping[str, Pattern]], sources: Mapping[str, str], text: str
) -> Any:
    """A search with the first of the patterns that the seed document names."""
    return partial(build(sources)[SEED_PATTERNS[0]].search, text)


def _look_ups(patterns: str = "seed") -> Probe:
    """Look-ups in `re`'s cache of compiled patterns by the front end: `re.search` and its like call `re._compile`."""
    return calls("re:_compile", caller=__name__, depth=2)


def _expected(patterns: str = "seed") -> Expected:
    return "none" if patterns == "all" else "fewer"


@optimization(
    title="Precompile regular expressions",
    sites=("text.patterns",),
    before=look_up_each_time,
    witness=Witness(unit="look-ups in re's pattern cache", probe=_look_ups, before="every request", after=_expected),
    seed_section="other 2",
    place=one_search,
    cache=Cache(
        entry="a compiled pattern",
        key="the pattern's name in the front end",
        misses="never",
        bounded="there are as many as the front end has patterns",
    ),
)
def precompiled_regex(
    context: BindContext, *, patterns: Literal["seed", "all"] = "seed"
) -> Callable[[Mapping[str, str]], Mapping[str, Pattern]]:
    """Compile regular expressions when the front end is built.

    `patterns: seed` compiles the two that the document names (Chinese characters, clause boundaries); `patterns: all`
    compiles every pattern of the front end, which the document lists as optional. Python's `re` keeps compiled patterns
    in a cache of its own, so that what is saved is the look-up, not the compilation.
    """

    def build(sources: Mapping[str, str]) -> Mapping[str, Pattern]:
        compiled = sources if patterns == "all" else SEED_PATTERNS
        return {
            name: re.compile(source) if name in compiled else PatternByText(source) for name, source in sources.items()
        }

    return build
