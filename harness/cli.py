"""The command line: argv -> steps -> exit code. Each command reads as the list of its steps.

Heavy imports stand inside the commands, so that `harness --help` answers at once. Exit codes (contract.md): 0 a valid
run, 2 usage, 4 could not measure, 130 interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness import __version__
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.profiles.index import Index
    from harness.results import Run

INTERRUPTED = 130
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a disk, or somebody's share of it, is full."""
PILOT = "20s"
"""Budget of a calibration that `plan --pilot` makes."""
_HELP = """Measure what each optimization of a text-to-speech model is worth, and how sure that is.

A scenario (YAML) names a model, a workload, and the optimizations to toggle. `harness run` measures them in fresh
processes, with controls whose true effect is known, and checks that each toggle was engaged and that the output holds.

\b
  harness run seed-optimizations      measure, write the page, say where it is
  harness run smoke --budget 5s       a quick look
  harness report results/RUN          write the page of a run again
  harness report results/A results/B  several runs side by side
  harness show results/RUN            its tables, here in the terminal
  harness index results               a page that lists them all, with a search
  harness plan smoke --detect 1%      how long a run takes here, and how much budget finds 1 %
  harness calibrate smoke             what this machine can tell apart: false alarms, smallest effect
  harness list optimizations          what can be toggled
  harness gate SCENARIO --base main   is this commit slower? for CI
  harness inspect PATH                where they apply in somebody's CosyVoice
  harness profile smoke               where time goes, before and after: flame graphs
  harness limits                      what this machine can do at most
  harness doctor                      what on this machine makes timings noisy
  harness make-checkpoint --size reduced DIR   a model directory with random weights
"""

app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
                  pretty_exceptions_enable=False)  # fmt: skip

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
DeviceOption = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:N, or all: instead of the scenario's devices.", show_default="the scenario's"),
]
BudgetOption = Annotated[
    str | None, typer.Option(help="Measuring time per device, such as 90s or 2m.", show_default="the scenario's")
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the scenario: measure.workers=8. May be repeated."),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tts-harness {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    scenario: Annotated[
        str | None,
        typer.Argument(help="Name of a shipped scenario (`harness list scenarios`), or path of a YAML file."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the run's folder is made.")] = Path("results"),
    device: Annotated[
        str | None,
        typer.Option(
            help="cpu, cuda, cuda:N, or all: instead of the scenario's devices.", show_default="the scenario's"
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Measuring time per device, such as 90s or 2m.", show_default="the scenario's")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Set a key of the scenario: measure.workers=8. May be repeated."
        ),
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run's folder, after a kill or Ctrl-C.")] = None,
    limit: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="Stop cleanly after this long, such as 9m; --resume goes on."),
    ] = None,
    go_on: Annotated[
        bool,
        typer.Option("--continue", help="Resume the newest unfinished run of this scenario in --out, if there is one."),
    ] = False,
    memory_snapshot: Annotated[
        bool,
        typer.Option("--memory-snapshot", help="Keep every allocation of each arm on a GPU, and draw who held it."),
    ] = False,
    kept: CalibrationsOption = None,
    json_: JsonFlag = False,
) -> None:
    """Measure a scenario, save the run, and write its report beside it.

    Latency, memory and output are measured in separate fresh processes. Ctrl-C keeps what was measured; `--resume`
    goes on. A device that this machine lacks is skipped, and said so.
    """
    from harness import calibrations, runner, store
    from harness.declaring import declared
    from harness.terminal import ProgressBar

    if memory_snapshot:
        settings = [*(settings or []), "measure.memory_snapshot=true"]
    unfinished = store.unfinished(out, scenario) if go_on and scenario is not None else None
    if resume is not None and (scenario is not None or settings or budget or device):
        message = "--resume takes everything from the run: give no scenario, --set, --budget or --device with it"
        raise UsageError(message)
    with ProgressBar() as progress, ExitStack() as stack:
        limit_s = None if limit is None else _seconds(limit, "--for")
        if (folder := resume or unfinished) is not None:
            progress.note(f"going on with {folder}, as it was begun")
            action = partial(runner.resume, folder, progress, limit_s)
        else:
            chosen = _load(scenario, settings or [], budget)
            folder = out / store.new_run_id(chosen.name)
            devices = _devices(chosen.devices, device)
            known = calibrations.shelf(kept)
            stack.enter_context(declared(chosen))
            _show_plan(chosen, devices, known, progress.note, scenario or chosen.name)
            action = partial(
                runner.run, chosen, folder, devices=devices, progress=progress, limit_s=limit_s, known=known
            )
        try:
            result = action()
        except KeyboardInterrupt:
            typer.echo(f"interrupted; what was measured is kept: harness run --resume {folder}", err=True)
            raise typer.Exit(INTERRUPTED) from None
    _tell(result, folder, json_=json_)


