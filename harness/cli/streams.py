"""Stdout and stderr whose reader may go away: `harness run ... | head` goes on, and its exit code stays its answer."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _Pipe(io.FileIO):
    """Writes to a file descriptor, and to nowhere from the moment on at which nobody reads it any more."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(memoryview(data).cast("B"))


def outlive_readers() -> None:
    """From now on, what is printed when its reader is gone is dropped. Streams that are no files of the system stay as they are."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper and isinstance(getattr(stream.buffer, "raw", None), io.FileIO):
            stream.flush()
            pipe = io.BufferedWriter(_Pipe(stream.fileno(), "wb", closefd=False))
            told = {key: getattr(stream, key) for key in ("encoding", "errors", "line_buffering", "write_through")}
            setattr(sys, name, io.TextIOWrapper(pipe, **told))
