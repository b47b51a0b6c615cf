"""Options and arguments that several commands have, said once. Those of one command stand beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.telling import STDOUT
from harness.errors import UsageError

RESULTS = Path("results")
"""The folder of runs, unless another is named."""


def named_file(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """The callback of an option whose text goes to a file alone. Raises UsageError for `-`, before anything is done."""
    if path == STDOUT:
        message = f"{option.opts[0]} -: this goes to a file, not to stdout; give the name of one"
        raise UsageError(message)
    return path


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
CalibrationsOption = Annotated[
    Path | None,
    typer.Option(
        "--calibrations", metavar="DIR", envvar="HARNESS_CALIBRATIONS", show_default="the user's cache",
        help="Folder in which calibrations are kept.",
    ),
]  # fmt: skip
ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="Name of a shipped scenario, or path of a YAML file.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
OutOption = Annotated[Path, typer.Option(help="Folder in which the run's folder is made.")]
DeviceOption = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:N, or all: instead of the scenario's devices.", show_default="the scenario's"),
]
BudgetOption = Annotated[
    str | None, typer.Option(help="Measuring time per device, such as 90s or 2m.", show_default="the scenario's")
]
LanguageOption = Annotated[str, typer.Option("--lang", metavar="LANG", help="Language of the page: en or zh.")]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the scenario: measure.workers=8. May be repeated."),
]