def _show_plan(chosen: Any, devices: tuple[str, ...], shelf: Any, say: Callable[[str], None], name: str) -> None:
    """Say before a run what it is going to measure on each device that is here."""
    from harness import outlook, planning, runner

    usable, _ = runner.usable_devices(devices, fake=chosen.model.adapter == "fake")
    runner.check_model(chosen)
    for device in usable:
        outlook.show_plan(planning.outline(chosen, device, _known(shelf, chosen, device), None), say, name)


def _tell(result: Any, folder: Path, *, json_: bool) -> None:
    """Write the reports of a run, and its tables or its JSON on stdout."""
    from rich.console import Console

    from harness import store
    from harness.terminal import show

    page = _write_reports(folder, html=folder / "report.html", markdown=folder / "report.md")
    if json_:
        typer.echo((folder / store.RUN_FILE).read_text(encoding="utf-8"))
        return
    show(result, Console(width=None if sys.stdout.isatty() else 120))
    typer.echo(f"\nrun   {folder}\npage  {page.resolve().as_uri()}")
    if not result.complete:
        typer.echo(f"This part is over; the run goes on with: harness run --resume {folder}")


@app.command()
def gate(
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or path of its YAML file in the repository.")],
    base: Annotated[
        str | None, typer.Option(metavar="REV", help="The revision to compare with: a branch, a tag, a commit.")
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="Instead of --base: folder of a stored run of this machine. Weaker; repeat it for several.",
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(metavar="REV", help="The revision to judge.", show_default="what is checked out")
    ] = None,
    dirty: Annotated[
        bool, typer.Option("--dirty", help="Judge the tree as it stands, uncommitted changes too.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder in which the run's folder is made.")] = Path("results"),
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N, or all.", show_default="the scenario's devices")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Measuring time per device, such as 60s.", show_default="the scenario's")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the scenario. May be repeated.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the decision as Markdown here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write it as JUnit XML here.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write it as JSON here.")] = None,
) -> None:
    """Is this revision slower than that one, by more than the scenario's limits? For CI: the exit code is the answer.

    Checks both revisions out (git worktree) and RUNS THEIR CODE, in many fresh processes that take turns. A regression is
    confirmed by fresh processes before the gate fails. With --baseline only this revision is run, and compared with stored runs:
    that is weaker, because nothing shows whether the machine is as it was. Answers 0: passed or improved; 1: a confirmed regression; 2: a
    revision or scenario that cannot be read; 3: inconclusive; 4: could not be measured. In GitHub Actions the decision is
    also in the step summary, and as annotations.
    """
    from rich.console import Console

    from harness import baselines, gating
    from harness.report import gates
    from harness.terminal import ProgressBar

    if (base is None) == (not baseline):
        message = "say what to compare with: --base REV, or --baseline RUN for a stored run; not both"
        raise UsageError(message)
    chosen = [*(settings or []), *([] if budget is None else [f"measure.budget={budget}"])]
    devices = None if device is None else _devices((), device)
    against = (
        partial(gating.gate, scenario, base=base)
        if base is not None
        else partial(baselines.gate, scenario, baselines=baseline or [])
    )
    with ProgressBar() as progress:
        try:
            decision, folder = against(
                head=head, dirty=dirty, settings=chosen, devices=devices, out=out, progress=progress
            )
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
    Console(width=None if sys.stdout.isatty() else 120).print(gates.terminal(decision))
    _write_decision(decision, markdown=markdown, junit=junit, json_=json_)
    if folder is not None:
        page = _write_reports(folder, html=folder / "report.html", markdown=None)
        typer.echo(f"run   {folder}\npage  {page.resolve().as_uri()}")
    raise typer.Exit(decision.exit_code)


