"""From what stands in argv to what the steps need. Everything here raises UsageError for what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.errors import CalibrationError, UsageError

if TYPE_CHECKING:
    from harness.calibrations import Calibration, Shelf
    from harness.results import Run
    from harness.scenario import Scenario


def scenario_of(name: str | None, settings: list[str] | None, budget: str | None = None) -> Scenario:
    """The scenario `name`, with the keys of `settings` ("KEY=VALUE") and its budget set."""
    from harness import scenario

    if name is None:
        message = "name a scenario (`harness list scenarios`), or give --resume RUN"
        raise UsageError(message)
    return scenario.load(name, with_budget(settings, budget))


def with_budget(settings: Sequence[str] | None, budget: str | None) -> list[str]:
    """The keys of --set, and that of --budget."""
    if budget is None:
        return [*(settings or [])]
    seconds_of(budget, "--budget")
    return [*(settings or []), f"measure.budget={budget}"]


def devices_of(listed: tuple[str, ...], wanted: str | None) -> tuple[str, ...]:
    """The devices that --device asks for, or those that the scenario lists."""
    if wanted is None:
        return listed
    if wanted == "all":
        return ("cpu", "cuda")
    kind, _, index = wanted.partition(":")
    if wanted != "cpu" and (kind != "cuda" or (index and not index.isdigit())):
        message = f"--device {wanted}: allowed are cpu, cuda, cuda:N and all"
        raise UsageError(message)
    return (wanted,)


def language_of(wanted: str) -> str:
    """The language that --lang asks for."""
    from harness.report.words import LANGUAGES

    if wanted not in LANGUAGES:
        message = f"--lang {wanted}: the page speaks {' and '.join(LANGUAGES)}"
        raise UsageError(message)
    return wanted


def seconds_of(text: str, option: str) -> float:
    """A time such as `90s` or `2m`, in seconds."""
    from harness.scenario.quantities import Seconds

    return _quantity(Seconds, text, option)


def fraction_of(text: str, option: str) -> float:
    """A percentage such as `1.5%`, as a fraction."""
    from harness.scenario.quantities import Margin

    return _quantity(Margin, text, option)


def _quantity(kind: Any, text: str, option: str) -> float:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter[float](kind).validate_python(_plain(text))
    except ValidationError as error:
        message = f"{option}: {error.errors()[0]['msg']}"
        raise UsageError(message) from None


def _plain(text: str) -> float | str:
    """A number, where the text is one: as YAML would read it."""
    try:
        return float(text)
    except ValueError:
        return text


def known_of(shelf: Shelf, scenario: Scenario, device: str) -> Calibration | None:
    """What is kept for a scenario on a device; None, and a word on stderr, where it cannot be read."""
    from harness import runner

    try:
        return shelf.find(scenario, device, runner.here(scenario))
    except CalibrationError as error:
        typer.echo(f"harness: {error}", err=True)
        return None


def run_of(folder: Path) -> Run:
    """The run in `folder`; where it has no contrasts yet, with those of what was measured until now."""
    from harness import compare, store

    found = store.load(folder)
    return found if found.contrasts else compare.evaluate(found)
