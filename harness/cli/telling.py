"""What commands say: where Ctrl-C ends them, how wide they print, where text goes."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
STDOUT = Path("-")
"""Stdout, where the help of an option that takes a file says so; refused elsewhere (`options.named_file`)."""


class DecidedError(Exception):
    """The end of a command whose exit code is its answer. Nothing else may end with that of a regression."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


@contextmanager
def interruptible(said: str = "") -> Iterator[None]:
    """Ctrl-C inside ends the command with its exit code, after saying on stderr what is kept; so does SIGTERM, by which CI ends a job."""
    try:
        with _terminated():
            yield
    except KeyboardInterrupt:
        if said:
            typer.echo(f"interrupted; {said}", err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _terminated() -> Iterator[None]:
    """Within, SIGTERM is an interruption, where signals can be heard. After a first one it is not heard: things are left in order then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, _interrupt)
    if before[0] is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        # After an interruption the command ends, and nothing hurries it.
        if signal.getsignal(signal.SIGTERM) is _interrupt:
            signal.signal(signal.SIGTERM, before[1])


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def console(columns: int = 120) -> Console:
    """A console as wide as the terminal, and of so many columns where stdout is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else columns)


def tell_json(data: Any, indent: int = 1) -> None:
    """Print data as JSON; paths as text."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=indent, default=os.fspath))


def write(path: Path | None, text: str) -> None:
    """Write text to a file, whose folder is made; nowhere for None."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_or_tell(path: Path | None, text: str) -> None:
    """As `write`, and to stdout for `-`: where the command says nothing else there."""
    if path == STDOUT:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write(path, text)


def tell_places(folder: Path, page: Path) -> None:
    """Say where a run and its page are."""
    typer.echo(f"run   {folder}\npage  {page.resolve().as_uri()}")
