"""YAML text -> plain data, and the line of every key: what a scenario's errors point to.

The text is data from anywhere. Only mappings, lists and scalars are read, by a composer of our own over ruamel.yaml's
events: tags, anchors, aliases and merge keys are refused, and size, depth and the number of values are bounded.
Plain scalars follow YAML 1.2 (`yes` is text), and a number that two readers would read differently is refused.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from harness.errors import ScenarioError

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 20_000
MAX_INTEGER = 1 << 63
SHOWN = 60
"""Characters of a value that a message shows."""

KeyPath = tuple[str | int, ...]

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_AMBIGUOUS = re.compile(r"[-+]?(0[0-9_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value was given: a file and its 1-based line, or an override (then `line` is None)."""

    file: str
    line: int | None


@dataclass(slots=True, kw_only=True)
class Source:
    """Plain `data` (dict, list, str, int, float, bool, None) and the place of every key path in it."""

    data: Any
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath) -> Place:
        """The place of `path`, or of the nearest key above it that was given."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(file="", line=None)

    def error(self, message: str, path: KeyPath) -> ScenarioError:
        """A ScenarioError about `path`."""
        place = self.place(path)
        return ScenarioError(message, file=place.file, line=place.line, key=dotted(path))


def dotted(path: KeyPath) -> str:
    """A key path as it is shown and as `--set` takes it: `workload.prompts.0.audio`."""
    return ".".join(_short(part if str(part).isprintable() else repr(part)) for part in path)


def found(value: Any) -> str:
    """`value` as an error message shows it: short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    return _short(repr(value))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def read(text: bytes, file: str) -> Source:
    """Read one YAML document whose top level is a mapping. Raises ScenarioError, and nothing else, for any bytes."""
    characters = _decode(text, file)
    source = _Composer(characters, file).document()
    if source.data is None:
        message = "the file is empty; a scenario starts with `name:`"
        raise ScenarioError(message, file=file, line=1)
    if not isinstance(source.data, dict):
        message = f"the top level must be a mapping of keys such as `name:`; found {found(source.data)}"
        raise ScenarioError(message, file=file, line=source.place(()).line)
    return source


def read_value(text: str, file: str) -> Any:
    """Read one value: a scalar, or a list or mapping in flow style. Raises ScenarioError."""
    return _Composer(_decode(text.encode(errors="surrogatepass"), file), file).document().data


