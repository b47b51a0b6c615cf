"""Profiles in the report: what a toggle's card and the page link to, and the page in the folder of profiles that links all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.profiles.index import FOLDER, INDEX_PAGE, KINDS, Differing, Index, Profiled, Said
from harness.report import templating
from harness.report.words import language, mark, say

FILES: Mapping[str, str] = {
    "flame graph": mark("flame graph"),
    "speedscope JSON": mark("speedscope JSON"),
    "collapsed stacks": mark("collapsed stacks"),
    "allocations": mark("allocations"),
    "allocator snapshot": mark("allocator snapshot"),
    "trace": mark("trace"),
    "counts": mark("counts"),
    "operators": mark("operators"),
}
"""What files of an index are called; another keeps the name that the index gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A difference as it is linked."""

    page: str
    title: str
    arms: str
    sentences: tuple[str, ...]
    top: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesPart:
    """What is said of profiles in one place. `prefix` leads from the page to the folder that they lie in.

    `all` is the page of all profiles there, where it is to be linked.
    """

    prefix: str
    all: str = ""
    all_title: str = ""
    device: str = ""
    differences: tuple[Linked, ...] = ()
    refusals: tuple[str, ...] = ()
    profiles: tuple[Profiled, ...] = ()


def of_toggle(index: Index, name: str) -> ProfilesPart:
    """Differences of the arm in which toggle `name` alone is on."""
    found = tuple(_linked(known) for known in index.differences if known.toggle == name)
    return ProfilesPart(prefix=f"./{FOLDER}/", differences=found)


def of_run(index: Index) -> ProfilesPart:
    """Differences that are no single toggle's, and the page of all."""
    found = tuple(_linked(known) for known in index.differences if not known.toggle)
    return ProfilesPart(
        prefix=f"./{FOLDER}/", differences=found, all=INDEX_PAGE, all_title=say("All profiles, and their files")
    )


def index_page(index: Index) -> str:
    """The page in the folder itself: every difference and every file, by device."""
    return templating.page(
        "profile_index.html.j2",
        index=index,
        named=_named,
        parts=tuple(_parts(index)),
        style=templating.style("profiles.css"),
    )


def speedscope_page(name: str) -> str:
    """A page that opens NAME.speedscope.js in the speedscope beside it, from a file or from a server."""
    script, digest = templating.script("speedscope.js")
    return templating.page("speedscope.html.j2", name=name, script=script, script_hash=digest)


def _parts(index: Index) -> Iterator[ProfilesPart]:
    for device in dict.fromkeys(
        (*(known.device for known in index.profiles), *(known.device for known in index.refusals))
    ):
        yield ProfilesPart(
            prefix="", device=device,
            differences=tuple(_linked(known) for known in index.differences if known.device == device),
            refusals=tuple(
                say("{kind} of {arm}: {message}", kind=known.kind, arm=known.arm, message=known.message) for known in index.refusals if known.device == device
            ),
            profiles=tuple(known for known in index.profiles if known.device == device),
        )  # fmt: skip


def _named(label: str) -> str:
    return say(FILES.get(label, label))


def _linked(known: Differing) -> Linked:
    said = known.said.get(language()) or Said(sentences=known.sentences, top=known.top)
    return Linked(
        page=known.page, title=say("{kind} on {device}", kind=say(KINDS[known.kind]), device=known.device),
        arms=f"{known.before} → {known.arm}",
        sentences=said.sentences, top=said.top,
    )  # fmt: skip
