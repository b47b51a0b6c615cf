"""Samples as arrays for plots: by arm, in the order measured, from the start of a process, and by place in a block.

Thousands of points are drawn as they are. Beyond, they are thinned so that what is drawn has the shape of all, its extremes
included, and the page says how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.report import labels
from harness.report.model import Device, Tone
from harness.report.reading import Reading
from harness.report.words import say
from harness.results import TOGETHER, Trial

Values = NDArray[np.float64]

MOST_POINTS = 5000
"""Drawn in one plot."""
MOST_ARMS = 24
"""Drawn one below the other."""
_LONGEST_LABEL = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """All samples of one arm, in ascending order, and the share of them that is drawn."""

    label: str
    tone: Tone | None
    values: Values
    drawn: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One arm in one process, in the order measured: places and values, medians of a moving window, and what is drawn."""

    label: str
    after: bool
    worker: int
    warmup: tuple[Values, Values]
    timed: tuple[Values, Values]
    moving: tuple[Values, Values]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Latency beside the median of its arm and kind, by a number: median and quartiles for each, and single values."""

    numbers: Values
    medians: Values
    low: Values
    high: Values
    points: tuple[Values, Values]


def spreads(reading: Reading, device: Device) -> tuple[Spread, ...]:
    """The baseline, then the arms of the headline table in its order; at most MOST_ARMS."""
    metric = device.headline.metric
    columns = reading.columns(device.name, metric)
    order = np.lexsort((columns.value, columns.arm))
    bounds = np.searchsorted(columns.arm[order], np.arange(len(columns.arms) + 1))
    found = {arm: columns.value[order[bounds[n] : bounds[n + 1]]] for n, arm in enumerate(columns.arms)}
    before = reading.ends()[0]
    told: list[tuple[str, str, Tone | None]] = [(before, say("before"), None)] if before in found else []
    rows = {row.name: row for row in device.headline.rows}
    for (name, row), label in zip(rows.items(), labels.of_rows([*rows.values()], _LONGEST_LABEL), strict=True):
        arm = next((c.arm for c in reading.contrasts(device.name, metric, name)), "")
        if arm in found:
            told.append((arm, say("all together") if name == TOGETHER else label, row.verdict.tone))
    told = told[:MOST_ARMS]
    most = MOST_POINTS // max(len(told), 1)
    return tuple(
        Spread(label=label, tone=tone, values=values, drawn=by_rank(values, most))
        for arm, label, tone in told
        for values in [found[arm]]
    )


def by_rank(ascending: Values, most: int) -> Values:
    """At most `most` of `ascending` values, at even ranks, lowest and highest among them."""
    if len(ascending) <= most:
        return ascending
    return np.asarray(ascending[np.linspace(0, len(ascending) - 1, most).round().astype(int)], dtype=np.float64)


def by_stretch(values: Values, most: int) -> NDArray[np.int64]:
    """Indices of at most `most` of `values`: of each stretch in a row the first, the lowest and the highest."""
    if len(values) <= most:
        return np.arange(len(values))
    kept: set[int] = set()
    for part in np.array_split(np.arange(len(values)), max(most // 3, 1)):
        kept |= {int(part[0]), int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    return np.array(sorted(kept))


def courses(reading: Reading, device: str) -> tuple[Course, ...]:
    """Latency with nothing and with everything on, process by process, in the order measured."""
    labels = {name: side for name, side in zip(reading.ends(), (say("before"), say("after")), strict=True) if name}
    found: dict[tuple[int, str], list[tuple[int, Trial]]] = {}
    order = 0
    for trial in reading.requests(device):
        if trial.arm in labels and trial.values.get("latency") is not None:
            found.setdefault((trial.worker, trial.arm), []).append((order, trial))
            order += 1
    most = MOST_POINTS // max(len(found), 1)
    after = reading.ends()[1]
    return tuple(_course(labels[arm], arm == after, worker, entries, most) for (worker, arm), entries in found.items())


def _course(label: str, after: bool, worker: int, entries: Sequence[tuple[int, Trial]], most: int) -> Course:  # noqa: FBT001
    places = np.array([order for order, _ in entries], dtype=float)
    values = np.array([trial.values["latency"] for _, trial in entries], dtype=float)
    warm = np.array([trial.phase == "warmup" for _, trial in entries])
    timed = places[~warm], values[~warm]
    kept = by_stretch(timed[1], most)
    return Course(label=label, after=after, worker=worker, warmup=(places[warm], values[warm]), count=len(values),
                  timed=(timed[0][kept], timed[1][kept]), moving=_moving(*timed))  # fmt: skip


def _moving(places: Values, values: Values) -> tuple[Values, Values]:
    """Medians of a window of a fifth of the samples, at most sixty of them; none where there are fewer than fifteen samples."""
    if len(values) < 15:  # noqa: PLR2004  # a line through fewer is no better than the dots
        return np.empty(0), np.empty(0)
    half = max(3, len(values) // 10)
    centres = np.unique(np.linspace(half, len(values) - 1 - half, min(60, len(values))).round().astype(int))
    return places[centres], np.array([np.median(values[max(0, c - half) : c + half + 1]) for c in centres])


def warmup(reading: Reading, device: str) -> tuple[Places, int] | None:
    """The baseline's requests by their number since the start of their process, and how many of them were warm-up, at most;
    None where none was. Values are shares of the median of timed requests of the same kind.
    """
    before = reading.ends()[0]
    here = [t for t in reading.requests(device) if t.arm == before and t.values.get("latency") is not None]
    medians = _medians([trial for trial in here if trial.phase == "timed"])
    numbers, shares, warm = [], [], 0
    counted: dict[int, int] = {}
    for trial in here:
        counted[trial.worker] = number = counted.get(trial.worker, 0) + 1
        warm = max(warm, number) if trial.phase == "warmup" else warm
        if (median := medians.get((trial.arm, trial.request)) or medians.get((trial.arm, ""))) is not None:
            numbers.append(number)
            shares.append((trial.values["latency"] or 0.0) / median)
    if not warm or not numbers:
        return None
    until = max(3 * warm, 12)
    chosen = np.array(numbers) <= until
    return _places(np.array(numbers, dtype=float)[chosen], np.array(shares)[chosen]), warm


def positions(reading: Reading, device: str) -> Places | None:
    """Timed latencies of all arms by their place in a block, as shares of the median of their arm and request."""
    columns = reading.columns(device, "latency")
    numbers = (columns.position + 1).astype(np.float64)
    if len(np.unique(numbers)) < 2:  # noqa: PLR2004  # one place has nothing to be compared with
        return None
    group = columns.arm * len(columns.requests) + columns.request
    order = np.lexsort((columns.value, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    medians = np.empty(int(group.max()) + 1)
    ascending = columns.value[order]
    medians[group[order[starts]]] = (ascending[(starts + ends - 1) // 2] + ascending[(starts + ends) // 2]) / 2
    return _places(numbers, np.asarray(columns.value / medians[group], dtype=np.float64))


def _medians(timed: Sequence[Trial]) -> dict[tuple[str, str], float]:
    """Medians by arm and request, and by arm alone (request "")."""
    found: dict[tuple[str, str], list[float]] = {}
    for trial in timed:
        value = trial.values["latency"] or 0.0
        found.setdefault((trial.arm, trial.request), []).append(value)
        found.setdefault((trial.arm, ""), []).append(value)
    return {key: float(np.median(values)) for key, values in found.items()}


def _places(numbers: Values, shares: Values) -> Places:
    each = np.unique(numbers)
    quartiles = np.array([np.quantile(shares[numbers == number], (0.25, 0.5, 0.75)) for number in each])
    kept = by_stretch(shares, MOST_POINTS // 4)
    return Places(numbers=each, medians=quartiles[:, 1], low=quartiles[:, 0], high=quartiles[:, 2],
                  points=(numbers[kept], shares[kept]))  # fmt: skip
