"""`harness calibrate` and `harness plan`: what this machine can tell apart, and how long a run takes here."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    RESULTS,
    BudgetOption,
    CalibrationsOption,
    DeviceOption,
    JsonFlag,
    OutOption,
    ScenarioArgument,
    SettingsOption,
)
from harness.cli.reading import devices_of, fraction_of, known_of, scenario_of, with_budget
from harness.cli.telling import console, interruptible, tell_json

if TYPE_CHECKING:
    from harness.calibrate import Outcome
    from harness.calibrations import Shelf
    from harness.scenario import Scenario

PILOT = "20s"
"""Budget of a calibration that `plan --pilot` makes."""
COLUMNS = 140
"""How wide tables of these commands are where stdout is no terminal."""
ConfirmFlag = Annotated[
    bool,
    typer.Option("--confirm", help="Plant the smallest slow-down that is to be found, in a second run: is it found?"),
]
GateFlag = Annotated[
    bool,
    typer.Option(
        "--gate", help="Of the scenario's gate: the commit that is checked out, in fresh processes, against itself."
    ),
]
DetectOption = Annotated[
    str | None, typer.Option(metavar="PERCENT", help="How much budget finds a slow-down of this size, such as 1%?")
]
PilotFlag = Annotated[bool, typer.Option("--pilot", help="Where nothing is known yet, calibrate for 20 s first.")]
PilotOutOption = Annotated[Path, typer.Option(help="Folder in which the run of --pilot is made.")]


def calibrate(
    scenario: ScenarioArgument,
    out: OutOption = RESULTS,
    device: DeviceOption = None,
    budget: BudgetOption = None,
    settings: SettingsOption = None,
    confirm: ConfirmFlag = False,
    gate: GateFlag = False,
    kept: CalibrationsOption = None,
    json_: JsonFlag = False,
) -> None:
    """Measure what this machine can tell apart: how often identical code, and how small a slow-down.

    The scenario's reference runs against twins of itself for the whole budget. Runs are resampled from that, for a quarter
    to four times the budget. The answer is kept for this machine, and later runs of the scenario show it.
    With --gate, all this for `harness gate`: how often one fails identical code, and which slow-down it finds in 99 %.
    """
    from harness import calibrations, outlook

    shelf = calibrations.shelf(kept)
    if gate:
        outcomes = _calibrate_gate(scenario, device, settings, budget, out, shelf, confirm=confirm)
    else:
        chosen = scenario_of(scenario, settings, budget)
        outcomes = _calibrate(chosen, devices_of(chosen.devices, device), out, shelf, confirm=confirm)
    if json_:
        tell_json([asdict(outcome) for outcome in outcomes])
        return
    for outcome in outcomes:
        outlook.show_outcome(outcome, console(COLUMNS))


def plan(
    scenario: ScenarioArgument,
    detect: DetectOption = None,
    device: DeviceOption = None,
    budget: BudgetOption = None,
    settings: SettingsOption = None,
    pilot: PilotFlag = False,
    out: PilotOutOption = RESULTS,
    kept: CalibrationsOption = None,
    json_: JsonFlag = False,
) -> None:
    """Say what a run would measure, how long it takes here and how large it gets; measures nothing without --pilot.

    Times, sizes and --detect come from a calibration of this machine.
    """
    from harness import calibrations, outlook, planning, runner
    from harness.declaring import declared

    chosen, shelf = scenario_of(scenario, settings, budget), calibrations.shelf(kept)
    effect = None if detect is None else fraction_of(detect, "--detect")
    devices, _ = runner.usable_devices(devices_of(chosen.devices, device), fake=chosen.model.adapter == "fake")
    known = {name: known_of(shelf, chosen, name) for name in devices}
    missing = tuple(name for name, found in known.items() if found is None)
    if pilot and missing:
        short = scenario_of(scenario, settings, PILOT)
        made = _calibrate(short, missing, out, shelf, confirm=False)
        known |= {outcome.calibration.device: outcome.calibration for outcome in made}
    with declared(chosen):
        outlines = [planning.outline(chosen, name, found, effect) for name, found in known.items()]
    if json_:
        tell_json([asdict(outline) for outline in outlines])
        return
    for outline in outlines:
        outlook.show_outline(outline, console(COLUMNS), shlex.quote(scenario))


def _calibrate(
    chosen: Scenario, devices: tuple[str, ...], out: Path, shelf: Shelf, *, confirm: bool
) -> Sequence[Outcome]:
    """The outcomes of a calibration, which Ctrl-C ends."""
    from harness import calibrate as calibrating
    from harness.terminal import ProgressBar

    with ProgressBar() as progress, interruptible(f"nothing was calibrated, and what was measured is kept in {out}"):
        return calibrating.calibrate(chosen, out, devices=devices, progress=progress, shelf=shelf, confirm=confirm)


def _calibrate_gate(
    name: str, device: str | None, settings: Sequence[str] | None, budget: str | None, out: Path, shelf: Shelf, *, confirm: bool
) -> Sequence[Outcome]:  # fmt: skip
    """The same of the scenario's gate."""
    from harness import calibrate as calibrating
    from harness.terminal import ProgressBar

    chosen = with_budget(settings, budget)
    devices = None if device is None else devices_of((), device)
    with ProgressBar() as progress, interruptible(f"nothing was calibrated, and what was measured is kept in {out}"):
        return calibrating.calibrate_gate(
            name, out, settings=chosen, devices=devices, progress=progress, shelf=shelf, confirm=confirm
        )