def _write_decision(decision: Any, *, markdown: Path | None, junit: Path | None, json_: Path | None) -> None:
    """Write the files that were asked for, and in GitHub Actions the annotations and the summary."""
    from harness.report import gates

    outputs = ((markdown, gates.markdown(decision)), (junit, gates.junit(decision)), (json_, gates.json_text(decision)))
    for path, text in outputs:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        typer.echo(gates.github(decision))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(gates.markdown(decision))


@app.command()
def calibrate(
    scenario: ScenarioArgument,
    out: Annotated[Path, typer.Option(help="Folder in which the run's folder is made.")] = Path("results"),
    device: DeviceOption = None,
    budget: BudgetOption = None,
    settings: SettingsOption = None,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm", help="Plant the smallest slow-down that is to be found, in a second run: is it found?"
        ),
    ] = False,
    kept: CalibrationsOption = None,
    json_: JsonFlag = False,
) -> None:
    """Measure what this machine can tell apart: how often identical code, and how small a slow-down.

    The scenario's reference runs against twins of itself for the whole budget. Runs are resampled from that, for a quarter
    to four times the budget. The answer is kept for this machine, and later runs of the scenario show it.
    """
    from dataclasses import asdict

    from rich.console import Console

    from harness import outlook

    chosen = _load(scenario, settings or [], budget)
    outcomes = _calibrate(chosen, _devices(chosen.devices, device), out, kept, confirm=confirm)
    if json_:
        typer.echo(json.dumps([asdict(outcome) for outcome in outcomes], ensure_ascii=False, indent=1, default=str))
        return
    for outcome in outcomes:
        outlook.show_outcome(outcome, Console(width=None if sys.stdout.isatty() else 140))


def _calibrate(chosen: Any, devices: tuple[str, ...], out: Path, kept: Path | None, *, confirm: bool) -> Any:
    """The outcomes of a calibration, which Ctrl-C ends."""
    from harness import calibrate as calibrate_module
    from harness import calibrations
    from harness.terminal import ProgressBar

    with ProgressBar() as progress:
        try:
            return calibrate_module.calibrate(
                chosen, out, devices=devices, progress=progress, shelf=calibrations.shelf(kept), confirm=confirm
            )
        except KeyboardInterrupt:
            typer.echo(f"interrupted; nothing was calibrated, and what was measured is kept in {out}", err=True)
            raise typer.Exit(INTERRUPTED) from None


@app.command()
def plan(
    scenario: ScenarioArgument,
    detect: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="How much budget finds a slow-down of this size, such as 1%?")
    ] = None,
    device: DeviceOption = None,
    budget: BudgetOption = None,
    settings: SettingsOption = None,
    pilot: Annotated[
        bool, typer.Option("--pilot", help="Where nothing is known yet, calibrate for 20 s first.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder in which the run of --pilot is made.")] = Path("results"),
    kept: CalibrationsOption = None,
    json_: JsonFlag = False,
) -> None:
    """Say what a run would measure, how long it takes here and how large it gets; measures nothing without --pilot.

    Times, sizes and --detect come from a calibration of this machine.
    """
    from dataclasses import asdict

    from rich.console import Console

    from harness import calibrations, outlook, planning, runner
    from harness.declaring import declared

    chosen = _load(scenario, settings or [], budget)
    effect = None if detect is None else _percentage(detect, "--detect")
    devices, _ = runner.usable_devices(_devices(chosen.devices, device), fake=chosen.model.adapter == "fake")
    shelf = calibrations.shelf(kept)
    known = {name: _known(shelf, chosen, name) for name in devices}
    missing = tuple(name for name, found in known.items() if found is None)
    if pilot and missing:
        short = _load(scenario, settings or [], PILOT)
        for outcome in _calibrate(short, missing, out, kept, confirm=False):
            known[outcome.calibration.device] = outcome.calibration
    with declared(chosen):
        outlines = [planning.outline(chosen, name, found, effect) for name, found in known.items()]
    if json_:
        typer.echo(json.dumps([asdict(outline) for outline in outlines], ensure_ascii=False, indent=1))
        return
    for outline in outlines:
        outlook.show_outline(outline, Console(width=None if sys.stdout.isatty() else 140), scenario)


