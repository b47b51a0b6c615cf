"""`harness run`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack
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
    JsonFlag,
    OutOption,
    SettingsOption,
)
from harness.cli.reading import devices_of, known_of, scenario_of, seconds_of
from harness.cli.telling import console, interruptible, tell_places
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.calibrations import Shelf
    from harness.results import Run
    from harness.scenario import Scenario
    from harness.session import Progress

OptionalScenario = Annotated[
    str | None, typer.Argument(help="Name of a shipped scenario (`harness list scenarios`), or path of a YAML file.")
]
ResumeOption = Annotated[Path | None, typer.Option(help="Go on with this run's folder, after a kill or Ctrl-C.")]
PartOption = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="Stop cleanly after this long, such as 9m; --resume goes on."),
]
ContinueFlag = Annotated[
    bool,
    typer.Option("--continue", help="Resume the newest unfinished run of this scenario in --out, if there is one."),
]
SnapshotFlag = Annotated[
    bool, typer.Option("--memory-snapshot", help="Keep every allocation of each arm on a GPU, and draw who held it.")
]


def run(
    scenario: OptionalScenario = None,
    out: OutOption = RESULTS,
    device: DeviceOption = None,
    budget: BudgetOption = None,
    settings: SettingsOption = None,
    resume: ResumeOption = None,
    limit: PartOption = None,
    go_on: ContinueFlag = False,
    memory_snapshot: SnapshotFlag = False,
    kept: CalibrationsOption = None,
    json_: JsonFlag = False,
) -> None:
    """Measure a scenario, save the run, and write its report beside it.

    Latency, memory and output are measured in separate fresh processes. Ctrl-C keeps what was measured; `--resume`
    goes on. A device that this machine lacks is skipped, and said so.
    """
    from harness import calibrations
    from harness.terminal import ProgressBar

    settings = [*(settings or []), *(["measure.memory_snapshot=true"] if memory_snapshot else [])]
    if resume is not None and (scenario is not None or settings or budget or device):
        message = "--resume takes everything from the run: give no scenario, --set, --budget or --device with it"
        raise UsageError(message)
    begun = resume
    if go_on and scenario is not None:
        begun = begun or _begun(scenario_of(scenario, settings, budget), out)
    limit_s = None if limit is None else seconds_of(limit, "--for")
    with ProgressBar() as progress, ExitStack() as stack:
        if begun is not None:
            folder, measure = begun, _resumed(begun, progress, limit_s)
        else:
            chosen = scenario_of(scenario, settings, budget)
            devices, shelf = devices_of(chosen.devices, device), calibrations.shelf(kept)
            folder, measure = _new(chosen, out, devices, shelf, progress, limit_s, stack)
            _show_plan(chosen, devices, shelf, progress.note, shlex.quote(scenario or chosen.name))
        with interruptible(f"what was measured is kept: harness run --resume {shlex.quote(str(folder))}"):
            result = measure()
    _tell(result, folder, json_=json_)


def _begun(chosen: Scenario, out: Path) -> Path | None:
    """The folder of the newest run of this scenario that was not finished; None where there is none.

    Raises UsageError where it was begun as another scenario than it is by now.
    """
    from harness import store

    folder = store.unfinished(out, chosen.name)
    if folder is None:
        return None
    then, now = store.run_from_journal(folder).scenario, chosen.as_data()
    changed = sorted(
        key for key in now.keys() | then.keys() if key not in ("file", "description") and then.get(key) != now.get(key)
    )
    if changed:
        message = (
            f"{folder} was begun with other values of {', '.join(changed)}: go on with it as it was begun (--resume {shlex.quote(str(folder))}), or "
            "begin anew without --continue"
        )
        raise UsageError(message)
    return folder


def _resumed(folder: Path, progress: Progress, limit_s: float | None) -> Callable[[], Run]:
    from harness import runner, store

    if (folder / store.JOURNAL).exists():
        progress.note(f"going on with {folder}, as it was begun")
    return partial(runner.resume, folder, progress, limit_s)


def _new(
    chosen: Scenario, out: Path, devices: tuple[str, ...], shelf: Shelf, progress: Progress, limit_s: float | None,
    stack: ExitStack,
) -> tuple[Path, Callable[[], Run]]:  # fmt: skip
    """The folder of a new run, and what measures it; the scenario's plug-ins are declared until `stack` closes."""
    from harness import runner, store
    from harness.declaring import declared

    folder = out / store.new_run_id(chosen.name)
    stack.enter_context(declared(chosen))
    return folder, partial(runner.run, chosen, folder, devices=devices, progress=progress, limit_s=limit_s, known=shelf)


def _show_plan(chosen: Scenario, devices: tuple[str, ...], shelf: Shelf, say: Callable[[str], None], name: str) -> None:
    """Say before a run what it is going to measure on each device that is here."""
    from harness import outlook, planning, runner

    usable, _ = runner.usable_devices(devices, fake=chosen.model.adapter == "fake")
    runner.check_model(chosen)
    for device in usable:
        outlook.show_plan(planning.outline(chosen, device, known_of(shelf, chosen, device), None), say, name)


def _tell(result: Run, folder: Path, *, json_: bool) -> None:
    """Write the reports of a run, and its tables or its JSON on stdout."""
    from harness import store
    from harness.terminal import show

    page = pages.page_of(folder)
    pages.write_reports(folder, html=page, markdown=folder / "report.md")
    if json_:
        typer.echo((folder / store.RUN_FILE).read_text(encoding="utf-8"))
        return
    show(result, console())
    typer.echo()
    tell_places(folder, page)
    if not result.complete:
        typer.echo(f"This part is over; the run goes on with: harness run --resume {shlex.quote(str(folder))}")
