"""A module of regular expressions that compiles a pattern once, and after that asks its library nothing."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from types import ModuleType
from typing import Any

FLAGS_AT = {"search": 1, "match": 1, "fullmatch": 1, "findall": 1, "finditer": 1, "split": 2, "sub": 3, "subn": 3}
"""Function of the library -> where, after the pattern, flags stand that are not given by name."""
VERBS = tuple(FLAGS_AT)


def compiling(texts: Collection[str]) -> Any:
    """Makes of `re`, or of `regex`, a module whose functions use compiled patterns; those of `texts` are compiled at once."""
    kept: dict[Any, Any] = {}

    def around(library: ModuleType) -> ModuleType:
        for text in texts:
            if (text, 0) not in kept:
                _compile_if_pattern(library, text, kept)
        copy = ModuleType(library.__name__)
        vars(copy).update(vars(library))
        for verb in VERBS:
            vars(copy)[verb] = _matching(library, verb, kept)
        return copy

    return around


def _compile_if_pattern(library: Any, text: str, kept: dict[Any, Any]) -> None:
    with suppress(Exception):  # any other text of the function: whatever the library says, it is no pattern
        kept[text, 0] = library.compile(text)


def _matching(library: Any, verb: str, kept: dict[Any, Any]) -> Any:
    place = FLAGS_AT[verb]

    def call(pattern: Any, *args: Any, flags: int = 0, **kwargs: Any) -> Any:
        if len(args) > place:
            flags, args = args[place], (*args[:place], *args[place + 1 :])
        found = kept.get((pattern, flags))
        if found is None:
            found = kept[pattern, flags] = library.compile(pattern, flags)
        return getattr(found, verb)(*args, **kwargs)

    return call
