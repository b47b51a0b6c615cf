"""What a run shows in a terminal: a progress line while it measures, a summary when it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from harness.profiles.index import INDEX_PAGE, Index
from harness.report.terminal import summary
from harness.results import Run

LINE_EVERY_S = 30.0
"""Where there is no bar, a step that lasts says so often where it is: who reads a log of CI wants to see that it goes on."""


class ProgressBar:
    """One bar per device on stderr; where stderr is not a terminal, a line for each step, and from time to time how far it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(stderr=True)
        self._clock = clock
        self._bars = Progress(
            TextColumn("{task.fields[device]:<7}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last, self._said_s = "", 0.0

    def update(self, device: str, doing: str, share: float, left_s: float | None) -> None:
        left = "" if left_s is None else f"about {_clock(left_s)} left"
        if self._bars.disable:
            self._line(f"{device}: {doing.partition(':')[0]}", ", ".join(filter(None, [f"{device}: {doing}", left])))
            return
        if device not in self._tasks:
            self._tasks[device] = self._bars.add_task(doing, total=1.0, device=device, left=left)
        self._bars.update(self._tasks[device], completed=share, description=doing, left=left)

    def _line(self, step: str, whole: str) -> None:
        now_s = self._clock()
        if step != self._last or now_s - self._said_s >= LINE_EVERY_S:
            told = step if step != self._last else whole
            self._console.print(told, markup=False, highlight=False, soft_wrap=True)
            self._last, self._said_s = step, now_s

    def note(self, message: str) -> None:
        self._console.print(message, style="yellow", markup=False, highlight=False, soft_wrap=self._bars.disable)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


class Steps:
    """A bar on stderr for a task of known steps; a line for each where stderr is not a terminal."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(bar_width=30),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)
        self._begun = 0

    def begin(self, title: str) -> None:
        """The next step is `title`; those before it are done."""
        self._bar.update(self._task, completed=self._begun, description=title)
        self._begun += 1
        if self._bar.disable:
            self._console.print(title, markup=False, highlight=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._bar.update(self._task, completed=self._begun, description="done")
        self._bar.stop()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def show(run: Run, console: Console) -> None:
    """Print what a reader wants first: the answer per device, its controls, and the table of the headline metric."""
    console.print(summary(run))


def show_profiles(index: Index, folder: Path, console: Console) -> None:
    """Print what differs, what could not be profiled, and where everything is."""
    for part in index.differences:
        heading = f"{part.kind} on {part.device}, {part.before} and {part.arm}"
        console.print(f"\n[bold]{escape(heading)}[/]", highlight=False)
        for text in part.sentences:
            console.print(escape(text), highlight=False)
        for text in part.top:
            console.print(f"  {escape(text)}", highlight=False)
        console.print(f"  page  {escape(str(folder / part.page))}", highlight=False, soft_wrap=True)
    for known in index.refusals:
        console.print(
            f"\n[yellow]{escape(f'{known.kind} on {known.device}, {known.arm}: {known.message}')}[/]", highlight=False
        )
    console.print("")
    for profiled in index.profiles:
        for label, file in profiled.files.items():
            console.print(f"{escape(label):<18} {escape(str(folder / file))}", highlight=False, soft_wrap=True)
    console.print(
        f"all of them        {escape((folder / INDEX_PAGE).resolve().as_uri())}", highlight=False, soft_wrap=True
    )
