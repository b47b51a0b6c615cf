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
    """A compiled pattern, handed to its library as text, so that it is looked up in the library's cache every time.

    What the library's functions do not take, such as a place to begin at, is asked of the pattern itself.
    """

    def __init__(self, pattern: Any, library: Any) -> None:
        self._pattern, self._library = pattern, library
        self._source, self._flags = pattern.pattern, pattern.flags

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)

    def search(self, string: str, *span: int, **named: int) -> Any:
        return self._asked("search", string, *span, **named)

    def match(self, string: str, *span: int, **named: int) -> Any:
        return self._asked("match", string, *span, **named)

    def fullmatch(self, string: str, *span: int, **named: int) -> Any:
        return self._asked("fullmatch", string, *span, **named)

    def findall(self, string: str, *span: int, **named: int) -> Any:
        return self._asked("findall", string, *span, **named)

    def finditer(self, string: str, *span: int, **named: int) -> Any:
        return self._asked("finditer", string, *span, **named)

    def split(self, string: str, maxsplit: int = 0) -> Any:
        return self._library.split(self._source, string, maxsplit=maxsplit, flags=self._flags)

    def sub(self, repl: Any, string: str, count: int = 0) -> Any:
        return self._library.sub(self._source, repl, string, count=count, flags=self._flags)

    def subn(self, repl: Any, string: str, count: int = 0) -> Any:
        return self._library.subn(self._source, repl, string, count=count, flags=self._flags)

    def _asked(self, verb: str, string: str, *span: int, **named: int) -> Any:
        if span or named:
            return getattr(self._pattern, verb)(string, *span, **named)
        return getattr(self._library, verb)(self._source, string, self._flags)


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
