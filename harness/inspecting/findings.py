"""What an inspection finds: frozen data, which cannot print itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["toggle", "loss"]
State = Literal["applies", "already present", "not applicable", "found", "avoided", "not there"]
"""The first three are said of a toggle, the others of a loss, in the same order: the costly structure stands in the code; only
what avoids it does; neither does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of the inspected code: its file relative to what was inspected, the function around it, and its text."""

    file: str
    line: int
    function: str
    code: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A place, and in words what stands there."""

    place: Place
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a rule says of a tree: where the cost is, where the code avoids it, and, where neither is, why."""

    costs: tuple[Evidence, ...] = ()
    avoided: tuple[Evidence, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule's answer, with what readers need to judge it. `measured` is a figure from elsewhere, "" where there is none.

    `mended_by` is the toggle that mends a loss, "" where there is none.
    """

    id: str
    kind: Kind
    title: str
    state: State
    costs: tuple[Evidence, ...]
    avoided: tuple[Evidence, ...]
    reason: str
    why: str
    measured: str
    mended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that tells generations of CosyVoice apart: what it is about, what was found, and where."""

    about: str
    found: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A file that could not be parsed: rules know nothing of what it holds. `line` is None where the whole file is meant."""

    file: str
    line: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Everything that is known of a tree after reading it: `files` were parsed, `unread` were not."""

    path: str
    files: int
    facts: tuple[Fact, ...]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]

    def of(self, kind: Kind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    @property
    def toggles(self) -> tuple[str, ...]:
        """The toggles that apply."""
        return tuple(finding.id for finding in self.of("toggle") if finding.state == "applies")
