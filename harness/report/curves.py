"""Effects over length and concurrency as finished text: where each toggle helps, where it does not, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness import units
from harness.report.reading import Reading, anchor
from harness.report.rows import describe, title_of
from harness.report.words import mark, say
from harness.results import Axis, Crossing, Edge, EffectCurve, Stretch, Verdict

MOST_PLOTS = 24
"""Of more curves, only those that cross something are drawn."""
AXES: dict[Axis, str] = {
    "audio": mark("Audio made"), "characters": mark("Text"), "prompt": mark("Speaker prompt"), "concurrency": mark("Requests at once"),
}  # fmt: skip
_VALUES: dict[Axis, str] = {
    "audio": mark("{value} of audio"), "characters": mark("{value} characters"), "prompt": mark("{value} of prompt"),
    "concurrency": mark("{value} requests at once"),
}  # fmt: skip
_UNITS: dict[Axis, str] = {
    "audio": mark("second of audio"), "characters": mark("character"), "prompt": mark("second of prompt"),
    "concurrency": mark("request at once"),
}  # fmt: skip
_EDGES: dict[tuple[Edge, bool | None], str] = {
    ("zero", True): mark("The sign changes from a gain to a loss {where}."),
    ("zero", False): mark("The sign changes from a loss to a gain {where}."),
    ("zero", None): mark("The sign changes {where}."),
    ("gain", True): mark("The gain falls to the margin {where}."),
    ("gain", False): mark("The gain rises to the margin {where}."),
    ("gain", None): mark("The gain is as large as the margin {where}."),
    ("loss", True): mark("The loss rises to the margin {where}."),
    ("loss", False): mark("The loss falls to the margin {where}."),
    ("loss", None): mark("The loss is as large as the margin {where}."),
}
"""Of an edge, and of whether the change rises through it; None in runs from before that was kept."""
_WAYS: dict[tuple[Edge, bool | None], str] = {
    ("zero", True): mark("to a loss"), ("zero", False): mark("to a gain"), ("gain", True): mark("falling"),
    ("gain", False): mark("rising"), ("loss", True): mark("rising"), ("loss", False): mark("falling"),
}  # fmt: skip
_DOES: dict[Verdict, str] = {
    "faster": mark("adopt it {where}, where it saves more than {margin}"),
    "slower": mark("leave it off {where}, where it costs more than {margin}"),
    "no material difference": mark("it makes no material difference {where}"),
    "inconclusive": mark("nothing is decided {where}"),
}
_ORDER: Sequence[Verdict] = ("faster", "slower", "no material difference", "inconclusive")
DIGITS = 3
"""Significant digits of a value of an axis. Ends are rounded so that no more is claimed than was found."""
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change at one end of an axis, and the band there, "" where there is none."""

    change: str
    band: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveRow:
    """One curve. `plot` names its drawing, "" where there is none; `first` and `last` are the changes at the ends of its axis."""

    name: str
    title: str
    metric: str
    axis: str
    curve: EffectCurve
    plot: str
    span: str
    first: Change
    last: Change
    parts: str
    sign: str
    worth: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """All curves of a device; `note` says where the controls failed."""

    device: str
    rows: tuple[CurveRow, ...]
    note: str


def curves(reading: Reading, device: str) -> Curves | None:
    """What a run says of lengths and concurrency on a device; None where its requests are all alike in them."""
    found = [curve for curve in reading.run.curves if curve.device == device]
    if not found:
        return None
    calibrated = reading.calibrated(device, "latency")
    latency = [curve for curve in found if curve.metric == "latency" and curve.points]
    drawn = latency if len(latency) <= MOST_PLOTS else [curve for curve in latency if _told(curve)]
    return Curves(
        device=device,
        rows=tuple(_row(reading, curve, calibrated=calibrated, drawn=curve in drawn) for curve in found),
        note=""
        if calibrated
        else say("The controls of this run did not pass: the figures are shown, and nothing is advised."),
    )


