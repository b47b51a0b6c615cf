"""What `harness calibrate` and `harness plan` print: tables and lines, decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import units
from harness.calibrate import Outcome
from harness.designs import PROCESS
from harness.planning import Detection, Expected, Outline
from harness.report.sentences import foresight_of
from harness.results import Foresight, Planted
from harness.statistics import share_interval
from harness.workload import NEW_SPEAKER

_ROUNDING = 1e-9


def show_outcome(outcome: Outcome, console: Console) -> None:
    """Print what a calibration of one device says."""
    for line in _about(outcome):
        console.print(line, markup=False, highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("budget", no_wrap=True)
    first = outcome.foresights[0]
    alarms = "identical code fails (95 %)" if first.is_gate else "identical code told apart (95 %)"
    blocks = "groups x blocks" if first.is_gate else "blocks a worker"
    for heading in (blocks, alarms, "placebo passes", "intervals hold",
                    f"slow-down found in {units.percent(first.power, 0)}", "by its interval alone", "budget spent"):  # fmt: skip
        table.add_column(heading, justify="right")
    for found in outcome.foresights:
        table.add_row(*map(escape, _row(found)))
    console.print(table)
    confirmed = outcome.calibration.confirmed
    if confirmed is not None:
        size = confirmed.slow_down
        word = _fate(confirmed, first)
        console.print(f"planted for real: a slow-down of {units.percent(size, 2)} {word}", highlight=False)
    console.print(f"\nrun   {outcome.folder}\nkept  {outcome.path}", markup=False, highlight=False, soft_wrap=True)


def _fate(confirmed: Planted, foresight: Foresight) -> str:
    """What became of a slow-down that was planted."""
    missed = units.percent(1 - foresight.power, 0)
    if foresight.is_gate:
        return (
            "failed the gate"
            if confirmed.called_slower
            else f"did not fail the gate, as it does not in {missed} of gates"
        )
    return (
        "was called slower" if confirmed.called_slower else f"was not called slower, which happens in {missed} of runs"
    )


def _about(outcome: Outcome) -> Iterator[str]:
    calibration, noise = outcome.calibration, outcome.calibration.noise
    yield f"\n{calibration.device}  {calibration.machine}"
    yield f"machine {calibration.fingerprint}, scenario {calibration.scenario} {calibration.digest}"
    for name, passed, reason in outcome.controls:
        yield f"  control {name}: {'passed' if passed else 'failed'}, {reason}"
    first = outcome.foresights[0]
    workers = "groups of three processes" if first.is_gate else "workers"
    yield (
        f"{len(noise.workers)} {workers} made {units.count(noise.blocks)} blocks of identical code; "
        f"a request took {units.seconds(calibration.costs.request_s)}"
    )
    between, removed = outcome.between, "more groups do" if first.is_gate else "more workers do"
    yield (
        f"processes of the same code differ by {units.percent(between.estimate, 2)} (standard deviation, at most "
        f"{units.percent(between.at_most, 2)}), which more time in each does not remove and {removed}"
    )
    yield (
        f"{units.count(first.runs)} {'gates' if first.is_gate else f'runs of {first.workers} workers'}, resampled; margin {units.percent(first.margin)}. "
        f"They are as good as the {len(noise.workers)} they are drawn from: intervals count resampling alone."
    )


def _row(found: Foresight) -> tuple[str, ...]:
    false = found.slower if found.is_gate else found.faster + found.slower
    low, high = share_interval(false, found.runs)
    return (
        units.seconds(found.budget_s, 3),
        f"{found.workers} x {found.blocks:g}" if found.is_gate else units.significant(found.blocks, 3),
        f"{units.count(false)} ({units.percent(low, 1)} to {units.percent(high, 1)})",
        units.percent(found.placebo_passed / found.runs, 1),
        units.percent(found.covered / found.runs, 1),
        _found(found.detectable),
        _found(found.detectable_by_interval),
        units.percent(found.spent, 0),
    )


def _found(size: float | None) -> str:
    return "none" if size is None else units.percent(size, 2)


def show_outline(outline: Outline, console: Console, scenario: str) -> None:
    """Print the plan of one device."""
    for line in _lines(outline, scenario):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


_HOW = {"settled": ", each after an untimed request", PROCESS: ", each in a process of its own"}


def _lines(outline: Outline, scenario: str) -> Iterator[str]:
    yield f"\n{outline.device}"
    yield f"  arms      {len(outline.arms)}: {', '.join(outline.arms)}"
    for name, arms in outline.groups.items() if outline.workers else ():
        yield f"  group     {name}: a block has {len(arms)} arms{_HOW.get(name, '')}"
    yield f"  compared  {len(outline.pairs)}: " + ", ".join(
        f"{arm} with {reference}" for _, reference, arm in outline.pairs
    )
    yield f"  requests  {len(outline.kinds)} kind(s): {', '.join(filter(None, outline.kinds)) or 'all alike'}"
    returning = sum(share for kind, share in outline.kinds.items() if not kind.endswith(NEW_SPEAKER))
    if returning < 1 - _ROUNDING:
        yield f"  speakers  {units.percent(returning, 1)} of requests are expected to return to one that was heard before"
    firsts = f", {outline.firsts} of them for first requests" if outline.firsts else ""
    if not outline.workers:
        yield f"  workers   none: no time is measured; {outline.processes} processes in all"
        return
    yield f"  workers   {outline.workers} measure latency; {outline.processes} processes in all{firsts}"
    yield from _looks(outline)
    if outline.expected is None:
        if PROCESS in outline.groups:
            yield "  not foreseen: what can be told apart where arms take a process of their own"
            return
        yield "  not known here: how long a request and a start take, the size of a run, and what it can tell apart"
        yield f"            harness calibrate {scenario}, or harness plan {scenario} --pilot, which does so for 20 s"
        return
    yield from _expected(outline.expected)
    if outline.calibrated is not None:
        yield f"  {foresight_of(outline.calibrated)}"
    if outline.main_effect is not None:
        yield f"  the smallest main effect that is found in 95 % of runs is about {units.percent(outline.main_effect, 2)}"
    if outline.detection is not None:
        yield f"  {_detection(outline.detection)}"
    if outline.advice:
        yield f"  advice    {outline.advice}"


def _looks(outline: Outline) -> Iterator[str]:
    if outline.joint:
        yield f"  looks     none: the {outline.joint} arms are of use only together, and are measured for the whole budget"
        return
    yield f"  looks     after {', '.join(units.seconds(look_s, 3) for look_s in outline.looks_s)} of measuring at most"


def show_plan(outline: Outline, say: Callable[[str], None], scenario: str) -> None:
    """Say before a run what it is going to measure, in a few lines."""
    for line in _brief(outline, scenario):
        say(line)


def _brief(outline: Outline, scenario: str) -> Iterator[str]:
    blocks = "; ".join(f"{name} {len(arms)}{_HOW.get(name, '')}" for name, arms in outline.groups.items())
    if not outline.workers:
        yield (
            f"plan for {outline.device}: {len(outline.arms)} arms, controls included; {len(outline.pairs)} comparisons of memory alone, "
            f"by {outline.processes} processes: no time is measured"
        )
        return
    yield (
        f"plan for {outline.device}: {len(outline.arms)} arms, controls included; arms in a block: {blocks}. "
        f"{len(outline.pairs)} comparisons; {outline.workers} workers, up to {units.seconds(outline.budget_s, 3)} of measuring"
    )
    if outline.expected is None:
        if PROCESS not in outline.groups:
            yield f"  how long a block takes and what can be found: harness calibrate {scenario} would say"
        return
    expected, (low, high) = outline.expected, outline.expected.measuring_s
    fixed = expected.startup_s + expected.other_s
    yield (
        f"  about {units.significant(expected.rounds_per_worker, 2)} blocks for each worker; {units.seconds(low + fixed, 2)} to "
        f"{units.seconds(high + fixed, 2)} in all"
    )
    if outline.main_effect is not None:
        yield f"  smallest main effect that is found in 95 % of runs: about {units.percent(outline.main_effect, 2)}"
    elif outline.calibrated is not None:
        yield f"  {foresight_of(outline.calibrated)}"
    if outline.advice:
        yield f"  {outline.advice}"


def _between(low_s: float, high_s: float) -> str:
    low, high = units.seconds(low_s, 3), units.seconds(high_s, 3)
    return low if low == high else f"{low} to {high}"


def _expected(expected: Expected) -> Iterator[str]:
    low, high = expected.measuring_s
    fixed = expected.startup_s + expected.other_s
    yield (
        f"  blocks    a block of each group takes about {units.seconds(expected.round_s, 3)}: "
        f"{units.significant(expected.rounds_per_worker, 3)} for each worker in the whole budget"
    )
    yield (
        f"  time      {_between(low, high)} of measuring{' (the less where nothing differs)' if low < high else ''}; "
        f"about {units.seconds(expected.startup_s, 3)} of start-up and {units.seconds(expected.other_s, 3)} of untimed "
        f"passes: {_between(low + fixed, high + fixed)} in all"
    )
    yield (
        f"  disk      up to {units.size(expected.journal_bytes, 3)} while it runs, {units.size(expected.kept_bytes, 3)} "
        "of samples afterwards; audio beside that"
    )


def _detection(found: Detection) -> str:
    size = units.percent(found.effect, 2)
    if found.budget_s is None:
        return f"a slow-down of {size} is not found in 95 % of runs: {found.reason}"
    budget = units.seconds(found.budget_s, 2)
    match found.how:
        case "at most":
            return f"a slow-down of {size} is found in 95 % of runs with {budget} of budget, or less"
        case "beyond":
            return f"a slow-down of {size} is found in 95 % of runs with about {budget} of budget ({found.reason})"
        case _:
            return f"a slow-down of {size} is found in 95 % of runs with about {budget} of budget"
