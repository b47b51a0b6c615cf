"""The files of a run's folder as links: raw data, plots, what was profiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from harness import units
from harness.report.words import mark, say

Files = Mapping[str, int]
"""Files beside the page by path relative to it, with their sizes in bytes."""

_KNOWN: Mapping[str, str] = {
    "run.json": mark("everything but the samples: scenario, machine, controls, contrasts, findings"),
    "samples.parquet": mark("every sample of every pass, a row for each metric"),
    "journal.jsonl": mark("what was measured until now, block by block"),
    "report.md": mark("this report as Markdown, for a pull request"),
}
_FOLDERS: Mapping[str, str] = {
    "audio": mark("what was heard, as WAV"),
    "memory": mark("allocations of the memory pass"),
    "profiles": mark("profiles, of a pass of their own"),
}
_PLOTS = "plots"
"""Written with the page, and so not listed one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One file, or the files of a folder when there are several: `links` are (name, address relative to the page)."""

    name: str
    about: str
    size: str
    links: tuple[tuple[str, str], ...]
    several: bool = False


def downloads(files: Files) -> tuple[Link, ...]:
    """Known files first, then folders, each with its number of files and size."""
    plots = Link(
        name=f"{_PLOTS}/", about=say("the plots of this page as SVG"), size="", links=((_PLOTS, f"./{_PLOTS}/"),)
    )
    there = any(path.startswith(f"{_PLOTS}/") for path in files)
    return (*_alone(files), *_folders(files), *([plots] if there else ()))


def inside(path: str) -> bool:
    """Whether a path of a run file stays inside the run's folder: a run file is data, and may come from anywhere."""
    parts = PurePosixPath(path.replace("\\", "/"))
    return bool(path) and not parts.is_absolute() and ".." not in parts.parts and ":" not in parts.parts[0]


def address(path: str) -> str:
    """A relative link to a file beside the page."""
    return f"./{quote(path)}"


def _alone(files: Files) -> Iterator[Link]:
    for name, about in _KNOWN.items():
        if name in files:
            yield Link(name=name, about=say(about), size=units.size(files[name], 3), links=((name, address(name)),))


def _folders(files: Files) -> Iterator[Link]:
    found: dict[str, list[str]] = {}
    for path in sorted(files):
        folder, _, _ = path.partition("/")
        if folder not in (path, _PLOTS) and inside(path):
            found.setdefault(folder, []).append(path)
    for folder, paths in found.items():
        yield Link(
            name=f"{folder}/",
            about=say(_FOLDERS[folder]) if folder in _FOLDERS else "",
            size=units.size(sum(files[path] for path in paths), 3),
            links=tuple((path.partition("/")[2], address(path)) for path in paths),
            several=True,
        )
