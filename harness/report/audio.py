"""Audio of a run's folder, played from beside the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness import units
from harness.report.files import Files, address, inside
from harness.report.model import Listening
from harness.report.words import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A player: `link` to a file beside the page, "" where there is nothing to play, and `note` says its size, or why not."""

    label: str
    link: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounds:
    """The players of one request on one device."""

    device: str
    request: str
    players: tuple[Sound, ...]


def players(groups: Iterable[Listening], files: Files | None) -> tuple[Sounds, ...]:
    """The players of `groups`. `files` are those beside the page; None where that is not known, so that all are linked."""
    return tuple(
        Sounds(
            device=group.device,
            request=group.request,
            players=tuple(_sound(player.label, player.path, files) for player in group.players),
        )
        for group in groups
    )


def _sound(label: str, path: str, files: Files | None) -> Sound:
    if not inside(path):
        return Sound(label=label, link="", note=say("its path leaves the run\u2019s folder, so it is not opened"))
    if files is None:
        return Sound(label=label, link=address(path), note="")
    if path not in files:
        return Sound(label=label, link="", note=say("its file is not beside this page"))
    return Sound(label=label, link=address(path), note=units.size(files[path], 3))
