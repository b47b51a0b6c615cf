"""Does profiling perturb what is timed? `python -m tests.profiles.unperturbed` makes runs with profiles and without, in turns.

A round has one run of each kind, in random order, each made by a process of its own with fresh workers. The run with profiles
takes them first, in the same process and into the same folder: what comes after a latency pass cannot change it. Compared is
the latency pass of the two runs of a round: the latency of the reference, and the effect of each arm, which the run has paired
itself and is the far more precise of the two. The interval of each is Student's t over rounds; together they miss a
true difference of zero in 5 % of such checks. Answers 0 where every interval holds zero and lies within the bound that was asked
for, 1 where one does not hold zero, 3 where one is too wide: more rounds, or a longer budget, narrow it.
"""

from __future__ import annotations

import math
import random
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness import profile_run, runner, scenario, statistics, store, units
from harness.errors import HarnessError, MeasureError
from harness.results import Run
from harness.scenario import Scenario
from harness.session import Progress
from harness.statistics import Effect
from harness.terminal import ProgressBar

Kind = Literal["alone", "profiled"]
KINDS: tuple[Kind, ...] = ("alone", "profiled")
Figures = Mapping[str, float]
"""What is compared of a run, as natural logarithms, by its name."""
ERROR = 0.05
REFERENCE = "latency of the reference"
UNDECIDED = "0.01%"
"""A margin at which no run is decided before its budget is spent, so that all runs are equally long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """By how much a figure of the profiled runs differs from that of the others, as a log-ratio over rounds."""

    name: str
    effect: Effect

    @property
    def holds_zero(self) -> bool:
        """Whether nothing shows that there is a difference."""
        return self.effect.low is None or self.effect.high is None or self.effect.low <= 0 <= self.effect.high

    def within(self, bound: float) -> bool:
        """Whether the whole interval is of changes smaller than `bound`, a share."""
        low, high = self.effect.low, self.effect.high
        return low is not None and high is not None and -math.log1p(bound) <= low and high <= math.log1p(bound)


def scenario_of(name: str, settings: Sequence[str], budget: str) -> Scenario:
    """The scenario with its latency pass alone, as long as `budget` whatever it finds."""
    fixed = ("measure.metrics=[latency]", f"measure.margin={UNDECIDED}", f"measure.budget={budget}")
    return scenario.load(name, [*settings, *fixed])


def turn(
    chosen: Scenario, folder: Path, profilers: Sequence[str], seconds: float, device: str, progress: Progress
) -> Run:
    """A run of `device` into `folder`, after profiles of it where profilers are named. Raises where one refuses."""
    if profilers:
        wanted = profile_run.wanted(chosen, [], profilers, rounds=1, seconds=seconds, native=False)
        made, _ = profile_run.profile(chosen, folder, wanted, devices=[device], progress=progress)
        if made.refusals:
            message = f"not every profile could be made: {'; '.join(refusal.message for refusal in made.refusals)}"
            raise MeasureError(message)
    return runner.run(chosen, folder, devices=[device], progress=progress)


def figures(run: Run) -> Figures:
    """The latency of the reference, and the effects of the arms over the whole workload. Empty where none was measured."""
    latencies: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trial in run.trials:
        latency = trial.values.get("latency")
        if (trial.pass_, trial.phase, trial.kind, trial.arm) == ("latency", "timed", "request", "none") and latency:
            latencies[trial.request][trial.worker].append(math.log(latency))
    of_workers = {
        request: [statistics.hodges_lehmann(logs) for logs in workers.values()]
        for request, workers in latencies.items()
    }
    reference = statistics.location(of_workers, dict.fromkeys(of_workers, 1.0)) if of_workers else None
    effects = {
        f"effect of {contrast.optimization}": math.log(contrast.ratio)
        for contrast in run.contrasts
        if contrast.metric == "latency" and not contrast.stratum and contrast.ratio
    }
    return effects if reference is None else {REFERENCE: reference, **effects}


def compared(rounds: Sequence[Mapping[Kind, Figures]]) -> list[Found]:
    """Each figure that every run has: profiled less alone, over rounds, with intervals that miss together in ERROR."""
    shared = [
        name for name in (rounds[0]["alone"] if rounds else ())
        if all(name in figures_of for found in rounds for figures_of in found.values())
    ]  # fmt: skip
    made = []
    for name in shared:
        differences = [found["profiled"][name] - found["alone"][name] for found in rounds]
        effect = statistics.repeat_effect(differences, level=1 - ERROR / len(shared))
        if effect is not None:
            made.append(Found(name=name, effect=effect))
    return made


def order(number: int) -> tuple[Kind, ...]:
    """Which kind comes first in a round, the same whenever it is asked."""
    return KINDS if random.Random(number).random() < 0.5 else KINDS[::-1]  # noqa: S311  no secret


def answer(found: Sequence[Found], bound: float) -> int:
    """The exit code."""
    if any(not one.holds_zero for one in found):
        return 1
    return 0 if found and all(one.within(bound) for one in found) else 3


def told(found: Sequence[Found], rounds: int, bound: float) -> Iterator[str]:
    """What was found, in words."""
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        low, high = one.effect.low, one.effect.high
        ends = "no interval" if low is None or high is None else f"{_percent(low)} to {_percent(high)}"
        state = "holds zero" if one.holds_zero else "DOES NOT HOLD ZERO"
        state += "" if one.within(bound) or not one.holds_zero else f", and is wider than ±{units.percent(bound)}"
        yield f"{one.name:<{width}}  {_percent(one.effect.location):>9}  ({ends}, {units.percent(one.effect.level)} interval)  {state}"
    perturbed = [one.name for one in found if not one.holds_zero]
    if not found:
        yield "Nothing can be compared: no figure is in all runs."
    elif perturbed:
        yield f"In {rounds} rounds, runs with profiles differ from those without in: {', '.join(perturbed)}."
    elif answer(found, bound):
        yield f"Not decided in {rounds} rounds: an interval is wider than ±{units.percent(bound)}; more rounds, or a longer --budget, narrow it."
    else:
        yield f"In {rounds} rounds, runs with profiles do not differ from those without by {units.percent(bound)} or more."


def _percent(log_ratio: float) -> str:
    return units.signed_percent(math.expm1(log_ratio), 3)


def main(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="Name or path of a scenario.")] = "smoke",
    rounds: Annotated[int, typer.Option(min=2, help="Pairs of runs, those of earlier calls included.")] = 12,
    budget: Annotated[str, typer.Option(help="Measuring time of each run.")] = "8s",
    profilers: Annotated[
        list[str] | None, typer.Option("--with", help="py-spy, torch, host-memory; repeat it.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="How long py-spy looks at each process.")] = 3.0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="May be repeated.")] = None,
    within: Annotated[
        float, typer.Option(min=0.01, metavar="PERCENT", help="How large a difference is to be ruled out.")
    ] = 2.0,
    device: Annotated[str, typer.Option(help="cpu or cuda:N.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Folder of the runs; those that are there already count.")] = Path(
        "results/unperturbed"
    ),
    only: Annotated[str, typer.Option(hidden=True, help="Make this one run: ROUND-KIND.")] = "",
) -> None:
    """Compare the latency pass of runs with profiles and of runs without, in turns. Ctrl-C loses the run in progress."""
    chosen = scenario_of(name, settings or [], budget)
    asked = profilers or ["py-spy", "torch"]
    if only:
        with ProgressBar() as progress:
            turn(chosen, out / only, asked if only.endswith(KINDS[1]) else [], seconds, device, progress)
        return
    made = []
    for number in range(rounds):
        for kind in order(number):
            _in_a_process(out / f"{number:03}-{kind}", sys.argv[1:])
        made.append({kind: figures(store.load(out / f"{number:03}-{kind}")) for kind in KINDS})
    found = compared(made)
    typer.echo(f"{chosen.name} on {device}; profiles: {', '.join(asked)}")
    typer.echo("\n".join(told(found, rounds, within / 100)))
    raise typer.Exit(answer(found, within / 100))


def _in_a_process(folder: Path, arguments: Sequence[str]) -> None:
    """Make the run of `folder` by a process of its own, unless it is complete; one that was broken off is made anew.

    Raises MeasureError.
    """
    if (folder / store.RUN_FILE).exists() and not (folder / store.JOURNAL).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "tests.profiles.unperturbed", *arguments, "--only", folder.name]
    done = subprocess.run(command, check=False)
    if done.returncode:
        message = f"the run of {folder} ended with exit code {done.returncode}"
        raise MeasureError(message)


if __name__ == "__main__":
    try:
        typer.run(main)
    except HarnessError as error:
        typer.echo(f"unperturbed: {error}", err=True)
        sys.exit(error.exit_code)
