"""Caches as finished text: what they change of requests that hit and that miss, what entries hold, what to do, and warnings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness import units
from harness.errors import HarnessError
from harness.report.reading import Reading, anchor
from harness.report.rows import title_of
from harness.report.words import mark, say
from harness.results import AtHitRate, CacheEffect
from harness.scenario import Scenario
from harness.scenario.requests import Reuse

_FEW = 3
"""A curve is drawn where there are more hit rates than these."""
PER_REQUESTS = 1000
"""Growth is told for so many requests."""
_WARNINGS = {
    "only hits": mark(
        "every request of this workload finds its entry: the figure is the best that the cache can do, and life is worse"
    ),
    "one speaker": mark(
        "all requests to known speakers are by the same one: a cache that holds a single entry does as well"
    ),
}
_ALWAYS = {
    "first use": mark(
        "only the first request of a pipeline with a key misses, which is not among those that are compared."
    ),
    "never": mark(
        "entries are made while the pipeline is built, and no request misses; what that costs is part of init."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change at a hit rate: in seconds, as a share of what a request takes before, and its interval."""

    seconds: str
    share: str
    interval: str

    @property
    def told(self) -> str:
        """The seconds, and their interval where there is one."""
        return f"{self.seconds} ({self.interval})" if self.interval else self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRow:
    """One cache on one device. `plot` names its curve, "" where there is none to draw."""

    name: str
    title: str
    effect: CacheEffect
    plot: str
    at_none: Change
    at_stated: Change
    at_all: Change
    stated: str
    break_even: str
    entry: str
    growth: str
    advice: str
    warnings: tuple[str, ...]
    reuse: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """The caches of a device; `note` says where the controls failed."""

    device: str
    rows: tuple[CacheRow, ...]
    note: str


def caches(reading: Reading, device: str) -> Caches | None:
    """What a run says of caches on a device; None where none of its toggles is one."""
    found = [effect for effect in reading.run.caches if effect.device == device]
    if not found:
        return None
    calibrated = reading.calibrated(device, "latency")
    return Caches(
        device=device,
        rows=tuple(_row(reading, effect, calibrated=calibrated) for effect in found),
        note=""
        if calibrated
        else say("The controls of this run did not pass: the figures are shown, and nothing is advised."),
    )


def _row(reading: Reading, effect: CacheEffect, *, calibrated: bool) -> CacheRow:
    title = title_of(reading, effect.optimization)
    return CacheRow(
        name=effect.optimization,
        title=title,
        effect=effect,
        plot=anchor("hit-rate", effect.optimization) if len(effect.at) > _FEW else "",
        at_none=_change(effect, 0.0),
        at_stated=_change(effect, effect.stated_rate),
        at_all=_change(effect, 1.0),
        stated=units.percent(effect.stated_rate, 0),
        break_even=_break_even(effect),
        entry=_entry(effect),
        growth=_growth(effect),
        advice=f"{title}: {_advice(effect)}" if calibrated or effect.reason else "",
        warnings=tuple(f"{title}: {say(_WARNINGS[kind])}." for kind in effect.warnings),
        reuse=f"{title}: {told}" if (told := " ".join(_reuse(reading, effect))) else "",
    )


def _reuse(reading: Reading, effect: CacheEffect) -> Iterator[str]:
    """The popularity of speakers that a scenario states: the hit rate that follows from it, and what was drawn and witnessed."""
    life = _life(reading)
    if effect.drawn_rate is None or life is None:
        return
    is_zipf = life.distribution == "zipf"
    shape = say("Zipf with exponent {exponent}", exponent=f"{life.exponent or 1:g}") if is_zipf else say("uniform")
    yield say(
        "by the popularity that the scenario states ({shape}, over {items} speakers), {stated} of {requests} requests are expected to find "
        "their entry, {drawn} of those that were drawn do.",
        shape=shape, items=units.count(life.items), stated=units.percent(effect.stated_rate, 1),
        requests=units.count(life.requests), drawn=units.percent(effect.drawn_rate, 1),
    )  # fmt: skip
    if effect.timed_rate is not None:
        yield say("Of the requests that were timed {timed} did.", timed=units.percent(effect.timed_rate, 1))
    for replay in reading.run.replays:
        if (replay.device, replay.optimization, replay.arm) == (effect.device, effect.optimization, effect.arm):
            yield say(
                "Whether the first {requests} find their entry was not witnessed: nothing shows that its witness counts misses.",
                requests=units.count(replay.requests),
            ) if replay.hits is None else say(
                "Of the first {requests}, made untimed in their order, its witness saw {hits} hit; a cache that loses none hits in {drawn} of "
                "them, and in {expected} on average over draws.",
                requests=units.count(replay.requests), hits=units.count(replay.hits), drawn=units.count(replay.drawn),
                expected=units.significant(replay.expected, 3),
            )  # fmt: skip


