"""Profiles in the report: what a toggle's card and the page link to, and the page in the folder of profiles that links all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.profiles.index import FOLDER, INDEX_PAGE, KINDS, Differing, Index, Profiled
from harness.report import templating
from harness.report.words import say


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
    template = templating.environment().get_template("profile_index.html.j2")
    return template.render(index=index, parts=tuple(_parts(index)), style=templating.style("profiles.css"))


def speedscope_page(name: str) -> str:
    """A page that opens NAME.speedscope.js in the speedscope beside it, from a file or from a server."""
    script, digest = templating.script("speedscope.js")
    template = templating.environment().get_template("speedscope.html.j2")
    return template.render(name=name, script=script, script_hash=digest)


def _parts(index: Index) -> Iterator[ProfilesPart]:
    for device in dict.fromkeys(
        (*(known.device for known in index.profiles), *(known.device for known in index.refusals))
    ):
        yield ProfilesPart(
            prefix="", device=device,
            differences=tuple(_linked(known) for known in index.differences if known.device == device),
            refusals=tuple(
                f"{known.kind} of {known.arm}: {known.message}" for known in index.refusals if known.device == device
            ),
            profiles=tuple(known for known in index.profiles if known.device == device),
        )  # fmt: skip


def _linked(known: Differing) -> Linked:
    return Linked(
        page=known.page, title=say("{kind} on {device}", kind=say(KINDS[known.kind]), device=known.device),
        arms=f"{known.before} → {known.arm}",
        sentences=known.sentences, top=known.top,
    )  # fmt: skip
