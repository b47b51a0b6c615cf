"""Contrasts, controls, stages and memory of one device as rows of finished text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness import units
from harness.metrics import Metric, is_of_stage, metric
from harness.report import heard, revisions
from harness.report.model import Badge, ControlRow, InvalidRow, MetricTable, Quantile, Row, Tone
from harness.report.reading import INVALID, JUDGED, Reading
from harness.report.words import in_language, mark, plural, say
from harness.results import TOGETHER, Contrast, Control, Verdict
from harness.statistics import ratio_of
from harness.toggling import toggle_of

TONES: Mapping[Verdict, Tone] = {
    "faster": "good", "less": "good",
    "slower": "bad", "more": "bad", "output changed": "bad", "failed": "bad",
    "no material difference": "level",
    "inconclusive": "open",
    "inert": "invalid", "not applicable": "invalid", "already present": "invalid",
}  # fmt: skip
STAGE_TITLES: Mapping[str, str] = {
    "stage": mark("Stage {stage}"),
    "device": mark("Device {stage}"),
    "peak_allocated": mark("Peak allocated in {stage}"),
    "peak_reserved": mark("Peak reserved in {stage}"),
}
"""Titles of the metrics of a stage, by what stands before the dot."""
_ORDER: tuple[Tone, ...] = ("good", "bad", "level", "open", "invalid")
_QUANTILES = ("p50", "p95", "p99")
_FAR_APART = 2.0
"""Kinds of request whose figures differ by so many times have no common median that tells of any."""
_NOT_CALIBRATED = mark("not calibrated: the controls that vouch for this metric did not pass")


def is_stage(name: str) -> bool:
    """Whether a metric is about a part of a request."""
    return is_of_stage(name) and name != "device.latency"


def describe(name: str) -> Metric:
    """The metric called `name`, in the language spoken; one that a newer version measured keeps its bare name."""
    try:
        found = metric(name)
        return replace(found, title=metric_title(found), doc=say(found.doc))
    except KeyError:
        return Metric(name=name, title=name, unit="count", better="lower", pass_="latency", doc="")


def metric_title(measured: Metric) -> str:
    """The title of a metric; of a stage's, what it is of stays the name that the code gives it."""
    kind, dot, stage = measured.name.partition(".")
    pattern = STAGE_TITLES.get(kind) if dot else None
    return (
        say(pattern, stage=stage) if pattern and pattern.format(stage=stage) == measured.title else say(measured.title)
    )


def direction(measured: Metric) -> units.Direction:
    """The words for a change of a metric: faster and slower for times, less and more for memory, else lower, higher."""
    if measured.is_memory:
        return in_language(units.MEMORY)
    return in_language(units.TIME if measured.unit == "s" or measured.name == "rtf" else units.RATE)


def verdict_of(reading: Reading, contrast: Contrast) -> Verdict:
    """The verdict that may be shown: nothing is concluded on a device whose controls did not pass."""
    uncertain = contrast.verdict in JUDGED and not reading.calibrated(contrast.device, contrast.metric)
    return "inconclusive" if uncertain else contrast.verdict


def badge(verdict: Verdict) -> Badge:
    """A verdict with its mood."""
    return Badge(text=say(verdict), word=verdict, tone=TONES[verdict])


def title_of(reading: Reading, optimization: str) -> str:
    """What a toggle, or in a gate a setting of them, is called for people."""
    if reading.run.plan.limits:
        return revisions.in_words(optimization).capitalize()
    if optimization == TOGETHER:
        return say("All together")
    toggle = toggle_of(optimization)
    title = str(reading.run.optimizations.get(toggle, {}).get("title") or toggle)
    return f"{title} {optimization.removeprefix(toggle)}".rstrip()


def row(reading: Reading, contrast: Contrast) -> Row:
    """One contrast as a row of a before/after table; without a change where nothing may be compared, whatever was measured."""
    measured = describe(contrast.metric)
    words = direction(measured)
    verdict, compared = verdict_of(reading, contrast), contrast.verdict not in INVALID
    return Row(
        name=contrast.optimization,
        setting=contrast.optimization.removeprefix(toggle_of(contrast.optimization)).strip("[]"),
        title=title_of(reading, contrast.optimization),
        against="" if reading.run.plan.limits or _from_nothing(reading, contrast) else contrast.reference_arm,
        metric=contrast.metric,
        metric_title=measured.title,
        before=units.quantity(contrast.before, contrast.unit),
        after=units.quantity(contrast.after, contrast.unit),
        quantiles=_quantiles(contrast),
        change=units.estimate(contrast.ratio, contrast.ratio_low, contrast.ratio_high, words)
        if compared
        else units.DASH,
        interval=_interval(contrast, words) if compared else units.DASH,
        verdict=badge(verdict),
        reason=contrast.reason or (say(_NOT_CALIBRATED) if verdict != contrast.verdict else ""),
        witness=_witness(reading, contrast),
        equivalence=_equivalence(reading, contrast),
        evidence=_evidence(contrast),
        ratio=contrast.ratio,
        low=contrast.ratio_low,
        high=contrast.ratio_high,
        level=units.percent(contrast.level),
        unit=contrast.unit,
        before_value=contrast.before,
        after_value=contrast.after,
        margin=contrast.margin,
    )


