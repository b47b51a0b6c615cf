"""What a joint design says, as finished text: shares and steps, how toggles act together, and what to do about either."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness import units
from harness.report.model import Badge, Tone
from harness.report.reading import Reading
from harness.report.rows import describe, direction, title_of
from harness.report.words import mark, plural, say
from harness.results import TOGETHER, Contrast, Interaction, Joint, MainEffect, Share, SmallestSet, Step
from harness.rules import GAINS, IDLE, LOSSES, edges
from harness.statistics import ratio_of

_TONES: dict[Joint, Tone] = {
    "reinforce": "good", "hinder": "bad", "independent": "level", "inconclusive": "open",
}  # fmt: skip
_WORDS: dict[Joint, str] = {
    "reinforce": mark("more together"),
    "hinder": mark("less together"),
    "independent": mark("independent"),
    "inconclusive": mark("inconclusive"),
}
_METHODS = {
    "factorial": mark("Exact Shapley values over all combinations that were measured."),
    "fractional": mark(
        "Main effects of a fraction, which are fair shares where no three optimizations interact; that is assumed here."
    ),
    "permutations": mark("Shapley values over sampled orders; which orders were drawn is counted in the intervals."),
    "ladder": mark("Steps in the order of the scenario. One order is not fair to any of them: there are no shares."),
}
_WHOLE = {
    "gain": mark("All together gain: {interval}. Which of them that takes is not known."),
    "cost": mark("All together cost: {interval}."),
    "open": mark(
        "Whether all together gain as much as matters is not known: {interval}. Measure longer before you decide."
    ),
    "less": mark("All together do not gain as much as matters: {interval}."),
}
_NO_ADVICE = mark("The controls did not pass: the figures are shown, and nothing is advised.")
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One toggle on the way from none to all: logs for the plot, text for the table.

    `change_log` is its share (in a ladder its step), and `gains` whether such a change is for the better; `start_log` is where
    it begins. `step` is what it changed when it was turned on after those above it, `alone` its main effect, `part` its part of the whole change.
    """

    name: str
    title: str
    change_log: float
    gains: bool
    start_log: float
    low_log: float | None
    high_log: float | None
    share: str
    share_interval: str
    part: str
    step: str
    step_interval: str
    main: str
    main_interval: str
    verdict: Badge | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How two toggles act together. `change_log` is their interaction, for the plot."""

    a: str
    b: str
    change_log: float
    change: str
    interval: str
    verdict: Badge
    aliases: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Jointly:
    """The joint design of one device in its headline metric; `advice_*` are one sentence each on what to do.

    `others` are shares in the other metrics: rows of (toggle, one text a metric), under `other_metrics`.
    """

    device: str
    metric: str
    metric_title: str
    total: str
    total_log: float
    bars: tuple[Bar, ...]
    has_shares: bool
    method: str
    advice_shares: str
    advice_order: str
    cells: tuple[Cell, ...]
    names: tuple[str, ...]
    advice_together: str
    generators: tuple[str, ...]
    other_metrics: tuple[str, ...]
    others: tuple[tuple[str, tuple[str, ...]], ...]


def jointly(reading: Reading, device: str) -> Jointly | None:
    """What is said of a device; None where its design attributes nothing."""
    found = reading.run.attribution
    totals = {total.metric: total.value for total in found.total_log if total.device == device}
    if not totals:
        return None
    headline = reading.headline_metric()
    metric = headline if headline in totals else next(iter(totals))
    here = [step for step in found.steps if (step.device, step.metric) == (device, metric)]
    shares = {s.optimization: s for s in found.shares if (s.device, s.metric) == (device, metric)}
    mains = {e.optimization: e for e in found.effects if (e.device, e.metric) == (device, metric)}
    pairs = [pair for pair in found.interactions if (pair.device, pair.metric) == (device, metric)]
    smallest = next((s for s in found.smallest if (s.device, s.metric) == (device, metric)), None)
    words, trusted = direction(describe(metric)), reading.calibrated(device, metric)
    rest = [name for name in totals if name != metric]
    return Jointly(
        device=device,
        metric=metric,
        metric_title=describe(metric).title,
        total=units.change(ratio_of(totals[metric]), words),
        total_log=totals[metric],
        bars=_bars(reading, metric, here, shares, mains, totals[metric]),
        has_shares=bool(shares),
        method=say(_METHODS[found.design]),
        advice_shares=_idle(reading, device, mains)
        or _advice_shares(reading, smallest, here, next(iter(reading.contrasts(device, metric, TOGETHER)), None))
        if trusted
        else say(_NO_ADVICE),
        advice_order=_advice_order(reading, here) if trusted and not _idle(reading, device, mains) else "",
        cells=tuple(_cell(pair, words) for pair in pairs),
        names=tuple(dict.fromkeys(name for pair in pairs for name in (pair.a, pair.b))),
        advice_together=_advice_together(reading, pairs) if pairs and trusted else "",
        generators=found.generators,
        other_metrics=tuple(describe(name).title for name in rest) if shares else (),
        others=tuple(_other(reading, device, name, rest) for name in shares) if rest else (),
    )


def _bars(
    reading: Reading, metric: str, steps: Sequence[Step], shares: dict[str, Share], mains: dict[str, MainEffect], total: float
) -> tuple[Bar, ...]:  # fmt: skip
    words, start, bars = direction(describe(metric)), 0.0, []
    for step in steps:
        share, main = shares.get(step.optimization), mains.get(step.optimization)
        change = math.log(step.ratio) if share is None else share.share_log
        ends = (_log(step.ratio_low), _log(step.ratio_high)) if share is None else (share.low, share.high)
        bars.append(Bar(
            name=step.optimization, title=title_of(reading, step.optimization), change_log=change, start_log=start,
            gains=(change < 0) == (describe(metric).better == "lower"),
            low_log=ends[0], high_log=ends[1],
            share=units.DASH if share is None else units.change(ratio_of(share.share_log), words),
            share_interval="" if share is None else units.interval(_exp(share.low), _exp(share.high), words),
            part=units.DASH if total == 0 else units.signed_percent(change / total, 0),
            step=units.change(step.ratio, words), step_interval=units.interval(step.ratio_low, step.ratio_high, words),
            main=units.DASH if main is None else units.change(main.ratio, words),
            main_interval="" if main is None else units.interval(main.ratio_low, main.ratio_high, words),
            verdict=None if main is None else _badge(reading, main),
        ))  # fmt: skip
        start += change
    return tuple(bars)


def _badge(reading: Reading, main: MainEffect) -> Badge:
    tones: dict[str, Tone] = {"faster": "good", "less": "good", "slower": "bad", "more": "bad", "inconclusive": "open"}
    if not reading.calibrated(main.device, main.metric):
        return Badge(text=say("inconclusive"), tone="open")
    return Badge(text=say(main.verdict), tone=tones.get(main.verdict, "level"))


def _cell(pair: Interaction, words: units.Direction) -> Cell:
    return Cell(
        a=pair.a, b=pair.b, change_log=math.log(pair.ratio), change=units.change(pair.ratio, words),
        interval=units.interval(pair.ratio_low, pair.ratio_high, words),
        verdict=Badge(text=say(_WORDS[pair.verdict]), tone=_TONES[pair.verdict]),
        aliases="; ".join(f"{a} \u00d7 {b}" for a, b in pair.aliases),
    )  # fmt: skip


def _other(reading: Reading, device: str, toggle: str, metrics: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    shares = {(s.optimization, s.metric): s for s in reading.run.attribution.shares if s.device == device}
    told = []
    for name in metrics:
        share, words = shares.get((toggle, name)), direction(describe(name))
        told.append(units.DASH if share is None else units.change(ratio_of(share.share_log), words))
    return title_of(reading, toggle), tuple(told)


def _idle(reading: Reading, device: str, mains: Mapping[str, MainEffect]) -> str:
    """Why nothing is advised where a toggle did nothing, stands in the code already or cannot be had; "" where none does."""
    found = {c.optimization: c.verdict for c in reading.contrasts(device) if c.verdict in IDLE}
    idle = [
        f"{title_of(reading, name)} ({say(verdict)})" for name, verdict in found.items() if name in mains or not mains
    ]
    if not idle:
        return ""
    return say("What to adopt is not said, since of these nothing can be had: {names}. Leave them out, and measure again.",
               names=_list(idle))  # fmt: skip


def _without_set(together: Contrast | None, steps: Sequence[Step]) -> str:
    """What is known of all `together` where no set of them is known to keep their gain."""
    some = any(step.verdict in GAINS for step in steps)
    if together is None or together.ratio_low is None or together.ratio_high is None:
        told = (
            say("All together are not known to gain; some of them do.")
            if some
            else say("All together are not known to gain.")
        )
    elif together.verdict == "no material difference" and any(
        step.verdict in (*GAINS, "inconclusive") for step in steps
    ):
        told = say("All together gain less than what matters; that one alone does is not ruled out.")
    elif together.verdict == "no material difference":
        told = say("All together gain less than what matters: adopt none of them for this.")
    else:
        interval = units.interval(together.ratio_low, together.ratio_high, direction(describe(together.metric)))
        if together.reason and together.verdict == "inconclusive":
            interval = f"{interval} ({together.reason})"
        told = say(_WHOLE[_kind(together)], interval=interval)
        told += say(" Some of them gain.") if some and together.verdict in LOSSES else ""
    return told


def _kind(together: Contrast) -> str:
    """What is said of all together by their verdict, and of an open one by whether a gain that matters is still possible."""
    if together.verdict in GAINS or together.verdict in LOSSES:
        return "gain" if together.verdict in GAINS else "cost"
    below, above = edges(together.margin)
    low, high = math.log(together.ratio_low or 1.0), math.log(together.ratio_high or 1.0)
    reaches = low < below if describe(together.metric).better == "lower" else high > above
    return "open" if reaches else "less"


def _advice_shares(
    reading: Reading, smallest: SmallestSet | None, steps: Sequence[Step], together: Contrast | None
) -> str:
    if smallest is None:
        return _without_set(together, steps)
    names = _list([title_of(reading, name) for name in smallest.optimizations])
    kept = units.percent(smallest.kept, 0)
    interval = ""
    if smallest.low is not None and smallest.high is not None:
        interval = say(" ({low} to {high})", low=units.percent(smallest.low, 0), high=units.percent(smallest.high, 0))
    if len(smallest.optimizations) == len(steps):
        return say("Adopt all of them: no fewer that were measured keep {wanted} of the gain.",
                   wanted=units.percent(smallest.wanted, 0))  # fmt: skip
    return say("For {wanted} of the whole gain, by the estimates, adopt {names}: they keep {kept}{interval}.",
               wanted=units.percent(smallest.wanted, 0), names=names, kept=kept, interval=interval)  # fmt: skip


def _advice_order(reading: Reading, steps: Sequence[Step]) -> str:
    """Where to stop: after the last step whose verdict is a gain, without those whose verdict is a loss."""
    costs = [step for step in steps if step.verdict in LOSSES]
    without = (
        say("Leave off what costs where it stands in this order: {names}.", names=_titles(reading, costs))
        if costs
        else ""
    )
    last = max((step.place for step in steps if step.verdict in GAINS), default=0)
    first = [step for step in steps if step.place <= last and step not in costs]
    if not first:
        told = say("No single step is known to gain as much as matters.")
    elif len(first) + len(costs) == len(steps):
        told = say("Adopt in this order: {names}.", names=_titles(reading, first))
    else:
        told = say("Adopt these first, in this order: {names}. Of what each of the others adds after them, no gain is known.",
                   names=_titles(reading, first))  # fmt: skip
    return " ".join(filter(None, (told, without)))


def _titles(reading: Reading, steps: Sequence[Step]) -> str:
    return _list([title_of(reading, step.optimization) for step in steps])


def _advice_together(reading: Reading, pairs: Sequence[Interaction]) -> str:
    hinder = [pair for pair in pairs if pair.verdict == "hinder"]
    reinforce = [pair for pair in pairs if pair.verdict == "reinforce"]
    told = []
    if hinder:
        told.append(
            say("Where one of these pairs is on, expect less of the other: {pairs}.", pairs=_pairs(reading, hinder))
        )
    if reinforce:
        told.append(say("Adopt these pairs together: {pairs}.", pairs=_pairs(reading, reinforce)))
    if any(pair.aliases for pair in (*hinder, *reinforce)):
        told.append(say("Which pair of each group of aliases it is, only design factorial can say."))
    if not told:
        open_ = sum(pair.verdict == "inconclusive" for pair in pairs)
        if not open_:
            return say("No two of them depend on each other: judge each by its own share.")
        told.append(plural(
            open_,
            "Judge each by its own share: no pair is known to depend on each other; of {count} it is not known.",
            "Judge each by its own share: no pair is known to depend on each other; of {count} it is not known.",
            count=open_,
        ))  # fmt: skip
    return " ".join(told)


def _pairs(reading: Reading, pairs: Sequence[Interaction]) -> str:
    ordered = sorted(pairs, key=lambda pair: -abs(math.log(pair.ratio)))
    seen: list[Interaction] = []
    for pair in ordered:
        if not any((one.a, one.b) in pair.aliases for one in seen):
            seen.append(pair)
    named = [f"{title_of(reading, pair.a)} \u00d7 {title_of(reading, pair.b)}" for pair in seen[:_MOST_NAMED]]
    more = len(seen) - _MOST_NAMED
    return "; ".join(named) + (say(" and {count} more", count=more) if more > 0 else "")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _log(ratio: float | None) -> float | None:
    return None if ratio is None else math.log(ratio)


def _exp(log: float | None) -> float | None:
    return None if log is None else ratio_of(log)
