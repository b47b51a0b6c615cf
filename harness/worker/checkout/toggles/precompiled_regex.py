"""Regular expressions of the target's text front end."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from ..code import Code, constants, names
from ..counting import Probe, calls
from ..patches import Patch
from ..views import view
from .compiled import VERBS, compiling
from .toggle import Toggle

LIBRARIES = ("re", "regex")
"""The standard library's, and the package that has the same functions."""


class ByText:
    """A compiled pattern, handed to its library as text, so that it is looked up in the library's cache every time."""

    def __init__(self, pattern: Any, library: Any) -> None:
        self._source, self._flags, self._library = pattern.pattern, pattern.flags, library

    def search(self, text: str) -> Any:
        return self._library.search(self._source, text, self._flags)

    def match(self, text: str) -> Any:
        return self._library.match(self._source, text, self._flags)

    def fullmatch(self, text: str) -> Any:
        return self._library.fullmatch(self._source, text, self._flags)

    def findall(self, text: str) -> Any:
        return self._library.findall(self._source, text, self._flags)

    def finditer(self, text: str) -> Any:
        return self._library.finditer(self._source, text, self._flags)

    def split(self, text: str, maxsplit: int = 0) -> Any:
        return self._library.split(self._source, text, maxsplit=maxsplit, flags=self._flags)

    def sub(self, repl: Any, text: str, count: int = 0) -> Any:
        return self._library.sub(self._source, repl, text, count=count, flags=self._flags)


class PrecompiledRegex(Toggle):
    """Before, compiled patterns of the target are handed over as text; after, with `patterns: all`, those written as text are
    compiled.
    """

    def __init__(self, code: Code, device: str) -> None:
        super().__init__(code, device)
        self._compiled = list(_compiled(code))
        self._texts = _texts(code)

    def lacks(self) -> str:
        return "" if self._compiled or self._texts else "front end and facade match no regular expressions"

    def present(self) -> str:
        return ", ".join(f"{module.__name__}.{name} is compiled" for module, name, _ in self._compiled)

    def before(self, arm: Any) -> list[Patch]:
        return [Patch(module, name, ByText(pattern, _library_of(pattern))) for module, name, pattern in self._compiled]

    def after(self, arm: Any, *, patterns: str = "seed", **_: Any) -> list[Patch]:
        if patterns != "all":
            return []
        return [
            patch
            for library in LIBRARIES
            if library in sys.modules
            for module in self.code.modules
            for patch in view(module, library, compiling(self._texts))
        ]

    def probe(self, **_: Any) -> Probe:
        places = [(re, "_compile")]
        if "regex" in sys.modules:
            places.append((sys.modules[sys.modules["regex"].search.__module__], "_compile"))
        return calls(*places, modules={__name__, *(module.__name__ for module in self.code.modules)}, depth=2)


def _compiled(code: Code) -> Any:
    """Patterns that stand compiled in a module, as (module, name, pattern)."""
    for module in code.modules:
        for name, value in list(vars(module).items()):
            if hasattr(value, "pattern") and hasattr(value, "fullmatch"):
                yield module, name, value


def _texts(code: Code) -> frozenset[str]:
    """Texts in functions that match with a pattern as text: its patterns are among them."""
    return frozenset(
        text
        for function in code.functions()
        if names(function) & set(LIBRARIES) and names(function) & set(VERBS)
        for text in constants(function)
    )


def _library_of(pattern: Any) -> ModuleType:
    return re if isinstance(pattern, re.Pattern) else sys.modules["regex"]


TOGGLE = PrecompiledRegex
