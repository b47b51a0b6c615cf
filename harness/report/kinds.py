"""Effects by kind of request, and what a listener of streamed requests hears, as rows of finished text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness import units
from harness.report import rows
from harness.report.model import KindsTable, PlaybackRow
from harness.report.reading import INVALID, Reading
from harness.report.words import say
from harness.results import TOGETHER, Trial
from harness.statistics import quantiles


def kinds_tables(reading: Reading, device: str, headline: str) -> tuple[KindsTable, ...]:
    """A table for each toggle that may be compared, all together first; none where requests are all of one kind."""
    names = dict.fromkeys([TOGETHER, *reading.toggles(device)])
    return tuple(table for name in names if (table := _kinds_table(reading, device, name, headline)).rows)


def _kinds_table(reading: Reading, device: str, name: str, headline: str) -> KindsTable:
    labels = kind_labels(list(reading.run.plan.strata))
    whole = [c for c in reading.contrasts(device, headline, name) if c.verdict not in INVALID]
    parts = [
        contrast
        for metric in reading.metrics(device)
        for contrast in reading.by_stratum(device, metric, name)
        if contrast.verdict not in INVALID
    ]
    found = [
        replace(rows.row(reading, contrast), kind=labels.get(contrast.stratum, contrast.stratum)) for contrast in parts
    ]
    everything = [replace(rows.row(reading, contrast), kind=say("whole workload")) for contrast in whole]
    return KindsTable(
        name=name,
        title=rows.title_of(reading, name),
        rows=tuple(found),
        plotted=tuple(row for row in (*everything, *found) if row.metric == headline and row.ratio),
    )


def kind_labels(strata: Sequence[str]) -> Mapping[str, str]:
    """What each kind of request is called: its stratum without the mode, where all share one."""
    modes = {word for stratum in strata for word in _words(stratum)[1:2]}
    if len(modes) != 1 or not all(len(_words(stratum)) > 1 for stratum in strata):
        return {stratum: stratum for stratum in strata}
    return {stratum: re.sub(rf" {re.escape(next(iter(modes)))}\b", "", stratum, count=1) for stratum in strata}


def _words(stratum: str) -> list[str]:
    """The words before a comma: label, mode, and "stream"."""
    return stratum.partition(",")[0].split()


def playback_rows(reading: Reading, device: str) -> tuple[PlaybackRow, ...]:
    """Each arm that may be compared, by kind of streaming request; none where nothing was streamed."""
    invalid = {contrast.arm for contrast in reading.contrasts(device) if contrast.verdict in INVALID}
    arms = [arm.name for arm in reading.toggled_arms() if arm.name not in invalid]
    return tuple(_playback_rows(reading, device, arms))


def _playback_rows(reading: Reading, device: str, arms: Sequence[str]) -> Iterator[PlaybackRow]:
    labels = kind_labels(list(reading.run.plan.strata))
    streamed = [trial for trial in reading.timed(device) if trial.values.get("underruns") is not None]
    present = {trial.stratum for trial in streamed}
    for stratum in [name for name in dict.fromkeys([*labels, *sorted(present)]) if name in present]:
        for arm in arms:
            trials = [trial for trial in streamed if (trial.arm, trial.stratum) == (arm, stratum)]
            if trials:
                yield _playback_row(arm, labels.get(stratum, stratum), trials)


def _playback_row(arm: str, kind: str, trials: Sequence[Trial]) -> PlaybackRow:
    def values(name: str) -> list[float]:
        return [value for trial in trials if (value := trial.values.get(name)) is not None]

    gap, stall, underruns = quantiles(values("chunk_gap")), quantiles(values("stall")), values("underruns")
    return PlaybackRow(
        arm=arm,
        kind=kind,
        first=units.seconds(quantiles(values("ttfa")).get("p50")),
        gap=say("one chunk") if not gap else units.seconds(gap["p50"]),
        worst_gap=units.DASH if not gap else units.seconds(gap["p95"]),
        dry=say("{some} of {all}", some=units.count(sum(map(bool, underruns))), all=units.count(len(underruns))),
        underruns=units.count(sum(underruns)),
        silence=units.seconds(stall.get("p50")),
        worst_silence=units.seconds(stall.get("p95")),
    )
