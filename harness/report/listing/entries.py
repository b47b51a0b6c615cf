"""Runs as rows of the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from harness.report import machines, page
from harness.report.model import Badge, Device
from harness.report.reading import INVALID
from harness.report.visible import visible
from harness.report.words import say
from harness.results import Run

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run's folder: `place` relative to the list, with slashes, and the file in it to open, if there is one.

    `run` is None where it cannot be read; `fault` then says why.
    """

    place: str
    run: Run | None
    file: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One device of a run. `first` is set in the first row of its run; `link` is "" where there is no page to open."""

    day: str
    scenario: str
    place: str
    link: str
    machine: str
    device: str
    commit: str
    calibrated: Badge
    state: str
    headline: str
    rest: str
    first: bool


def entries(found: Sequence[Found]) -> list[Entry]:
    """A row for each device of each run that can be read: newest run first, those without a date last."""
    runs = sorted(((item, item.run) for item in found if item.run is not None), key=lambda pair: pair[0].place)
    newest = sorted(runs, key=lambda pair: machines.moment(pair[1]) or _LONG_AGO, reverse=True)
    return [entry for item, run in newest for entry in _of_run(item, run)]


def _of_run(item: Found, run: Run) -> Iterator[Entry]:
    report = page.build(run)
    title = say("{title}: {about}", title=report.title, about=report.words.about) if report.gate else report.title
    for number, device in enumerate(report.devices):
        yield Entry(
            day=machines.day(run),
            scenario=visible(title),
            place=visible(item.place),
            link=f"./{quote(f'{item.place}/{item.file}')}" if item.file else "",
            machine=machines.machine(run),
            device=machines.device(run, device.name),
            commit=machines.code(run),
            calibrated=_calibrated(device),
            state="" if run.complete else say("run not finished"),
            headline=visible(device.answer_lead),
            rest=visible(device.answer_rest),
            first=number == 0,
        )


def _calibrated(device: Device) -> Badge:
    if not device.headline.rows and all(row.verdict.word not in INVALID for row in device.invalid):
        return Badge(text=say("nothing compared"), tone="invalid")
    return (
        Badge(text=say("yes"), tone="good", glyph="passed") if device.calibrated else Badge(text=say("no"), tone="open")
    )
