"""What lies in `RUN/profiles/`: index.json, which the report reads.

Files are named `DEVICE-ARM-KIND.SUFFIX` for one arm and `DEVICE-BEFORE-ARM-KIND.difference.SUFFIX` for a difference; all
names in the index are relative to the folder.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.errors import RunFileError

FOLDER, INDEX_FILE, INDEX_PAGE, SPEEDSCOPE = "profiles", "index.json", "index.html", "speedscope"
SCHEMA_VERSION = 1
Kind = Literal["py-spy", "torch", "memory", "host-memory"]
KINDS: Mapping[Kind, str] = {
    "py-spy": "Time on the host",
    "torch": "Operators, kernels and waits",
    "memory": "Memory of the card at its peak",
    "host-memory": "Memory of the host at its peak",
}
"""What a kind of profile shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """One arm under one profiler. `files` maps what each is to its name; `link` opens it in speedscope.

    Of kind torch on a GPU: `launches` a request, and `waits`, the share of the time in which the device waits for the host.
    """

    device: str
    arm: str
    kind: Kind
    requests: int
    processes: int
    files: Mapping[str, str]
    link: str = ""
    notes: tuple[str, ...] = ()
    launches: float | None = None
    waits: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said of a difference in one language: its first sentences, and what changed most."""

    sentences: tuple[str, ...]
    top: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """Two arms under one profiler: a page, and its first sentences. `toggle` names the one that they differ in, if it is one.

    `said` has the same in other languages, by their codes.
    """

    device: str
    before: str
    arm: str
    toggle: str
    kind: Kind
    page: str
    sentences: tuple[str, ...]
    top: tuple[str, ...] = ()
    said: Mapping[str, Said] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What could not be profiled, why, and what to do."""

    device: str
    arm: str
    kind: Kind
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Everything in the folder."""

    scenario: str
    command: str
    started: str
    profiles: tuple[Profiled, ...] = ()
    differences: tuple[Differing, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    schema_version: int = field(default=SCHEMA_VERSION)


_INDEX = TypeAdapter(Index)
_Known = TypeVar("_Known", Profiled, Differing, Refusal)


def dump(index: Index) -> str:
    """The text of index.json."""
    return _INDEX.dump_json(index, indent=1).decode() + "\n"


def read(data: bytes) -> Index:
    """An index from its text. Raises RunFileError for one that is damaged, newer, or names a file outside the folder."""
    try:
        index = _INDEX.validate_json(data)
    except ValidationError as error:
        message = f"{FOLDER}/{INDEX_FILE} cannot be read: {error.errors()[0]['msg']}"
        raise RunFileError(message) from None
    if index.schema_version > SCHEMA_VERSION:
        message = f"{FOLDER}/{INDEX_FILE} has schema version {index.schema_version}; this harness reads up to {SCHEMA_VERSION}"
        raise RunFileError(message)
    names = [name for known in index.profiles for name in (*known.files.values(), *filter(None, [known.link]))]
    names += [known.page for known in index.differences]
    for name in names:
        if not _PLAIN.fullmatch(name):
            message = f"{FOLDER}/{INDEX_FILE} names {name!r}, which is no file beside it"
            raise RunFileError(message)
    return index


_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def merged(old: Index | None, new: Index) -> Index:
    """`new`, and what `old` has of other arms, devices and kinds. What cannot be made now leaves what was made before."""
    if old is None:
        return new
    made = {_key(known) for known in new.profiles}
    tried = made | {_key(known) for known in new.refusals}
    return replace(
        new,
        profiles=(*_others(old.profiles, made), *new.profiles),
        differences=(*_others(old.differences, made), *new.differences),
        refusals=(*_others(old.refusals, tried), *new.refusals),
    )


def present(index: Index, names: Container[str]) -> Index:
    """`index` without the files that are not among `names`: who publishes profiles may leave out traces, which are large."""
    return replace(
        index,
        profiles=tuple(
            replace(
                known,
                files={label: name for label, name in known.files.items() if name in names},
                link=known.link if known.link in names else "",
            )
            for known in index.profiles
        ),
        differences=tuple(known for known in index.differences if known.page in names),
    )


def _others(found: Iterable[_Known], made: set[tuple[str, Kind, str]]) -> tuple[_Known, ...]:
    return tuple(known for known in found if _key(known) not in made)


def _key(known: Profiled | Differing | Refusal) -> tuple[str, Kind, str]:
    return known.device, known.kind, known.arm


def stem(*parts: str) -> str:
    """A file's name made of any names."""
    return "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-") or "x" for part in parts)