def _row(reading: Reading, curve: EffectCurve, *, calibrated: bool, drawn: bool) -> CurveRow:
    title, measured = title_of(reading, curve.optimization), describe(curve.metric)
    return CurveRow(
        name=curve.optimization, title=title, metric=measured.title, axis=say(AXES[curve.axis]), curve=curve,
        plot=anchor("over", curve.axis, curve.optimization) if drawn else "",
        span=_span(curve), first=_change(curve, 0), last=_change(curve, -1), parts=_parts(curve), sign=_crossing(curve, "zero"),
        worth=_crossing(curve, "gain"),
        advice=say("{title}, {metric} over {axis}: {advice}", title=title, metric=measured.title.lower(),
                   axis=say(AXES[curve.axis]).lower(), advice=_advice(curve))
        if calibrated or curve.reason else "",
    )  # fmt: skip


def value(axis: Axis, at: float, digits: int = DIGITS, *, up: bool | None = None) -> str:
    """A value of an axis with what it is of: "4.00 s of audio"."""
    return say(_VALUES[axis], value=short(axis, at, digits, up=up))


def short(axis: Axis, at: float, digits: int = DIGITS, *, up: bool | None = None) -> str:
    """A value of an axis alone, rounded to the nearest, or up, or down."""
    shown = _rounded(axis, at, digits, up=up)
    return units.seconds(shown, digits) if axis in ("audio", "prompt") else units.count(shown)


def _rounded(axis: Axis, at: float, digits: int, *, up: bool | None) -> float:
    """Seconds to significant digits; what is counted to whole numbers, with a decimal for each digit beyond `DIGITS`."""
    if axis in ("audio", "prompt"):
        return at if up is None else units.directed(at, digits, up=up)
    whole_digits = 1 + math.floor(math.log10(at)) + digits - DIGITS
    return round(at, digits - DIGITS) if up is None else units.directed(at, whole_digits, up=up)


def _told(curve: EffectCurve) -> list[Crossing]:
    return [crossing for crossing in curve.crossings if crossing.told]


def _span(curve: EffectCurve) -> str:
    if not curve.points:
        return units.DASH
    return say(
        "{low} to {high}", low=short(curve.axis, curve.points[0].at), high=short(curve.axis, curve.points[-1].at)
    )


def _change(curve: EffectCurve, place: int) -> Change:
    if not curve.points:
        return Change(change=units.DASH, band="")
    point = curve.points[place]
    decimals = units.interval_decimals(point.low, point.high) or 1
    change = units.signed_percent(point.ratio - 1, decimals)
    if point.low is None or point.high is None:
        return Change(change=change, band=say("no interval"))
    low, high = (units.signed_percent(end - 1, decimals) for end in (point.low, point.high))
    return Change(change=change, band=say("{low} to {high}", low=low, high=high))


def _parts(curve: EffectCurve) -> str:
    """The change in seconds, as its form has it."""
    if not curve.points:
        return units.DASH
    if curve.form == "between neighbours":
        return say("of no form: between two values measured, it lies between theirs")
    texts = [_part(curve, place) for place in range(len(curve.parts_s))]
    told = dict(zip(("fixed", "each", "square"), texts, strict=False))
    unit = say(_UNITS[curve.axis])
    if "square" in told:
        text = say("{fixed}, {each} for each {unit}, {square} for each square of it", unit=unit, **told)
    else:
        text = say("{fixed}, {each} for each {unit}", unit=unit, **told)
    return text if curve.checked else say("{text} (no further value to check it)", text=text)


def _part(curve: EffectCurve, place: int) -> str:
    """One part of the change with its interval: "+2.50 ms (+2.41 ms to +2.59 ms)"."""
    part = units.signed_seconds(curve.parts_s[place])
    if not curve.parts_between_s:
        return f"{part} ({say('no interval')})"
    low, high = (
        units.signed_seconds(units.directed(end, DIGITS, up=up))
        for end, up in zip(curve.parts_between_s[place], (False, True), strict=True)
    )
    return _about(part, low, high)


def _crossing(curve: EffectCurve, edge: Edge) -> str:
    """Where the curve crosses an edge, or may."""
    found = [crossing for crossing in curve.crossings if crossing.edge == edge]
    if not found:
        return say("nowhere") if curve.points and curve.points[0].low is not None else units.DASH
    return "; ".join(_place(curve, crossing) for crossing in found)