def _known(shelf: Any, chosen: Any, device: str) -> Any:
    """What is kept for a scenario on a device; None, and a word on stderr, where it cannot be read."""
    from harness import runner
    from harness.errors import CalibrationError

    try:
        return shelf.find(chosen, device, runner.here(chosen))
    except CalibrationError as error:
        typer.echo(f"harness: {error}", err=True)
        return None


@app.command()
def profile(
    scenario: Annotated[
        str | None, typer.Argument(help="Name of a shipped scenario, or path of a YAML file; or give --run.")
    ] = None,
    run_folder: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Add profiles to this run, of its scenario.")
    ] = None,
    arms: Annotated[
        list[str] | None,
        typer.Option(
            "--arm",
            metavar="ARM",
            show_default="before and after",
            help="before, after, each (every toggle alone), or NAME=on,NAME=off. May be repeated.",
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="PROFILER",
            help="py-spy, torch, memory (of a card) or host-memory. May be repeated.",
            show_default="py-spy",
        ),
    ] = None,
    seconds: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long py-spy looks at each process.")
    ] = "10s",
    rounds: Annotated[int, typer.Option("--processes", min=1, help="Fresh processes of each arm.")] = 2,
    native: Annotated[bool, typer.Option(help="Frames of libraries too, where py-spy can see them.")] = True,
    device: DeviceOption = None,
    settings: SettingsOption = None,
    out: Annotated[Path, typer.Option(help="Folder in which the folder of the profiles is made.")] = Path("results"),
    json_: JsonFlag = False,
) -> None:
    """Say why: where time and memory go, and what differs between before and after. Times nothing.

    Each arm runs in fresh processes under each profiler. RUN/profiles/ gets flame graphs (red more, blue less), traces for
    Perfetto, files for speedscope, and an index; with --run, the run's page links them from each toggle's card.
    """
    from rich.console import Console

    from harness import profile_run
    from harness.declaring import declared
    from harness.terminal import ProgressBar, show_profiles

    chosen, folder = _to_profile(scenario, run_folder, settings or [], out)
    with declared(chosen), ProgressBar() as progress:
        wanted = profile_run.wanted(
            chosen, arms or [], kinds or [], rounds=rounds, seconds=_seconds(seconds, "--for"), native=native
        )
        try:
            made, where = profile_run.profile(
                chosen, folder, wanted, devices=_devices(chosen.devices, device), progress=progress
            )
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
    if run_folder is not None:
        _write_reports(folder, html=folder / "report.html", markdown=None)
    if json_:
        typer.echo((where / "index.json").read_text(encoding="utf-8"))
        return
    show_profiles(made, where, Console(width=None if sys.stdout.isatty() else 120))


def _to_profile(scenario: str | None, run_folder: Path | None, settings: list[str], out: Path) -> tuple[Any, Path]:
    """The scenario to profile, and the folder of its run."""
    from harness import store
    from harness.scenario import Scenario

    if (scenario is None) == (run_folder is None):
        message = "name a scenario, or give --run RUN to add profiles to a run; not both"
        raise UsageError(message)
    if run_folder is None:
        chosen = _load(scenario, settings, None)
        return chosen, out / store.new_run_id(chosen.name)
    if settings:
        message = "--run takes the scenario from the run: give no --set with it"
        raise UsageError(message)
    return Scenario.from_data(store.load(run_folder).scenario), run_folder


