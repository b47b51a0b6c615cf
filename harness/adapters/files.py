"""Files whose paths a function returned: which values are such paths, what is in them, and whether this request wrote it.

Standard library alone. Files are read when an answer is looked at, never while a request is timed, but for chunks of a
generator, which may be overwritten by the next.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import UsageError

Recording = Callable[[Path], tuple[Any, int]]
"""Samples and rate of a recording. Raises ValueError for a file that is none, or cannot be read by what is installed."""

STALE = "of a file that was there before: "
"""What `exact` begins with where a file that was returned was not written by the request."""
OF_SOUND = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac"})
"""Text that ends so is a path, and no transcript."""
_GRAIN_NS, _COARSE_NS, _SECOND_NS = 20_000_000, 2_000_000_000, 1_000_000_000
"""How far the time of a file may lie before that of what wrote it: the system's clock for files goes in steps, and some file
systems keep whole seconds, or every second one."""

_LONGEST_S = 3.0
"""Longer no time of a file is waited for: it lies in the future."""


def named(value: Any) -> Path | None:
    """The file whose path a value is: any that is a path, and text that has a suffix or is absolute and names a file that is there.

    Raises UsageError for a path, or the name of a recording, that leads to no file.
    """
    if not isinstance(value, str | os.PathLike):
        return None
    with suppress(TypeError, ValueError, OSError):  # a path of bytes, a zero in it, a name that is too long
        file = Path(value)
        if (not isinstance(value, str) or file.suffix or file.is_absolute()) and file.is_file():
            return file
        if isinstance(value, str) and (file.suffix.lower() not in OF_SOUND or len(value.split()) > 1):
            return None
        message = (
            f"what was returned cannot be compared: it is the path {str(value)!r}, where no file is; it is looked for from {Path.cwd()}: "
            "return a path that is good from there, or what is in the file"
        )
        raise UsageError(message)
    return None


def latest_ns(file: Path) -> int:
    """When a file was written, by `time.time_ns`, at the latest: as far as its time can tell."""
    written_ns = file.stat().st_mtime_ns
    return written_ns + (_GRAIN_NS if written_ns % _SECOND_NS else _COARSE_NS)


def outwait(moment_ns: int) -> None:
    """Return when `moment_ns` (a `latest_ns`) has passed, so that what is written from now on can be told from what is there."""
    left_s = (moment_ns - time.time_ns()) / 1e9
    if 0 < left_s <= _LONGEST_S:
        time.sleep(left_s)


def contents(value: Any, recording: Recording, since_ns: int) -> Any:
    """What is in the file whose path a value is: its sound, or a digest of other contents. Any other value as it is.

    Of a file that was last written before `since_ns` it is no sound, but beside `STALE`.
    """
    if (file := named(value)) is None:
        return value
    found: Any
    try:
        found = recording(file)
    except ValueError:
        found = digest(file)
    return [STALE, found] if latest_ns(file) < since_ns else found


def digest(file: Path) -> bytes:
    """Size and SHA-256 of a file, however large it is."""
    with file.open("rb") as opened:
        return f"file {file.stat().st_size} {hashlib.file_digest(opened, 'sha256').hexdigest()}".encode()
