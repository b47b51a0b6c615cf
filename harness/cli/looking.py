"""Commands that look and measure no scenario: `harness list`, `validate`, `schema`, `doctor`, `limits` and `inspect`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import CalibrationsOption, JsonFlag, named_file
from harness.cli.reading import devices_of
from harness.cli.telling import console, tell_json, write
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.scenario import Scenario

WhatArgument = Annotated[str, typer.Argument(metavar="optimizations|scenarios|models", help="What to list.")]
ScenarioArguments = Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Names or paths.")]
AnyDeviceOption = Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or all.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of the CPU, as a worker has (measure.threads).")]
AgainFlag = Annotated[bool, typer.Option("--again", help="Measure also what is known already.")]
CodeArgument = Annotated[
    Path, typer.Argument(metavar="PATH", help="Folder with CosyVoice's code, or a fork's; any layout.")
]
WriteOption = Annotated[
    Path | None,
    typer.Option(
        "--write", metavar="FILE", help="Write a scenario with the optimizations that apply here.", callback=named_file
    ),
]


def list_(what: WhatArgument, json_: JsonFlag = False) -> None:
    """List the optimizations that can be toggled, the shipped scenarios, or the models that can be measured."""
    from harness import catalogue

    listings = {
        "optimizations": catalogue.optimizations,
        "scenarios": catalogue.scenarios,
        "models": catalogue.models,
    }
    if what not in listings:
        message = f"there is no list of {what!r}: known are {', '.join(listings)}"
        raise UsageError(message)
    items = listings[what]()
    if json_:
        tell_json(items)
    else:
        typer.echo(catalogue.table(items))


def validate(scenarios: ScenarioArguments, json_: JsonFlag = False) -> None:
    """Check scenarios: file, line and key of what is wrong, what is allowed, and the nearest spelling.

    Of a valid one it is also said what it names that is not here: weights, a function, a recording. That is no error.
    """
    results = [_validated(name) for name in scenarios]
    if json_:
        tell_json(results)
    else:
        for result in results:
            typer.echo(f"{result['scenario']}: valid" if result["valid"] else result["error"], err=not result["valid"])
            for problem in result["lacking"]:
                typer.echo(f"{result['scenario']}: but here it cannot run: {problem}", err=True)
    if not all(result["valid"] for result in results):
        raise typer.Exit(UsageError.exit_code)


def _validated(name: str) -> dict[str, Any]:
    """What is to be said of one scenario."""
    from harness import scenario

    try:
        found = scenario.load(name)
    except UsageError as error:
        return {"scenario": name, "valid": False, "error": str(error), "lacking": []}
    return {"scenario": name, "valid": True, "error": None, "lacking": list(_lacking(found))}


def _lacking(found: Scenario) -> Iterator[str]:
    """What a valid scenario names that is not here: a model, a function, a recording. Runs none of them."""
    from harness import adapters, runner, workload

    if found.model.adapter in adapters.ADAPTERS:
        try:
            adapters.adapter(found.model.adapter).check(found.options())
        except UsageError as error:
            yield str(error)
    for name, message in runner.unswitchable(found):
        yield f"optimizations.{name}: {message}"
    python = found.options().get("python")
    if python and shutil.which(str(python)) is None:
        yield f"model.python: there is no interpreter {python}"
    try:
        workload.request(found, 0)
    except UsageError as error:
        yield str(error)


def schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    from harness import scenario

    tell_json(scenario.schema(), indent=2)


def doctor(json_: JsonFlag = False) -> None:
    """Look at what on this machine will make timings noisy, and say what to change. Changes nothing itself.

    Takes about two seconds. Answers 0 whatever it finds: whether a run can be believed is for its controls to say.
    """
    from harness import doctor as examining

    found = examining.examine()
    if json_:
        tell_json([asdict(item) for item in found])
        return
    for item in found:
        typer.echo(f"{item.state:<8} {item.about:<16} {item.found}")
        if item.advice:
            typer.echo(f"{'':<25} -> {item.advice}")


def limits(
    device: AnyDeviceOption = "all",
    threads: ThreadsOption = 1,
    again: AgainFlag = False,
    kept: CalibrationsOption = None,
    json_: JsonFlag = False,
) -> None:
    """Measure what this machine can do at most, once: bandwidth, rate of matrix products, cost of a call and a launch.

    Each is the best of repeated readings in a fresh process. It is kept for this machine, and later runs say how far each
    stage of the model is from it (docs/limits.md). Takes some seconds a device.
    """
    from harness import ceilings, runner
    from harness.environment import environment

    shelf, here = ceilings.shelf(kept), environment(threads=threads, seed=0)
    found = []
    for name in runner.usable_devices(devices_of((), device), fake=False)[0]:
        known = None if again else shelf.find(here, name)
        if known is None:
            known = ceilings.measure(name, here)
            typer.echo(f"kept in {shelf.keep(known)}", err=True)
        found.append(known)
    if json_:
        tell_json([ceilings.as_data(known) for known in found])
        return
    for known in found:
        typer.echo("\n".join(ceilings.lines(known)))


def inspect(path: CodeArgument, write_to: WriteOption = None, json_: JsonFlag = False) -> None:
    """Read the code of a CosyVoice: where each optimization applies or stands already, and what else costs time.

    Nothing of PATH is imported or run. Each finding has file and line; what has no such place is said with the reason.
    Figures in the output were measured elsewhere: what a change is worth on your machine, `harness run` says.
    """
    from harness import inspecting
    from harness.inspecting import proposal, table

    found = inspecting.inspect(path)
    if write_to is not None:
        text = proposal.scenario(found)
        if write_to.exists():
            message = f"--write {write_to}: this file exists; give another name, or remove it"
            raise UsageError(message)
        write(write_to, text)
    if json_:
        tell_json(table.as_json(found))
    else:
        table.show(found, console())
    if write_to is not None:
        typer.echo(f"scenario  {write_to}", err=json_)