def _decode(text: bytes, file: str) -> str:
    if len(text) > MAX_BYTES:
        message = f"the file is larger than the {MAX_BYTES:,} bytes that are read"
        raise ScenarioError(message, file=file)
    try:
        characters = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        utf16 = text[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = "it looks like UTF-16: save it as UTF-8" if utf16 else f"byte 0x{text[error.start]:02x} cannot be read"
        message = f"the file is not UTF-8; {hint}"
        raise ScenarioError(message, file=file, line=line) from None
    if bad := _NOT_TEXT.search(characters):
        line = characters.count("\n", 0, bad.start()) + 1
        message = f"the control character U+{ord(bad.group()):04X} is not allowed in a scenario"
        raise ScenarioError(message, file=file, line=line)
    return characters


class _Composer:
    """One pass over the parser's events; stops at the first thing that is not plain data."""

    def __init__(self, characters: str, file: str) -> None:
        self._file = file
        self._events: Iterator[Event] = YAML(typ="safe", pure=True).parse(io.StringIO(characters))
        self._values = 0
        self._source = Source(data=None, places={(): Place(file=file, line=1)})

    def document(self) -> Source:
        self._next()
        event = self._next()
        if isinstance(event, StreamEndEvent):
            return self._source
        first = self._next()
        self._note((), first)
        self._source.data = self._value(first, ())
        self._next()
        extra = self._next()
        if isinstance(extra, DocumentStartEvent):
            self._fail("a second document starts here; a scenario file holds one", extra)
        return self._source

    def _next(self) -> Event:
        try:
            return next(self._events)
        except MarkedYAMLError as error:
            message, line = _complaint(error)
            raise ScenarioError(message, file=self._file, line=line) from None
        except Exception as error:  # noqa: BLE001  fed arbitrary text, the parser raises more than its own errors
            message = f"not readable as YAML: {_short(' '.join(str(error).split()))}"
            raise ScenarioError(message, file=self._file) from None

    def _fail(self, message: str, event: Event, path: KeyPath = ()) -> NoReturn:
        raise ScenarioError(message, file=self._file, line=event.start_mark.line + 1, key=dotted(path))

    def _note(self, path: KeyPath, event: Event) -> None:
        self._source.places[path] = Place(file=self._file, line=event.start_mark.line + 1)

    def _value(self, event: Event, path: KeyPath) -> Any:
        self._refuse_machinery(event, path)
        self._values += 1
        if self._values > MAX_VALUES:
            self._fail(f"more than {MAX_VALUES:,} values; a scenario has a few dozen", event)
        if len(path) > MAX_DEPTH:
            self._fail(f"nested more than {MAX_DEPTH} levels deep", event)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, path)

    def _refuse_machinery(self, event: Event, path: KeyPath) -> None:
        if isinstance(event, AliasEvent):
            self._fail(f"the alias *{_short(event.anchor)} is not read; write the value out", event, path)
        if tag := getattr(event, "tag", None):
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._fail(f"the tag {_short(shown)} is not read; a scenario is plain data", event, path)
        if anchor := getattr(event, "anchor", None):
            self._fail(f"the anchor &{_short(anchor)} is not read; write the value out where it is needed", event, path)

    def _refuse_control_characters(self, event: Any, path: KeyPath) -> None:
        """Escapes in double quotes can write what the text itself may not hold: terminal codes, lone surrogates."""
        if bad := _NOT_TEXT.search(event.value):
            self._fail(f"the control character U+{ord(bad.group()):04X} is not allowed", event, path)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                self._refuse_machinery(event, path)
                self._fail("a key must be a plain word", event, path)
            self._refuse_machinery(event, path)
            key = event.value
            self._refuse_control_characters(event, path)
            if key == "<<":
                self._fail("the merge key << is not read; write the keys out", event, path)
            if key in data:
                first = self._source.places[(*path, key)].line
                self._fail(f"the key is given twice, first on line {first}", event, (*path, key))
            self._note((*path, key), event)
            data[key] = self._value(self._next(), (*path, key))
        return data

    def _sequence(self, path: KeyPath) -> list[Any]:
        data: list[Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            inner = (*path, len(data))
            self._note(inner, event)
            data.append(self._value(event, inner))
        return data

    def _scalar(self, event: Any, path: KeyPath) -> Any:
        value: str = event.value
        self._refuse_control_characters(event, path)
        if not event.implicit[0]:
            return value
        if value in _WORDS:
            return _WORDS[value]
        if _INTEGER.fullmatch(value):
            if len(value) > len(str(MAX_INTEGER)) or abs(int(value)) >= MAX_INTEGER:
                self._fail(f"the number {found(value)} is too large", event, path)
            return int(value)
        if _AMBIGUOUS.fullmatch(value):
            self._fail(f"{found(value)} can be read as two numbers; write it in decimal, or quote it", event, path)
        if not _FLOAT.fullmatch(value):
            return value
        number = math.nan if value.lstrip("+-.").lower() in {"inf", "nan"} else float(value)
        if not math.isfinite(number):
            self._fail(f"{found(value)} is not a finite number", event, path)
        return number


def _complaint(error: MarkedYAMLError) -> tuple[str, int | None]:
    """The parser's words with what to do about the commonest of them, and the line to look at."""
    problem = " ".join(part for part in (error.context, error.problem) if part)
    opened, met = error.context_mark, error.problem_mark
    ended = "stream end" in problem or "end of stream" in problem
    mark = opened if ended and opened else met
    hint = ""
    if "'\\t'" in problem:
        hint = "; indent with spaces, not tabs"
    elif opened and ("flow sequence" in problem or "flow mapping" in problem):
        hint = f"; is the bracket on line {opened.line + 1} closed?"
    return f"not readable as YAML: {problem}{hint}", mark.line + 1 if mark else None
