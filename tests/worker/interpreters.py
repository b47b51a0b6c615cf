"""Interpreters for tests: one that has the standard library alone, and the oldest that this machine has."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

CANDIDATES = ("python3.9", "pypy3.9", "pypy3", "python3.10")


def bare(folder: Path) -> str:
    """The Python of the tests, without what is installed beside it: `-I -S`."""
    script = folder / "bare-python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    script.chmod(0o755)
    return str(script)


@lru_cache(maxsize=1)
def oldest() -> str | None:
    """The oldest Python here that a worker supports and that is older than this one; None where there is none."""
    found: dict[tuple[int, int], str] = {}
    for name in CANDIDATES:
        path = shutil.which(name)
        version = None if path is None else _version(path)
        if path is not None and version is not None and (3, 9) <= version < sys.version_info[:2]:
            found.setdefault(version, path)
    return found[min(found)] if found else None


def _version(python: str) -> tuple[int, int] | None:
    asked = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    major, minor = done.stdout.split()
    return int(major), int(minor)