def _interval(contrast: Contrast, words: units.Direction) -> str:
    if contrast.ratio is not None and contrast.ratio_low is None:
        return say("no interval")
    return units.interval(contrast.ratio_low, contrast.ratio_high, words)


def metric_table(reading: Reading, device: str, name: str) -> MetricTable:
    """All arms of a device in one metric: all together first, then the gains, the losses and the rest."""
    contrasts = reading.contrasts(device, name)
    measured = describe(name)
    rows = [row(reading, contrast) for contrast in contrasts if contrast.verdict not in INVALID]
    return MetricTable(
        metric=name,
        title=measured.title,
        doc=measured.doc,
        rows=tuple(sorted(rows, key=_rank)),
        left_out=tuple(f"{c.optimization} ({say(c.verdict)})" for c in contrasts if c.verdict in INVALID),
        note=reading.run.unavailable.get(device, {}).get(name, "") or _many_kinds(reading, contrasts),
    )


def _many_kinds(reading: Reading, contrasts: Sequence[Contrast]) -> str:
    """What medians over all kinds of request are of, where these are far apart: no request may be near to them."""
    kinds = [kind for one in contrasts[:1] for kind in reading.by_stratum(one.device, one.metric, one.optimization)]
    before = sorted(kind.before for kind in kinds if kind.before is not None)
    if not before or before[-1] < _FAR_APART * before[0]:
        return ""
    low, high = (units.quantity(value, kinds[0].unit) for value in (before[0], before[-1]))
    return say(
        "Before and after are medians over {count} kinds of request, which are at {low} to {high} before. Each change is between "
        "requests of one kind.", count=len(kinds), low=low, high=high,
    )  # fmt: skip


def invalid_rows(reading: Reading, device: str, name: str) -> tuple[InvalidRow, ...]:
    """Toggles that may not be compared in metric `name`, and those of which nothing was measured at all."""
    found = [contrast for contrast in reading.contrasts(device, name) if contrast.verdict in INVALID]
    rows = [
        InvalidRow(
            name=contrast.optimization,
            title=title_of(reading, contrast.optimization),
            verdict=badge(contrast.verdict),
            reason=contrast.reason or _failure(reading, device, contrast.optimization),
            witness=_witness(reading, contrast),
            equivalence=_equivalence(reading, contrast),
        )
        for contrast in found
    ]
    present = {contrast.optimization for contrast in reading.contrasts(device, name)}
    return (*rows, *(_absent(reading, device, name) for name in reading.toggles(device) if name not in present))


def _absent(reading: Reading, device: str, toggle: str) -> InvalidRow:
    reason = reading.run.plan.refused(device).get(toggle_of(toggle))
    failure = _failure(reading, device, toggle)
    verdict = badge("not applicable" if reason else "failed") if reason or failure else Badge(
        text=say(units.NOT_MEASURED), tone="invalid"
    )  # fmt: skip
    return InvalidRow(
        name=toggle,
        title=title_of(reading, toggle),
        verdict=verdict,
        reason=reason or failure or say("the run holds no comparison of it"),
        witness=units.DASH,
        equivalence=units.DASH,
    )


def control_rows(reading: Reading, device: str) -> tuple[ControlRow, ...]:
    """The controls of a device in stored order."""
    return tuple(_control(reading, control) for control in reading.run.controls if control.device == device)


def _control(reading: Reading, control: Control) -> ControlRow:
    low, high, known = _logs(reading, control)
    return ControlRow(
        log_low=low,
        log_high=high,
        log_known=known,
        name=say(control.name.replace("_", " ")),
        metric=describe(control.metric).title,
        expected=say("no change") if _is_null(control) else units.quantity(control.expected, control.unit),
        measured=_measured(control),
        passed=control.passed,
        reason=control.reason or _requirement(control),
    )


def _logs(reading: Reading, control: Control) -> tuple[float | None, float | None, float | None]:
    """The interval of a control as log-ratios, and where it is known to lie: of a dose in seconds, beside the baseline."""
    if control.low is None or control.high is None:
        return None, None, None
    if _is_null(control):
        return control.low, control.high, None
    found = reading.contrasts(control.device, control.metric)
    baseline = next((contrast.before for contrast in found if contrast.before), None)
    if control.unit != "s" or not baseline or control.low <= -baseline:
        return None, None, None
    low, high, known = (math.log1p(amount / baseline) for amount in (control.low, control.high, control.expected))
    return low, high, known


