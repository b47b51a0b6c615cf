"""Repositories with a history of known content, for the tools that compare commits."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

_AUTHOR = ("-c", "user.name=prove", "-c", "user.email=prove@example.org", "-c", "commit.gpgsign=false")


def commit(folder: Path, *revisions: Mapping[str, str]) -> tuple[str, ...]:
    """Make the repository `folder` with one commit for each of `revisions` (file name -> text); their hashes, in order."""
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch=main")
    return tuple(_commit(folder, files) for files in revisions)


def _commit(folder: Path, files: Mapping[str, str]) -> str:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    _git(folder, "add", "--all")
    _git(folder, *_AUTHOR, "commit", "--quiet", "--allow-empty", "--message", "a revision")
    return _git(folder, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607  git is found on PATH, as everywhere
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
