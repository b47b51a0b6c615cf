"""The table, as Markdown: how often each method said FAIL at each slow-down, and how far what it found lay off the truth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from statistics import median, stdev
from typing import Any

from harness.adapters.planted import UNITS
from harness.environment import differences
from harness.units import size
from tests.prove.decisions import SLOW_DOWNS, Decision, Found, Job, Tool

_Z = 1.959963984540054
"""Standard normal quantile of 97.5 %."""
_MAD_TO_SD = 1.4826
"""Standard deviation of normal noise over its median absolute deviation."""

_HEAD = """\
# Planted slow-downs: how often they are found, and how often one that is not there

One decision compares a call of {units} equal units of work (PyTorch on one thread, some 10 ms on one core of a
server) with a call of as many, or 1, 2 or 5 % more. Decisions: {decisions}, made in {minutes} CPU minutes, {at_once}, in
random order. To go on with them, or to make the table anew on another machine: `nox -s prove -- --minutes 60 --out FOLDER`.
"""

_LEGEND = """\
Counts are of FAIL verdicts, which for identical arms are false alarms; in brackets the 95 % interval by Wilson. Spread: of
the log of the ratio that was found, less that of the true one, over all slow-downs; robust is {mad} times the median
absolute deviation from the median, plain the standard deviation. Measured: median of the time for which calls were timed.
In all: median of the time that a decision took, start-up of processes included.
"""


def wilson(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927); from 0 to 1 where nothing was counted."""
    if not of:
        return 0.0, 1.0
    share, square = count / of, _Z**2 / of
    centre = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


def spread(values: Sequence[float]) -> tuple[float, float] | None:
    """Robust and plain standard deviation; None of fewer than two values."""
    if len(values) < 2:
        return None
    middle = median(values)
    return _MAD_TO_SD * median(abs(value - middle) for value in values), stdev(values)


def render(tools: Iterable[Tool], decisions: Sequence[Decision], beginnings: Sequence[Mapping[str, Any]]) -> str:
    """The page, without tools that made no decision yet. `beginnings` say of each call of the driver where it ran: `environment` and `versions`."""
    begun = {decision.tool for decision in decisions}
    known = [tool for tool in tools if tool.name in begun]
    minutes = sum(decision.cpu_s for decision in decisions) / 60
    overlap = most_at_once(decisions)
    head = _HEAD.format(
        units=UNITS, decisions=len(decisions), minutes=f"{minutes:.1f}",
        at_once="one at a time" if overlap <= 1 else f"up to {overlap} at a time on the same machine",
    )  # fmt: skip
    blocks = [head, _counts(known, decisions), _LEGEND.format(mad=_MAD_TO_SD), *_failures(known, decisions)]
    blocks += ["## How each is run\n", _lines(f"{tool.title}: {tool.how}." for tool in known)]
    blocks += ["## Where\n", _lines(_machine(beginnings))]
    return "\n".join(blocks)


def most_at_once(decisions: Sequence[Decision]) -> int:
    """The largest number of decisions that were being made at the same time; starts are known to the second."""
    edges = []
    for decision in decisions:
        start_s = datetime.fromisoformat(decision.started).timestamp()
        edges += [(start_s + 1, 1), (start_s + max(1.0, decision.wall_s), -1)]
    return max(accumulate(step for _, step in sorted(edges)), default=0)


def _counts(tools: Sequence[Tool], decisions: Sequence[Decision]) -> str:
    heading = [
        "method, as its users run it", "identical", *(f"+{slow_down} %" for slow_down in SLOW_DOWNS if slow_down),
        "spread of the log-ratio, robust / plain SD, %", "measured, s", "in all, s",
    ]  # fmt: skip
    rows = [_row(tool, method, decisions) for tool in tools for method in tool.methods]
    return _lines((_cells(heading), _cells(["---"] * len(heading)), *map(_cells, rows)), "")


def _row(tool: Tool, method: str, decisions: Sequence[Decision]) -> list[str]:
    made = [
        (decision, found)
        for decision in decisions
        if decision.tool == tool.name
        for found in decision.found
        if found.method == method
    ]
    counted = [[found for decision, found in made if decision.slow_down == slow_down] for slow_down in SLOW_DOWNS]
    off = spread([found.log_ratio - true_log_ratio(decision) for decision, found in made])
    times = [[decision.measured_s for decision, _ in made], [decision.wall_s for decision, _ in made]]
    return [
        f"{tool.title}: {method}",
        *map(cell, counted),
        "" if off is None else f"{100 * off[0]:.2f} / {100 * off[1]:.2f}",
        *(f"{median(values):.1f}" if values else "" for values in times),
    ]


def cell(found: Sequence[Found]) -> str:
    """`2/30 (2 to 21 %)`, and how many were undecided."""
    if not found:
        return ""
    counts = Counter(item.verdict for item in found)
    low, high = wilson(counts["FAIL"], len(found))
    text = f"{counts['FAIL']}/{len(found)} ({100 * low:.0f} to {100 * high:.0f} %)"
    return f"{text}, {counts['undecided']} undecided" if counts["undecided"] else text


def true_log_ratio(decision: Decision) -> float:
    """What was planted."""
    job = Job(tool=decision.tool, turn=decision.turn, slow_down=decision.slow_down)
    return math.log(job.units / UNITS)


def _failures(tools: Sequence[Tool], decisions: Sequence[Decision]) -> list[str]:
    """Decisions that a tool did not make, which stand in no count."""
    titles = {tool.name: tool.title for tool in tools}
    counts = Counter((decision.tool, decision.error) for decision in decisions if decision.error)
    told = [f"{titles.get(tool, tool)}: {count} not made: {error}." for (tool, error), count in counts.items()]
    return ["## Not made\n", _lines(told)] if told else []


def _machine(beginnings: Sequence[Mapping[str, Any]]) -> list[str]:
    if not beginnings:
        return []
    first = beginnings[0]
    here, versions = first["environment"], first["versions"]
    found = {"Python": here["python"], **here["versions"], **versions}
    told = [
        _processor(here),
        here["system"]["platform"],
        ", ".join(f"{name} {version}" for name, version in found.items() if version),
        _revision(here["git"]),
    ]
    changes = {change for later in beginnings[1:] for change in differences(here, later["environment"])}
    return told + [f"Not everything stayed as it was: {change}" for change in sorted(changes)]


def _processor(here: Mapping[str, Any]) -> str:
    cpu = here["cpu"]
    cores = f"{cpu['usable'] or cpu['threads']} usable cores, {size(here['memory_bytes'])} of memory"
    cards = [f"{gpu['name']}, driver {gpu['driver']}" for gpu in here["gpus"]]
    return "; ".join((f"{cpu['model'] or 'processor unknown'}, {cores}", *cards))


def _revision(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "not in a git checkout"
    return f"revision {git['commit']}{', with changes that are not committed' if git['dirty'] else ''}"


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _lines(texts: Iterable[str], mark: str = "- ") -> str:
    return "".join(f"{mark}{text}\n" for text in texts)
