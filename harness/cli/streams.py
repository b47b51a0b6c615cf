"""Stdout and stderr whose reader may go away: `harness run ... | head` goes on, and its exit code stays its answer."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from pathlib import Path
from typing import Any

_UNHEARD = (errno.EPIPE, errno.EINVAL)
"""What the system says of a pipe that nobody reads any more; Windows says the second."""
_REPLACED: list[Any] = []
"""Streams that others stand in for: one that is forgotten closes its file."""


class _Pipe(io.FileIO):
    """Writes to a file descriptor, and to nowhere from the moment on at which nobody reads it any more."""

    def write(self, data: Any, /) -> int:
        try:
            while (written := super().write(data)) is None:  # it is full, and was told not to wait
                select.select([], [self.fileno()], [])
        except OSError as error:
            if error.errno not in _UNHEARD:
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(memoryview(data).cast("B"))
        return written


def outlive_readers() -> None:
    """From now on, what is printed when its reader is gone, or never was there, is dropped.

    Streams that are no files of the system, such as those of a test, stay as they are.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  for as long as the process lasts
        elif type(stream) is io.TextIOWrapper and isinstance(getattr(stream.buffer, "raw", stream.buffer), io.FileIO):
            stream.flush()
            _REPLACED.append(stream)
            setattr(sys, name, _like(stream))


def _like(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    pipe = _Pipe(stream.fileno(), "wb", closefd=False)
    is_buffered = hasattr(stream.buffer, "raw")  # not so of python -u
    told = {key: getattr(stream, key) for key in ("encoding", "errors", "line_buffering", "write_through")}
    return io.TextIOWrapper(io.BufferedWriter(pipe) if is_buffered else pipe, **told)
