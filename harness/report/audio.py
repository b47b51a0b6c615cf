"""Audio of a run's folder as data: URIs, up to a size; beyond it, and where a file cannot be had, a link or a reason."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from harness import units
from harness.report.model import Listening

ReadFile = Callable[[str], bytes]
"""Reads a file of the run's folder by its relative path; raises OSError where there is none."""

LIMIT_BYTES = 6 * 2**20
"""Embedded audio beyond this makes a page slow to open; the rest is linked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A player with its audio: `uri` to play, else `link` to a file beside the page, and `note` says why."""

    label: str
    uri: str
    link: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounds:
    """The players of one request on one device."""

    device: str
    request: str
    players: tuple[Sound, ...]


def sounds(
    groups: Iterable[Listening], read_file: ReadFile | None, limit_bytes: int = LIMIT_BYTES
) -> tuple[Sounds, ...]:
    """Embed the audio of `groups` in their order until `limit_bytes` of the page are used."""
    left = limit_bytes
    found = []
    for group in groups:
        players = []
        for player in group.players:
            sound = _sound(player.label, player.path, read_file, left)
            left -= len(sound.uri)
            players.append(sound)
        found.append(Sounds(device=group.device, request=group.request, players=tuple(players)))
    return tuple(found)


def _sound(label: str, path: str, read_file: ReadFile | None, left: int) -> Sound:
    if not inside(path):
        return Sound(label=label, uri="", link="", note="its path leaves the run\u2019s folder, so it is not opened")
    link = f"./{quote(path)}"
    if read_file is None:
        return Sound(label=label, uri="", link=link, note="in the run\u2019s folder")
    try:
        data = read_file(path)
    except OSError as error:
        return Sound(label=label, uri="", link="", note=f"cannot be read: {error.strerror or error}")
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return Sound(label=label, uri="", link=link, note="not a WAV file, so it is not embedded")
    uri = f"data:audio/wav;base64,{base64.b64encode(data).decode('ascii')}"
    if len(uri) > left:
        note = f"{units.size(len(data), 3)}, in the run\u2019s folder: this page embeds {units.size(LIMIT_BYTES, 1)} at most"
        return Sound(label=label, uri="", link=link, note=note)
    return Sound(label=label, uri=uri, link="", note="")


def inside(path: str) -> bool:
    """Whether a path of a run file stays inside the run's folder: a run file is data, and may come from anywhere."""
    parts = PurePosixPath(path.replace("\\", "/"))
    return bool(path) and not parts.is_absolute() and ".." not in parts.parts and ":" not in parts.parts[0]
