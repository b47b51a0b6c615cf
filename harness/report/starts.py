"""Starts as finished text: init, the first request and the steady ones side by side, and after how many requests it is even."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness import units
from harness.metrics import FIRST
from harness.report.reading import Reading
from harness.report.rows import title_of
from harness.report.words import mark, plural, say
from harness.results import PhaseChange, StartEffect, Untold
from harness.toggling import toggle_of

_WHEN = {"init": mark("at initialisation"), "start": mark("until its first answer")}
_VOUCHING = {"init": "init", "start": FIRST}
_UNTOLD: Mapping[Untold, str] = {
    "controls failed": mark("the controls did not pass: the figures are shown, and no number of requests is told."),
    "requests overlap": mark("requests are made at the same moment, so that their seconds do not add up to time: the figures are shown, and "
                             "no number of requests is told."),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The change of one phase: in seconds, its interval, and what the phase takes before; "" where there is none.

    `doubt` is "" where the controls that vouch for it passed.
    """

    change: str
    interval: str = ""
    before: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRow:
    """One optimization on one device; `even` is the number of requests after which it is, `sentence` says all in words."""

    name: str
    title: str
    init: Phase
    first: Phase
    steady: Phase
    even: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """The rows of a device; `note` says what was measured, and so what the number counts."""

    device: str
    rows: tuple[StartRow, ...]
    note: str

    def of(self, toggle: str) -> Starts:
        """The rows of one toggle, in all of its states."""
        return replace(self, rows=tuple(row for row in self.rows if toggle_of(row.name) == toggle))


def starts(reading: Reading, device: str) -> Starts | None:
    """What a run says of starts on a device; None where it measured steady requests alone."""
    found = [effect for effect in reading.run.starts if effect.device == device]
    if not found:
        return None
    first = any(arm.device == device and FIRST in arm.metrics for arm in reading.run.arms)
    return Starts(
        device=device,
        rows=tuple(_row(reading, effect) for effect in found),
        note=say("Init of a pipeline in a warm process, the first request of a fresh process, and a request of a warm one. What is paid or won "
                 "until the first answer is that of init and first request of the same fresh process.") if first else
        say("First requests of fresh processes were not measured (metric first_request): what is paid or won beforehand is that of init alone."),
    )  # fmt: skip


def _row(reading: Reading, effect: StartEffect) -> StartRow:
    untold = _untold(reading, effect)
    return StartRow(
        name=effect.optimization,
        title=title_of(reading, effect.optimization),
        init=_phase(reading, effect, "init", effect.init),
        first=_phase(reading, effect, FIRST, effect.first),
        steady=_phase(reading, effect, "latency", effect.steady),
        even=_even(effect) if untold is None else units.DASH,
        sentence=_sentence(effect) if untold is None or effect.reason else say(_UNTOLD[untold]),
    )


def _untold(reading: Reading, effect: StartEffect) -> Untold | None:
    """Why no number is told, also of a run from before that was decided with its figures."""
    vouching = {"latency", _VOUCHING.get(effect.basis or "", "latency")}
    trusted = all(reading.calibrated(effect.device, name) for name in vouching)
    return effect.untold or (None if trusted else "controls failed")


def _phase(reading: Reading, effect: StartEffect, metric: str, phase: PhaseChange | None) -> Phase:
    if phase is None:
        return Phase(change=units.DASH if effect.reason else say(units.NOT_MEASURED))
    return Phase(
        change=units.signed_seconds(phase.change_s), interval=_interval(phase), before=units.seconds(phase.before_s),
        doubt="" if reading.calibrated(effect.device, metric) else say("not calibrated"),
    )  # fmt: skip


def _interval(phase: PhaseChange) -> str:
    if phase.low_s is None or phase.high_s is None:
        return say("no interval")
    return say("{low} to {high}", low=units.signed_seconds(phase.low_s), high=units.signed_seconds(phase.high_s))


def _even(effect: StartEffect) -> str:
    if effect.even is None or effect.even_low is None or effect.even_high is None:
        return units.DASH
    return say("{number} ({low} to {high})", number=_requests(effect.even), low=units.count(math.ceil(effect.even_low)),
               high=units.count(math.ceil(effect.even_high)))  # fmt: skip


def _requests(number: float) -> str:
    """So many whole requests as it takes."""
    whole = math.ceil(number)
    return plural(whole, "{count} request", "{count} requests", count=units.count(whole))


def _sign(phase: PhaseChange) -> int:
    """1 for a loss that is told apart from nothing, -1 for a gain, else 0."""
    if phase.low_s is None or phase.high_s is None:
        return 0
    return 1 if phase.low_s > 0 else -1 if phase.high_s < 0 else 0


def _sentence(effect: StartEffect) -> str:
    """What it pays and wins, and when that is even."""
    if effect.reason:
        return say("no figures ({reason}).", reason=effect.reason)
    upfront, steady = effect.upfront, effect.steady
    if upfront is None or steady is None or effect.basis is None:
        return ""
    if upfront.low_s is None or steady.low_s is None:
        return say("one process measured it, so that there is no interval and no number of requests is told.")
    told = {
        "when": say(_WHEN[effect.basis]), "before": units.seconds(abs(upfront.change_s), 3),
        "each": units.seconds(abs(steady.change_s), 3), "upfront": _interval(upfront), "steady": _interval(steady),
        "even": _even(effect),
    }  # fmt: skip
    if effect.even is None and _sign(upfront) * _sign(steady) < 0:
        return say("what it changes {when} ({upfront}) and in a request ({steady}) have different signs; after how many requests that is "
                   "even is not known yet.", **told)  # fmt: skip
    if not _sign(upfront) and _sign(steady) < 0 and effect.even_high is not None:
        return say("wins {each} a request; what it changes {when} is not told from nothing ({upfront}): even after {most} at most.",
                   **told, most=_requests(effect.even_high))  # fmt: skip
    return say(_SENTENCES[_sign(upfront), _sign(steady)], **told)


_SENTENCES = {
    (1, -1): mark("pays {before} {when}, wins {each} a request: even after {even}."),
    (-1, 1): mark("wins {before} {when}, loses {each} a request: the gain is used up after {even}."),
    (-1, -1): mark("wins {before} {when} and {each} a request: a gain from the first request on."),
    (1, 1): mark("pays {before} {when} and loses {each} a request: it never pays back."),
    (0, -1): mark("wins {each} a request; what it changes {when} is not told from nothing ({upfront})."),
    (0, 1): mark("loses {each} a request; what it changes {when} is not told from nothing ({upfront})."),
    (1, 0): mark("pays {before} {when}; what a request wins is not told from nothing ({steady}), so that it is not known to pay back."),
    (-1, 0): mark("wins {before} {when}; what it changes of a request is not told from nothing ({steady})."),
    (0, 0): mark("neither {when} ({upfront}) nor in a request ({steady}) is a change told from nothing."),
}  # fmt: skip
"""By the signs of what it changes beforehand and in each request."""
