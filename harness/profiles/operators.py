"""What torch.profiler counted in two arms, side by side: operators and kernels by change, launches, waits and their callers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median
from typing import Any

from harness.profiles.kernels import short_name
from harness.profiles.stacks import short

Counted = Mapping[str, Any]
"""What a worker wrote of one process: `requests`, `operators`, `kernels`, `launches`, `device` (`worker.traces.record`)."""

_BEYOND_OTHERS = 3.0
"""Robust standard deviations by which the time of a call must change otherwise than that of most, to be the operator's own change."""
_OF_WEIGHT, _FEWEST = 0.01, 10
"""Share of all time from which on an operator is one of most, and how many these must be."""
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One operator, kernel or caller: calls and seconds a request, before and after. `whole` is the name of which `name` is short."""

    name: str
    whole: str = ""
    calls_before: float
    calls_after: float
    own_before_s: float
    own_after_s: float

    @property
    def change_s(self) -> float:
        return self.own_after_s - self.own_before_s

    @property
    def change_calls(self) -> float:
        return self.calls_after - self.calls_before

    @property
    def call_s(self) -> float:
        """What a call takes, the mean of both sides."""
        calls = self.calls_before + self.calls_after
        return (self.own_before_s + self.own_after_s) / calls if calls else 0.0

    @property
    def log_ratio_of_a_call(self) -> float | None:
        """Of the time of a call, after to before; None where one side has no calls, or they took no time."""
        if not min(self.calls_before, self.calls_after, self.own_before_s, self.own_after_s) > 0:
            return None
        return log(self.own_after_s / self.calls_after) - log(self.own_before_s / self.calls_before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """Both sides, each the mean of its processes. Launches are a request's; shares are of the traced time, None without a device."""

    before: str | None
    after: str
    operators: tuple[Change, ...]
    kernels: tuple[Change, ...]
    launches_before: float
    launches_after: float
    busy_before: float | None
    busy_after: float | None
    waits_before: float | None
    waits_after: float | None


def traced(before: tuple[str, Sequence[Counted]] | None, after: tuple[str, Sequence[Counted]]) -> Traced:
    """Put two arms side by side, each (name, what its processes counted). The largest change of its own comes first."""
    first: Sequence[Counted] = before[1] if before is not None else ()
    last = after[1]
    return Traced(
        before=None if before is None else before[0], after=after[0],
        operators=_changes(first, last, "operators"), kernels=_changes(first, last, "kernels"),
        launches_before=_launches(first), launches_after=_launches(last),
        busy_before=_share(first, "busy"), busy_after=_share(last, "busy"),
        waits_before=_share(first, "waits_for_host"), waits_after=_share(last, "waits_for_host"),
    )  # fmt: skip


def callers(before: Sequence[Counted], after: Sequence[Counted]) -> tuple[Change, ...]:
    """Who made the host wait for the device, "call at file:line in function", most calls a request first."""
    rows = _changes(_with_rows(before), _with_rows(after), "callers")
    return tuple(sorted(rows, key=lambda row: -max(row.calls_before, row.calls_after)))


def without_folders(found: Counted) -> Counted:
    """What a process counted, as it is kept and published: the files of its callers from where Python imports them."""
    return {**found, "callers": [{**row, "file": short(row["file"])} for row in found["callers"]]}


def _with_rows(side: Sequence[Counted]) -> list[Counted]:
    return [{**found, "callers": [_as_row(row) for row in found["callers"]]} for found in side]


def _as_row(row: Counted) -> dict[str, Any]:
    name = f"{row['call']} at {short(row['file'])}:{row['line']} in {row['function']}"
    return {"name": name, "calls": row["count"], "own_s": row["waited_s"] or 0.0}


def _changes(before: Sequence[Counted], after: Sequence[Counted], kind: str) -> tuple[Change, ...]:
    first, last = _by_name(before, kind), _by_name(after, kind)
    none = (0.0, 0.0)
    rows = [
        Change(
            name=(told := short_name(name) if kind == "kernels" else name), whole="" if told == name else name,
            calls_before=first.get(name, none)[0], calls_after=last.get(name, none)[0],
            own_before_s=first.get(name, none)[1], own_after_s=last.get(name, none)[1],
        )
        for name in dict.fromkeys((*last, *first))
    ]  # fmt: skip
    own = _own_changes(rows)
    return tuple(sorted(rows, key=lambda row: (-own[row.name, row.whole], -abs(row.change_s), -row.own_after_s)))


def _own_changes(rows: Sequence[Change]) -> dict[tuple[str, str], float]:
    """Seconds a request, by (name, whole): of the calls that are made more or less often, and of calls that take more or less
    time, as far as this goes beyond what most others' calls do.

    Calls are exact. How long one takes on a host changes from process to process for all operators together, and is then the largest
    change of what takes most, whatever the cause of the difference.
    """
    whole_s = sum(row.own_before_s + row.own_after_s for row in rows)
    ratios = [
        ratio for row in rows
        if row.own_before_s + row.own_after_s >= _OF_WEIGHT * whole_s and (ratio := row.log_ratio_of_a_call) is not None
    ]  # fmt: skip
    common = median(ratios) if len(ratios) >= _FEWEST else 0.0
    spread = _MAD_TO_SD * median(abs(ratio - common) for ratio in ratios) if len(ratios) >= _FEWEST else 0.0
    own = {}
    for row in rows:
        ratio = row.log_ratio_of_a_call
        beyond = 0.0 if ratio is None else max(0.0, abs(ratio - common) - _BEYOND_OTHERS * spread)
        least_s = 0.0 if ratio is None else min(row.own_before_s / row.calls_before, row.own_after_s / row.calls_after)
        slower_s = min(row.calls_before, row.calls_after) * least_s * (exp(beyond) - 1)
        own[row.name, row.whole] = abs(row.change_calls) * row.call_s + slower_s
    return own


def _by_name(side: Iterable[Counted], kind: str) -> dict[str, tuple[float, float]]:
    """Name -> (calls, seconds) a request, the mean of the processes."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    processes = list(side)
    for counted in processes:
        for row in counted[kind]:
            sums[row["name"]][0] += row["calls"] / counted["requests"] / len(processes)
            sums[row["name"]][1] += row["own_s"] / counted["requests"] / len(processes)
    return {name: (calls, spent) for name, (calls, spent) in sums.items()}


def _launches(side: Sequence[Counted]) -> float:
    return sum(counted["launches"] / counted["requests"] for counted in side) / len(side) if side else 0.0


def _share(side: Sequence[Counted], name: str) -> float | None:
    found = [counted["device"][name] for counted in side if counted["device"] is not None]
    return sum(found) / len(found) if found else None
