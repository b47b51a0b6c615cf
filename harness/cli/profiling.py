"""`harness profile`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import pages
from harness.cli.options import RESULTS, DeviceOption, JsonFlag, LanguageOption, SettingsOption
from harness.cli.reading import devices_of, language_of, scenario_of, seconds_of
from harness.cli.telling import console, interruptible
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.scenario import Scenario

OptionalScenario = Annotated[
    str | None, typer.Argument(help="Name of a shipped scenario, or path of a YAML file; or give --run.")
]
RunOption = Annotated[
    Path | None, typer.Option("--run", metavar="RUN", help="Add profiles to this run, of its scenario.")
]
ArmsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--arm", metavar="ARM", show_default="before and after",
        help="before, after, each (every toggle alone), or NAME=on,NAME=off. May be repeated.",
    ),
]  # fmt: skip
KindsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with", metavar="PROFILER", show_default="py-spy",
        help="py-spy, torch, memory (of a card) or host-memory. May be repeated.",
    ),
]  # fmt: skip
LengthOption = Annotated[str, typer.Option("--for", metavar="TIME", help="How long py-spy looks at each process.")]
ProcessesOption = Annotated[int, typer.Option("--processes", min=1, help="Fresh processes of each arm.")]
NativeFlag = Annotated[bool, typer.Option(help="Frames of libraries too, where py-spy can see them.")]
ProfilesOutOption = Annotated[Path, typer.Option(help="Folder in which the folder of the profiles is made.")]


def profile(
    scenario: OptionalScenario = None,
    run_folder: RunOption = None,
    arms: ArmsOption = None,
    kinds: KindsOption = None,
    seconds: LengthOption = "10s",
    rounds: ProcessesOption = 2,
    native: NativeFlag = True,
    device: DeviceOption = None,
    settings: SettingsOption = None,
    out: ProfilesOutOption = RESULTS,
    language: LanguageOption = "en",
    json_: JsonFlag = False,
) -> None:
    """Say why: where time and memory go, and what differs between before and after. Times nothing.

    Each arm runs in fresh processes under each profiler. RUN/profiles/ gets flame graphs (red more, blue less), traces for
    Perfetto, files for speedscope, and an index; with --run, the run's page links them from each toggle's card.
    """
    from harness import profile_run
    from harness.declaring import declared
    from harness.report.words import speaking
    from harness.terminal import ProgressBar, show_profiles

    chosen, folder = _to_profile(scenario, run_folder, settings, out)
    devices, seconds_each = devices_of(chosen.devices, device), seconds_of(seconds, "--for")
    with declared(chosen), ProgressBar() as progress, interruptible(), speaking(language_of(language)):
        wanted = profile_run.wanted(chosen, arms or [], kinds or [], rounds=rounds, seconds=seconds_each, native=native)
        made, where = profile_run.profile(chosen, folder, wanted, devices=devices, progress=progress)
    if run_folder is not None:
        pages.write_reports(folder, html=pages.page_of(folder), language=language)
    if json_:
        typer.echo((where / "index.json").read_text(encoding="utf-8"))
        return
    show_profiles(made, where, console())


def _to_profile(
    scenario: str | None, run_folder: Path | None, settings: list[str] | None, out: Path
) -> tuple[Scenario, Path]:
    """The scenario to profile, and the folder of its run."""
    from harness import store
    from harness.scenario import Scenario

    if (scenario is None) == (run_folder is None):
        message = "name a scenario, or give --run RUN to add profiles to a run; not both"
        raise UsageError(message)
    if run_folder is None:
        chosen = scenario_of(scenario, settings)
        return chosen, out / store.new_run_id(chosen.name)
    if settings:
        message = "--run takes the scenario from the run: give no --set with it"
        raise UsageError(message)
    return Scenario.from_data(store.load(run_folder).scenario), run_folder