@app.command()
def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folder of a run; several are put side by side.")
    ],
    html: Annotated[
        Path | None, typer.Option(help="Write the page here.", show_default="RUN/report.html, or RUN/comparison.html")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write Markdown here; - for stdout.")] = None,
    language: Annotated[str, typer.Option("--lang", metavar="LANG", help="Language of the page: en or zh.")] = "en",
    again: Annotated[
        bool,
        typer.Option("--again", help="First judge what was measured by this version's rules, and write run.json anew."),
    ] = False,
) -> None:
    """Write the HTML page, and Markdown for a pull request, of a run. Also for a run in progress or interrupted.

    The page is one file. Its plots are written beside the run as SVG too, in RUN/plots. Several runs stand side by side on
    one page, each with its own verdicts; what cannot be compared is refused, with the reason.
    """
    from harness.report.words import LANGUAGES

    if language not in LANGUAGES:
        message = f"--lang {language}: the page speaks {' and '.join(LANGUAGES)}"
        raise UsageError(message)
    several = len(folders) > 1
    if again:
        _judge_again(folders)
    if html is None and markdown is None:
        html = folders[0] / ("comparison.html" if several else "report.html")
    if several:
        _write_comparison(folders, html=html, markdown=markdown)
    else:
        _write_reports(folders[0], html=html, markdown=markdown, language=language)
    if html is not None:
        typer.echo(f"page  {html.resolve().as_uri()}", err=markdown == Path("-"))


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    json_: JsonFlag = False,
) -> None:
    """Print the tables of a run's report, as wide as the terminal. Also for a run in progress or interrupted.

    With --json the answers, controls and contrasts with plain numbers, and the verdicts that may be drawn from them.
    """
    from rich.console import Console

    from harness.report import json_text
    from harness.report.terminal import terminal

    result = _evaluated(folder)
    if json_:
        typer.echo(json_text(result))
        return
    Console(width=None if sys.stdout.isatty() else 120).print(terminal(result))


@app.command("index")
def index_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with runs, at any depth.")] = Path("results"),
    out: Annotated[Path | None, typer.Option(help="Write the page here.", show_default="DIR/index.html")] = None,
    title: Annotated[str, typer.Option(help="What stands at its head.")] = "Runs",
) -> None:
    """Write a page that lists all runs below a folder, the newest first, with a search. Links lead to their pages.

    The page is one file; it needs no network, and without JavaScript only the search is missing.
    """
    from harness import catalogue
    from harness.report import index

    if not folder.is_dir():
        message = f"{folder}: there is no such folder; name one that holds runs"
        raise UsageError(message)
    out = out or folder / "index.html"
    found = catalogue.runs(folder, seen_from=out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(index(found, title), encoding="utf-8")
    typer.echo(f"{len(found)} run{'' if len(found) == 1 else 's'}\npage  {out.resolve().as_uri()}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    format_: Annotated[str, typer.Option("--format", metavar="FORMAT", help="pytest-benchmark")] = "pytest-benchmark",
    out: Annotated[Path | None, typer.Option(help="Write it here.", show_default="stdout")] = None,
) -> None:
    """Write the timed samples of a run in the format of another tool, without verdicts.

    `pytest-benchmark compare FILE` reads what `--format pytest-benchmark` writes.
    """
    from harness import store
    from harness.report import EXPORTS

    if format_ not in EXPORTS:
        message = f"--format {format_}: allowed are {', '.join(EXPORTS)}"
        raise UsageError(message)
    text = EXPORTS[format_](store.load(folder))
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(metavar="optimizations|scenarios|models", help="What to list.")],
    json_: JsonFlag = False,
) -> None:
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
    typer.echo(json.dumps(items, ensure_ascii=False, indent=1) if json_ else catalogue.table(items))


@app.command()
def validate(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Names or paths.")],
    json_: JsonFlag = False,
) -> None:
    """Check scenarios: file, line and key of what is wrong, what is allowed, and the nearest spelling."""
    from harness import scenario as scenario_module

    results: list[dict[str, Any]] = []
    for name in scenarios:
        try:
            scenario_module.load(name)
            results.append({"scenario": name, "valid": True, "error": None})
        except UsageError as error:
            results.append({"scenario": name, "valid": False, "error": str(error)})
    if json_:
        typer.echo(json.dumps(results, ensure_ascii=False, indent=1))
    else:
        for result in results:
            typer.echo(f"{result['scenario']}: valid" if result["valid"] else result["error"], err=not result["valid"])
    if not all(result["valid"] for result in results):
        raise typer.Exit(UsageError.exit_code)


