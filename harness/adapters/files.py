"""Files whose paths a function returned: which values are such paths, what is in them, and whether this request wrote it.

Standard library alone. Files are read when an answer is looked at, never while a request is timed.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import UsageError

STALE = "of a file that was there before: "
"""What `exact` begins with where a file that was returned was not written by the request."""
OF_SOUND = frozenset(
    (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".caf", ".webm", ".pcm", ".raw")
)
"""Text that ends so is a path, unless words stand before it."""
_GRAIN_NS, _COARSE_NS, _SECOND_NS = 20_000_000, 2_000_000_000, 1_000_000_000
"""How far the time of a file may lie before that of what wrote it: the system's clock for files goes in steps, and some file
systems keep whole seconds, or every second one."""

_LONGEST_S = 3.0
"""Longer no time of a file is waited for: it lies in the future."""


def named(value: Any) -> Path | None:
    """The file whose path a value is: any that is a path, and text that has a suffix or is absolute and names a file that is there.

    Raises UsageError for a path, or the name of a recording, that leads to no file, and for the path of a folder.
    """
    if not isinstance(value, str | os.PathLike):
        return None
    with suppress(TypeError, ValueError, OSError):  # a path of bytes, a zero in it, a name that is too long
        file = Path(value)
        if (not isinstance(value, str) or file.suffix or file.is_absolute()) and file.is_file():
            return file
        if isinstance(value, str) and not _is_meant_as_path(value, file):
            return None
        message = (
            f"what was returned cannot be compared: it is the path {str(value)!r}, where no file is; it is looked for from {Path.cwd()}: "
            "return a path that is good from there, or what is in the file"
        )
        raise UsageError(message)
    return None


def _is_meant_as_path(text: str, file: Path) -> bool:
    """Whether text that names no file was meant to."""
    if file.is_absolute() and file.is_dir():
        return True
    first = text.split(maxsplit=1)[0] if text.split() else ""
    return file.suffix.lower() in OF_SOUND and (first == text or file.is_absolute() or "/" in first or os.sep in first)


def latest_ns(file: Path) -> int:
    """When a file was written, by `time.time_ns`, at the latest: as far as its time can tell.

    What copies a file with its time, as `cp -p` does, writes it nevertheless, which the time of change says where there is one.
    """
    found = file.stat()
    written_ns = found.st_mtime_ns if os.name == "nt" else max(found.st_mtime_ns, found.st_ctime_ns)
    return written_ns + (_GRAIN_NS if written_ns % _SECOND_NS else _COARSE_NS)


def outwait(moment_ns: int) -> None:
    """Return when `moment_ns` (a `latest_ns`) has passed, so that what is written from now on can be told from what is there."""
    left_s = (moment_ns - time.time_ns()) / 1e9
    if 0 < left_s <= _LONGEST_S:
        time.sleep(left_s)


def digest(file: Path) -> bytes:
    """Size and SHA-256 of a file, however large it is."""
    with file.open("rb") as opened:
        return f"file {file.stat().st_size} {hashlib.file_digest(opened, 'sha256').hexdigest()}".encode()