def _life(reading: Reading) -> Reuse | None:
    """What the scenario of a run states; None where it states nothing, or cannot be read today."""
    try:
        return Scenario.from_data(reading.run.scenario).workload.speakers.reuse
    except HarnessError:
        return None


def at(effect: CacheEffect, rate: float) -> AtHitRate | None:
    """The change at a hit rate, None where it was not measured."""
    return next((found for found in effect.at if found.rate == rate), None)


def _change(effect: CacheEffect, rate: float) -> Change:
    found = at(effect, rate)
    if found is None:
        is_open = not effect.reason and effect.misses == "new speaker"
        return Change(seconds=say(units.NOT_MEASURED) if is_open else units.DASH, share="", interval="")
    share = units.signed_percent(found.change_s / effect.before_s, 1) if effect.before_s else ""
    return Change(seconds=units.signed_seconds(found.change_s), share=share, interval=_interval(found))


def _interval(found: AtHitRate) -> str:
    if found.low_s is None or found.high_s is None:
        return say("no interval")
    return say("{low} to {high}", low=units.signed_seconds(found.low_s), high=units.signed_seconds(found.high_s))


def _break_even(effect: CacheEffect) -> str:
    if effect.break_even is None:
        return units.DASH
    text = units.percent(effect.break_even, 0)
    if effect.break_even_low is None or effect.break_even_high is None:
        return say("{rate}, no interval", rate=text)
    return say("{rate} ({low} to {high})", rate=text, low=units.percent(effect.break_even_low, 1),
               high=units.percent(effect.break_even_high, 1))  # fmt: skip


def _entry(effect: CacheEffect) -> str:
    if effect.entry_bytes is None:
        return say("not counted")
    return say("{size} ({count} counted)", size=units.size(effect.entry_bytes), count=units.count(effect.entries))


def _growth(effect: CacheEffect) -> str:
    if not effect.grows:
        return say("bounded")
    missing = PER_REQUESTS * (1 - effect.stated_rate)
    if effect.entry_bytes is None:
        return say("without bound")
    if not missing:
        return say("without bound: {size} for each new key", size=units.size(effect.entry_bytes))
    return say("without bound: {requests} requests of this workload add {size}", requests=units.count(PER_REQUESTS),
               size=units.size(missing * effect.entry_bytes))  # fmt: skip


def _advice(effect: CacheEffect) -> str:
    """One sentence that says what to do."""
    if effect.reason:
        return say("no figures ({reason}).", reason=effect.reason)
    if effect.misses != "new speaker":
        return say(_ALWAYS[effect.misses])
    none, everything = at(effect, 0.0), at(effect, 1.0)
    if none is None or everything is None:
        return _of_one_kind(everything)
    return " ".join(_of_both_kinds(effect, none, everything))


def _of_one_kind(everything: AtHitRate | None) -> str:
    if everything is None:
        return say(
            "only requests that miss were measured; to see what hits save, set workload.speakers.repeat above 0."
        )
    return say("only requests that hit were measured; to see what misses cost, set workload.speakers.repeat below 1.")


def _of_both_kinds(effect: CacheEffect, none: AtHitRate, everything: AtHitRate) -> Iterator[str]:
    if none.high_s is None or everything.high_s is None:
        yield say("one worker measured it, so that there is no interval and nothing is advised.")
    elif effect.break_even is not None:
        yield _where_it_helps(effect)
        yield say("Of this workload {stated} do.", stated=units.percent(effect.stated_rate, 0))
    elif none.high_s < 0 and everything.high_s < 0:
        yield say("it saves time at every hit rate, also in requests that miss.")
    elif (none.low_s or 0) > 0 and (everything.low_s or 0) > 0:
        yield say("leave it: it costs time at every hit rate, also in requests that hit.")
    elif everything.high_s < 0:
        yield say("it saves time where requests find their entry; what a miss costs cannot be told from nothing.")
    else:
        yield say("whether it saves time at any hit rate cannot be told; measure longer.")


def _where_it_helps(effect: CacheEffect) -> str:
    """By the ends of the interval, between which nothing is known."""
    low, high = effect.break_even_low or 0.0, effect.break_even_high if effect.break_even_high is not None else 1.0
    told = {"low": units.percent(low, 1), "high": units.percent(high, 1)}
    if high >= 1:
        return say("where less than {low} of requests find their entry it costs more than it saves; above, nothing is "
                   "known yet.", **told)  # fmt: skip
    if low <= 0:
        return say("adopt it where more than {high} of requests find their entry; below, nothing is known yet.", **told)
    return say(
        "adopt it where more than {high} of requests find their entry; below {low} it costs more than it saves.", **told
    )


def warnings(found: Caches) -> Iterator[str]:
    """All warnings of a device."""
    for row in found.rows:
        yield from row.warnings