@app.command()
def doctor(json_: JsonFlag = False) -> None:
    """Look at what on this machine will make timings noisy, and say what to change. Changes nothing itself.

    Takes about two seconds. Answers 0 whatever it finds: whether a run can be believed is for its controls to say.
    """
    from dataclasses import asdict

    from harness import doctor as doctor_module

    found = doctor_module.examine()
    if json_:
        typer.echo(json.dumps([asdict(item) for item in found], ensure_ascii=False, indent=1))
        return
    for item in found:
        typer.echo(f"{item.state:<8} {item.about:<16} {item.found}")
        if item.advice:
            typer.echo(f"{'':<25} -> {item.advice}")


@app.command()
def limits(
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or all.")] = "all",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the CPU, as a worker has (measure.threads).")] = 1,
    again: Annotated[bool, typer.Option("--again", help="Measure also what is known already.")] = False,
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
    for name in runner.usable_devices(_devices((), device), fake=False)[0]:
        known = None if again else shelf.find(here, name)
        if known is None:
            known = ceilings.measure(name, here)
            typer.echo(f"kept in {shelf.keep(known)}", err=True)
        found.append(known)
    if json_:
        typer.echo(json.dumps([ceilings.as_data(known) for known in found], ensure_ascii=False, indent=1))
        return
    for known in found:
        typer.echo("\n".join(ceilings.lines(known)))