def _place(curve: EffectCurve, found: Crossing) -> str:
    low, high = _outwards(curve, found)
    if found.told:
        where, way = _told_at(curve, found), _WAYS.get((found.edge, found.rises))
        return say("{where}, {way}", where=where, way=say(way)) if way else where
    if low is None and high is None:
        return say("not known")
    if low is None:
        return say("perhaps, below {high}", high=high)
    return say("perhaps, above {low}", low=low) if high is None else say("perhaps, {low} to {high}", low=low, high=high)


def _outwards(curve: EffectCurve, found: Crossing) -> tuple[str | None, str | None]:
    low = None if found.low is None else short(curve.axis, found.low, up=False)
    return low, None if found.high is None else short(curve.axis, found.high, up=True)


def _told_at(curve: EffectCurve, found: Crossing) -> str:
    """Where a crossing is that is told: about where the curve itself crosses, or only between which values."""
    low, high = _outwards(curve, found)
    if found.at is None:
        return say("between {low} and {high}", low=low, high=high)
    return _about(short(curve.axis, found.at), low, high)


def _about(at: str, low: str | None, high: str | None) -> str:
    return say("{at} ({low} to {high})", at=at, low=low, high=high)


def _advice(curve: EffectCurve) -> str:
    """What to do, and where the curve crosses."""
    if curve.reason:
        return say("no figures ({reason}).", reason=curve.reason)
    part = {"workers": curve.workers, "all": curve.of_workers}
    is_part = curve.workers < curve.of_workers
    if curve.muted:
        return say("nothing is advised, {reason}.", reason=curve.muted)
    if not curve.stretches and is_part:
        return say(
            "{workers} of {all} workers met every value, so that there is no interval and nothing is advised.", **part
        )
    if not curve.stretches:
        return say("one worker measured it, so that there is no interval and nothing is advised.")
    left_out = [say("{workers} of {all} workers met every value; only these count.", **part)] if is_part else []
    return " ".join([say("{pieces}.", pieces=say("; ").join(_pieces(curve))), *_sentences(curve), *left_out])


def _pieces(curve: EffectCurve) -> Iterator[str]:
    """What it does, and where: what to do first, what is not known last."""
    ordered = sorted(curve.stretches, key=lambda stretch: _ORDER.index(stretch.verdict))
    for verdict, stretches in groupby(ordered, key=lambda stretch: stretch.verdict):
        where = say(" and ").join(_where(curve, stretch) for stretch in stretches)
        yield say(_DOES[verdict], where=where, margin=units.percent(curve.margin))


def _where(curve: EffectCurve, stretch: Stretch) -> str:
    """A stretch, whose ends are rounded into it."""
    if stretch.start == stretch.end:
        return say("at {end}", end=value(curve.axis, stretch.end))
    first, last = stretch.start == curve.points[0].at, stretch.end == curve.points[-1].at
    digits = _digits(curve.axis, stretch)
    start, end = short(curve.axis, stretch.start, digits, up=True), value(curve.axis, stretch.end, digits, up=False)
    if first and last:
        return say("from {start} to {end}, which is all that was measured", start=start, end=end)
    if first:
        return say("up to {end}", end=end)
    if last:
        return say("from {start} on", start=value(curve.axis, stretch.start, digits, up=True))
    return say("from {start} to {end}", start=start, end=end)


def _digits(axis: Axis, stretch: Stretch) -> int:
    """As many digits as a stretch needs to be one after its ends were rounded into it."""
    return next(
        (
            digits for digits in range(DIGITS, _MOST_DIGITS)
            if _rounded(axis, stretch.start, digits, up=True) < _rounded(axis, stretch.end, digits, up=False)
        ),
        _MOST_DIGITS,
    )  # fmt: skip


def _sentences(curve: EffectCurve) -> Iterator[str]:
    for crossing in _told(curve):
        where = _told_at(curve, crossing)
        where = where if crossing.at is None else say("at {place}", place=where)
        yield say(_EDGES[crossing.edge, crossing.rises], where=where)