def _is_null(control: Control) -> bool:
    return control.unit == "log-ratio"


def _measured(control: Control) -> str:
    if control.low is None or control.high is None:
        return say("no interval")
    if _is_null(control):
        return units.interval(ratio_of(control.low), ratio_of(control.high), direction(describe(control.metric)))
    if control.low == control.high:
        return units.quantity(control.low, control.unit)
    return say("{low} to {high}", low=units.quantity(control.low, control.unit),
               high=units.quantity(control.high, control.unit))  # fmt: skip


def _requirement(control: Control) -> str:
    if control.bound is None:
        return say("the interval must hold the known amount and not zero")
    bound = units.percent(control.bound)
    if _is_null(control):
        return say("the whole interval must lie within \u00b1{bound}", bound=bound)
    return say("it may be off by {bound}", bound=bound)


def _rank(entry: Row) -> tuple[bool, int, float]:
    return (
        entry.name != TOGETHER,
        _ORDER.index(entry.verdict.tone),
        -abs(math.log(entry.ratio)) if entry.ratio else math.inf,
    )


def _from_nothing(reading: Reading, contrast: Contrast) -> bool:
    arm = reading.arms.get(contrast.reference_arm)
    return contrast.reference_arm == "none" or (arm is not None and arm.role == "none")


def _quantiles(contrast: Contrast) -> tuple[Quantile, ...]:
    before, after = contrast.quantiles.get("before", {}), contrast.quantiles.get("after", {})
    return tuple(
        Quantile(
            name=name,
            before=units.quantity(before.get(name), contrast.unit),
            after=units.quantity(after.get(name), contrast.unit),
            before_value=before.get(name),
            after_value=after.get(name),
        )
        for name in _QUANTILES
        if name in before or name in after
    )


def _witness(reading: Reading, contrast: Contrast) -> str:
    if contrast.witness_before is None and contrast.witness_after is None:
        return units.DASH
    counts = f"{units.count(contrast.witness_before)} \u2192 {units.count(contrast.witness_after)}"
    if contrast.optimization == TOGETHER:
        return say("{counts} in all", counts=counts)
    unit = reading.run.optimizations.get(toggle_of(contrast.optimization), {}).get("witness_unit", "")
    return f"{counts} {unit}".strip()


def _equivalence(reading: Reading, contrast: Contrast) -> str:
    sides = [reading.equivalences(contrast.device, arm) for arm in (contrast.reference_arm, contrast.arm)]
    found = [row for side in sides for row in side if row.grade == contrast.equivalence]
    told = grade(contrast.equivalence, max((row.figure for row in found if row.figure is not None), default=None))
    apart_before, drawn = ([row.agreement for row in side if row.agreement is not None] for side in sides)
    if apart_before:  # each is told against the reference of the run, not against the other
        drawn = []
    apart = say("from the same tokens, {share} drawn alike", share=units.percent(min(drawn), 0)) if drawn else ""
    return "; ".join(part for part in (told, apart, heard.worst(sides[1] or sides[0])) if part)


def grade(name: str | None, figure: float | None) -> str:
    """An equivalence grade with its figure (`Equivalence.figure`), in words."""
    if name is None:
        return say("not checked")
    if name == "tolerance" and figure is not None:
        return say("within {bound}", bound=units.scientific(figure))
    if name == "spectral" and figure is not None:
        return say("spectral, {bound}\u202fdB", bound=units.significant(figure, 2))
    if name == "changed" and figure is not None:
        return say("output changed, {bound}\u202fdB apart", bound=units.significant(figure, 2))
    return say("output changed") if name == "changed" else say("in its words") if name == "words" else say(name)


def _evidence(contrast: Contrast) -> str:
    blocks = plural(contrast.blocks, "{count} block", "{count} blocks", count=units.count(contrast.blocks))
    return f"{blocks}, {plural(contrast.workers, '{count} worker', '{count} workers', count=units.count(contrast.workers))}"


def _failure(reading: Reading, device: str, toggle: str) -> str:
    failure = reading.failure(device, toggle)
    return f"{say(failure.kind.replace('_', ' '))}: {failure.message}" if failure else ""


def worst_bound(rows: Iterable[Row]) -> float | None:
    """The largest change that any of the intervals still allows, as a share; None where there is no interval."""
    ends = [abs(end - 1) for entry in rows for end in (entry.low, entry.high) if end is not None]
    return max(ends, default=None)
