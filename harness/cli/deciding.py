"""`harness gate`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import pages
from harness.cli.options import (
    RESULTS,
    BudgetOption,
    CalibrationsOption,
    DeviceOption,
    OutOption,
    SettingsOption,
    named_file,
)
from harness.cli.reading import devices_of, with_budget
from harness.cli.telling import DecidedError, console, interruptible, tell_places, write
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.gate import Decision

GatedScenario = Annotated[
    str, typer.Argument(help="Name of a scenario, or path of its YAML file in the repository.", metavar="SCENARIO")
]
BaseOption = Annotated[
    str | None, typer.Option(metavar="REV", help="The revision to compare with: a branch, a tag, a commit.")
]
BaselineOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="RUN", help="Instead of --base: folder of a stored run of this machine. Weaker; repeat it for several."
    ),
]
HeadOption = Annotated[
    str | None, typer.Option(metavar="REV", help="The revision to judge.", show_default="what is checked out")
]
DirtyFlag = Annotated[bool, typer.Option("--dirty", help="Judge the tree as it stands, uncommitted changes too.")]
MarkdownFile = Annotated[Path | None, typer.Option(help="Write the decision as Markdown here.", callback=named_file)]
JunitFile = Annotated[Path | None, typer.Option(help="Write it as JUnit XML here.", callback=named_file)]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write it as JSON here.", callback=named_file)]


def gate(
    context: typer.Context,
    scenario: GatedScenario,
    base: BaseOption = None,
    baseline: BaselineOption = None,
    head: HeadOption = None,
    dirty: DirtyFlag = False,
    out: OutOption = RESULTS,
    device: DeviceOption = None,
    budget: BudgetOption = None,
    settings: SettingsOption = None,
    kept: CalibrationsOption = None,
    markdown: MarkdownFile = None,
    junit: JunitFile = None,
    json_: JsonFile = None,
) -> None:
    """Is this revision slower than that one, by more than the scenario's limits? For CI: the exit code is the answer.

    Checks both revisions out (git worktree) and RUNS THEIR CODE, in many fresh processes that take turns. A regression is
    confirmed by fresh processes before the gate fails. With --baseline only this revision is run, and compared with stored runs:
    that is weaker, because nothing shows whether the machine is as it was. Answers 0: passed or improved; 1: a confirmed regression; 2: a
    revision or scenario that cannot be read; 3: inconclusive; 4: could not be measured. In GitHub Actions the decision is
    also in the step summary, and as annotations. How small a slow-down such a gate finds on this machine: harness calibrate --gate.
    """
    from harness import baselines, calibrations, gating
    from harness.report import gates
    from harness.terminal import ProgressBar

    if (base is None) == (not baseline):
        message = "say what to compare with: --base REV, or --baseline RUN for a stored run; not both"
        raise UsageError(message)
    source = context.get_parameter_source("kept")
    if baseline and source is not None and source.name == "COMMANDLINE":
        message = "--calibrations: of gates with --base alone it is known how small a slow-down they find; leave it away with --baseline"
        raise UsageError(message)
    against = (
        partial(gating.gate, scenario, base=base, known=calibrations.shelf(kept))
        if base is not None
        else partial(baselines.gate, scenario, baselines=baseline or [])
    )
    chosen = with_budget(settings, budget)
    devices = None if device is None else devices_of((), device)
    with ProgressBar() as progress, interruptible():
        decision, folder = against(head=head, dirty=dirty, settings=chosen, devices=devices, out=out, progress=progress)
    _write_decision(decision, markdown=markdown, junit=junit, json_=json_)
    console().print(gates.terminal(decision))
    if folder is not None:
        page = pages.page_of(folder)
        pages.write_reports(folder, html=page)
        tell_places(folder, page)
    raise DecidedError(decision.exit_code)


def _write_decision(decision: Decision, *, markdown: Path | None, junit: Path | None, json_: Path | None) -> None:
    """Write the files that were asked for, and in GitHub Actions the annotations and the summary."""
    from harness.report import gates

    write(markdown, gates.markdown(decision))
    write(junit, gates.junit(decision))
    write(json_, gates.json_text(decision))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        typer.echo(gates.github(decision))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(gates.markdown(decision))
