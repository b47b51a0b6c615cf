"""Profiles in the report: what a toggle's card links to (`of_toggle`), and the page that links all (`index_page`).

The card's part is the macro `profiles_part` of profiles.html.j2, which takes what `of_toggle` returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.profiles.index import FOLDER, INDEX_FILE, KINDS, Differing, Index, Profiled, read
from harness.report import templates
from harness.report.audio import ReadFile


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
    """What is said of profiles in one place. `prefix` leads from the page to the folder that they lie in."""

    prefix: str
    device: str = ""
    differences: tuple[Linked, ...] = ()
    refusals: tuple[str, ...] = ()
    profiles: tuple[Profiled, ...] = ()


def index_in(read_file: ReadFile | None) -> Index | None:
    """The index of the profiles in a run's folder; None where there are none. Raises RunFileError for a damaged one."""
    if read_file is None:
        return None
    try:
        return read(read_file(f"{FOLDER}/{INDEX_FILE}"))
    except OSError:
        return None


def of_toggle(index: Index | None, name: str) -> ProfilesPart:
    """Differences of the arm in which toggle `name` alone is on."""
    found = () if index is None else tuple(_linked(known) for known in index.differences if known.toggle == name)
    return ProfilesPart(prefix=f"./{FOLDER}/", differences=found)


def index_page(index: Index) -> str:
    """The page in the folder itself: every difference and every file, by device."""
    module = templates.environment().get_template("profiles.html.j2").module
    return str(module.profiles_page(index, tuple(_parts(index)), templates.style()))  # type: ignore[attr-defined]  # its macro


def speedscope_page(name: str) -> str:
    """A page that opens NAME.speedscope.js in the speedscope beside it, from a file or from a server."""
    script, digest = templates.script("speedscope.js")
    template = templates.environment().get_template("speedscope.html.j2")
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
        page=known.page, title=f"{KINDS[known.kind]} on {known.device}", arms=f"{known.before} and {known.arm}",
        sentences=known.sentences, top=known.top,
    )  # fmt: skip