@app.command()
def inspect(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Folder with CosyVoice's code, or a fork's; any layout.")
    ],
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a scenario with the optimizations that apply here.")
    ] = None,
    json_: JsonFlag = False,
) -> None:
    """Read the code of a CosyVoice: where each optimization applies or stands already, and what else costs time.

    Nothing of PATH is imported or run. Each finding has file and line; what has no such place is said with the reason.
    Figures in the output were measured elsewhere: what a change is worth on your machine, `harness run` says.
    """
    from rich.console import Console

    from harness import inspecting
    from harness.inspecting import proposal, table

    found = inspecting.inspect(path)
    if write is not None:
        text = proposal.scenario(found)
        if write.exists():
            message = f"--write {write}: this file exists; give another name, or remove it"
            raise UsageError(message)
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(text, encoding="utf-8")
    if json_:
        typer.echo(json.dumps(table.as_json(found), ensure_ascii=False, indent=1))
    else:
        table.show(found, Console(width=None if sys.stdout.isatty() else 120))
    if write is not None:
        typer.echo(f"scenario  {write}", err=json_)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenarios, for editors."""
    from harness import scenario as scenario_module

    typer.echo(json.dumps(scenario_module.schema(), ensure_ascii=False, indent=2))


@app.command("make-checkpoint")
def make_checkpoint(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it must not hold anything yet.")],
    size: Annotated[str, typer.Option(help="nano, reduced (the smallest that the public code can load) or full.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random weights.")] = 0,
) -> None:
    """Write a model directory with random weights, laid out as CosyVoice2-0.5B is published.

    The weights are those of `weights: random` with the same size and seed. A run that is killed leaves DIR.partial,
    which may be deleted, and never a DIR that looks complete. Needs the packages onnx and onnxscript.
    """
    from harness import units
    from harness.models.cosyvoice2 import making
    from harness.models.cosyvoice2.config import SIZES
    from harness.terminal import Steps

    if size not in SIZES:
        message = f"--size {size}: allowed are {', '.join(SIZES)}"
        raise UsageError(message)
    expected = making.check_disk(folder, SIZES[size])
    typer.echo(f"{folder} will take about {units.size(expected)}", err=True)
    with Steps(len(making.STEPS)) as steps:
        written = making.make(folder, SIZES[size], seed, steps.begin)
    typer.echo(f"{folder}  {units.size(written)}")


def _load(name: str | None, settings: list[str], budget: str | None) -> Any:
    from harness import scenario as scenario_module

    if name is None:
        message = "name a scenario (`harness list scenarios`), or give --resume RUN"
        raise UsageError(message)
    if budget is not None:
        settings = [*settings, f"measure.budget={budget}"]
    return scenario_module.load(name, settings)


def _seconds(text: str, option: str) -> float:
    from pydantic import TypeAdapter, ValidationError

    from harness.scenario.quantities import Seconds

    try:
        return TypeAdapter[float](Seconds).validate_python(text)
    except ValidationError as error:
        message = f"{option}: {error.errors()[0]['msg']}"
        raise UsageError(message) from None


def _percentage(text: str, option: str) -> float:
    from pydantic import TypeAdapter, ValidationError

    from harness.scenario.quantities import Margin

    try:
        return TypeAdapter[float](Margin).validate_python(text)
    except ValidationError as error:
        message = f"{option}: {error.errors()[0]['msg']}"
        raise UsageError(message) from None


def _devices(listed: tuple[str, ...], wanted: str | None) -> tuple[str, ...]:
    if wanted is None:
        return listed
    if wanted == "all":
        return ("cpu", "cuda")
    kind, _, index = wanted.partition(":")
    if wanted != "cpu" and (kind != "cuda" or (index and not index.isdigit())):
        message = f"--device {wanted}: allowed are cpu, cuda, cuda:N and all"
        raise UsageError(message)
    return (wanted,)


def _evaluated(folder: Path) -> Any:
    """The run in `folder`; where it has no contrasts yet, with those of what was measured until now."""
    from harness import compare, store

    result = store.load(folder)
    return result if result.contrasts else compare.evaluate(result)


def _write_comparison(folders: list[Path], *, html: Path | None, markdown: Path | None) -> None:
    """Write several runs side by side. Raises UsageError where they cannot be compared."""
    from harness.report import comparing

    found = comparing.compare([_evaluated(folder) for folder in folders])
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(comparing.html(found), encoding="utf-8")
    if markdown == Path("-"):
        typer.echo(comparing.markdown(found))
    elif markdown is not None:
        markdown.write_text(comparing.markdown(found), encoding="utf-8")


def _judge_again(folders: Sequence[Path]) -> None:
    """Derive controls, contrasts and findings anew from the samples of runs that are complete."""
    from harness import compare, store

    for folder in folders:
        run = store.load(folder)
        if not (folder / store.RUN_FILE).exists():
            message = f"{folder}: the run is not complete, and has no verdicts yet: harness run --resume {folder}"
            raise UsageError(message)
        store.save(compare.evaluate(run), folder)


def _write_reports(folder: Path, *, html: Path | None, markdown: Path | None, language: str = "en") -> Path:
    from harness import report

    result = _evaluated(folder)
    if markdown == Path("-"):
        typer.echo(report.markdown(result))
    elif markdown is not None:
        markdown.write_text(report.markdown(result), encoding="utf-8")
    if html is not None:
        _write_page(result, folder, html, language)
    return html or folder


def _profiles_in(folder: Path) -> Index | None:
    """The index of the profiles in a run's folder; None, with a word on stderr, where it cannot be read."""
    from harness.profiles import index as indexes

    path = folder / indexes.FOLDER / indexes.INDEX_FILE
    try:
        return indexes.read(path.read_bytes()) if path.exists() else None
    except UsageError as error:
        typer.echo(f"harness: profiles are not linked: {error}", err=True)
        return None


def _write_page(result: Run, folder: Path, html: Path, language: str) -> None:
    """The page at `html`, its plots and the pages of allocations in the run's folder, whose files the page links to."""
    from harness import report, store

    for kept in sorted((folder / "memory").glob("*.json")):
        data = json.loads(kept.read_text(encoding="utf-8"))
        kept.with_suffix(".html").write_text(report.allocations(kept.stem, data), encoding="utf-8")
    beside = html.resolve().parent == folder.resolve()
    # The plots are written below, with the page that links to them.
    files = {**store.files(folder), "plots/": 0} if beside else {}
    made = report.render(result, files, language, _profiles_in(folder) if beside else None)
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(made.html, encoding="utf-8")
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    for name, svg in made.plots.items():
        (plots / name).write_text(svg, encoding="utf-8")


def main() -> None:
    """Run the command line; every error ends in one message on stderr and its exit code."""
    try:
        app()
    except HarnessError as error:
        typer.echo(f"harness: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001  contract.md: whatever else happens is "could not measure", never a regression
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            typer.echo(
                f"harness: cannot write: {error}; free some room. What was measured until then is kept.", err=True
            )
        else:
            traceback.print_exc()
        sys.exit(HarnessError.exit_code)
