"""Effects over length and concurrency as finished text: where each toggle helps, where it does not, and what to do."""

from __future__ import annotations

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
_EDGES: dict[Edge, str] = {
    "zero": mark("The sign changes at {at}."), "gain": mark("The gain falls to the margin at {at}."),
    "loss": mark("The loss reaches the margin at {at}."),
}  # fmt: skip
_DOES: dict[Verdict, str] = {
    "faster": mark("adopt it {where}, where it saves more than {margin}"),
    "slower": mark("leave it off {where}, where it costs more than {margin}"),
    "no material difference": mark("it makes no material difference {where}"),
    "inconclusive": mark("nothing is decided {where}"),
}
_ORDER: Sequence[Verdict] = ("faster", "slower", "no material difference", "inconclusive")


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


def value(axis: Axis, at: float) -> str:
    """A value of an axis with what it is of: "4.00 s of audio"."""
    return say(_VALUES[axis], value=short(axis, at))


def short(axis: Axis, at: float) -> str:
    """A value of an axis alone."""
    return units.seconds(at, 2) if axis in ("audio", "prompt") else units.count(round(at))


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
    told = dict(zip(("fixed", "each", "square"), map(units.signed_seconds, curve.parts_s), strict=False))
    unit = say(_UNITS[curve.axis])
    if "square" in told:
        text = say("{fixed}, {each} for each {unit}, {square} for each square of it", unit=unit, **told)
    else:
        text = say("{fixed}, {each} for each {unit}", unit=unit, **told)
    return text if curve.checked else say("{text} (no further value to check it)", text=text)


def _crossing(curve: EffectCurve, edge: Edge) -> str:
    """Where the curve crosses an edge, or may."""
    found = [crossing for crossing in curve.crossings if crossing.edge == edge]
    if not found:
        return say("nowhere") if curve.points and curve.points[0].low is not None else units.DASH
    return "; ".join(_place(curve, crossing) for crossing in found)


def _place(curve: EffectCurve, found: Crossing) -> str:
    low, high = (None if end is None else short(curve.axis, end) for end in (found.low, found.high))
    if found.told and found.at is not None:
        return _about(short(curve.axis, found.at), low, high)
    if low is None and high is None:
        return say("not known")
    if low is None:
        return say("perhaps, below {high}", high=high)
    return say("perhaps, above {low}", low=low) if high is None else say("perhaps, {low} to {high}", low=low, high=high)


def _about(at: str, low: str | None, high: str | None) -> str:
    return say("{at} ({low} to {high})", at=at, low=low, high=high)


def _advice(curve: EffectCurve) -> str:
    """What to do, and where the curve crosses."""
    if curve.reason:
        return say("no figures ({reason}).", reason=curve.reason)
    if not curve.stretches:
        return say("one worker measured it, so that there is no interval and nothing is advised.")
    return " ".join([say("{pieces}.", pieces=say("; ").join(_pieces(curve))), *_sentences(curve)])


def _pieces(curve: EffectCurve) -> Iterator[str]:
    """What it does, and where: what to do first, what is not known last."""
    ordered = sorted(curve.stretches, key=lambda stretch: _ORDER.index(stretch.verdict))
    for verdict, stretches in groupby(ordered, key=lambda stretch: stretch.verdict):
        where = say(" and ").join(_where(curve, stretch) for stretch in stretches)
        yield say(_DOES[verdict], where=where, margin=units.percent(curve.margin))


def _where(curve: EffectCurve, stretch: Stretch) -> str:
    first, last = stretch.start == curve.points[0].at, stretch.end == curve.points[-1].at
    start, end = short(curve.axis, stretch.start), value(curve.axis, stretch.end)
    if first and last:
        return say("at all that was measured, {start} to {end}", start=start, end=end)
    if first:
        return say("up to {end}", end=end)
    if stretch.start == stretch.end:
        return say("at {end}", end=end)
    if last:
        return say("from {start} on", start=value(curve.axis, stretch.start))
    return say("from {start} to {end}", start=start, end=end)


def _sentences(curve: EffectCurve) -> Iterator[str]:
    for crossing in _told(curve):
        if crossing.at is not None:
            yield say(_EDGES[crossing.edge], at=_place(curve, crossing))
