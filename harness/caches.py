"""Caches told honestly: what they change of a request that hits and of one that misses, and from which hit rate on they help.

Seconds are averaged here, and not ratios as elsewhere: over many requests it is time that adds up (docs/decisions/0029).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness import workload
from harness.errors import HarnessError
from harness.evidence import Evidence
from harness.metrics import memory_alone
from harness.optimizations import Cache, registry
from harness.results import AtHitRate, CacheEffect, CacheHeld, CacheWarning, Run
from harness.rules import ERROR
from harness.scenario import Scenario
from harness.scenario.requests import Workload
from harness.statistics import Effect, effects_of
from harness.toggling import toggle_of

LATENCY = "latency"
STEP = 0.005
"""Hit rates at which the interval is asked whether it holds 0; the ends of what it answers are rounded outwards to these."""
SHOWN = tuple(number / 20 for number in range(21))
"""Hit rates whose change is kept, beside the stated one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """What arms change of a request, in seconds: `hits` and `misses` as [workers, arms]. The first arm is the one asked for."""

    hits: NDArray[np.float64]
    misses: NDArray[np.float64]

    def at(self, rate: float, *, blocks: int, level: float) -> Effect:
        """The change of the first arm at a hit rate, its interval across workers by the rule of all effects."""
        return effects_of(rate * self.hits + (1 - rate) * self.misses, blocks=blocks, level=level)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """From which hit rate on a cache helps; `rate` None where none parts a loss from a gain.

    Between `low` and `high` the interval of the change holds 0 (Fieller, 1954: no ratio is taken whose denominator may be 0); both
    are None where it nowhere does.
    """

    rate: float | None
    low: float | None
    high: float | None


def break_even(kinds: Kinds, *, blocks: int, level: float) -> BreakEven:
    """The hit rate at which losses in misses and gains in hits cancel.

    Where the rates that may be it lie apart, the interval spans them all. With a single worker there is no interval.
    """
    hit, miss = (kinds.at(rate, blocks=blocks, level=level) for rate in (1.0, 0.0))
    parts = hit.location < 0 < miss.location
    rate = miss.location / (miss.location - hit.location) if parts else None
    if hit.low is None:
        return BreakEven(rate=rate, low=None, high=None)
    rates = [round(number * STEP, 6) for number in range(round(1 / STEP) + 1)]
    found = [kinds.at(one, blocks=blocks, level=level) for one in rates]
    open_ = [one for one, effect in zip(rates, found, strict=True) if (effect.low or 0.0) <= 0 <= (effect.high or 0.0)]
    if not open_ and rate is None:
        return BreakEven(rate=None, low=None, high=None)
    within = open_ or [rate or 0.0]
    low, high = min(within), max(within)
    return BreakEven(rate=rate, low=round(max(0.0, low - STEP), 6), high=round(min(1.0, high + STEP), 6))


def caches(evidence: Evidence, refused: Mapping[str, str]) -> Iterator[CacheEffect]:
    """What is to be said of each toggle of the scenario that is a cache; of those in `refused` why there are no figures."""
    run = evidence.run
    if run.plan.limits or memory_alone(run.scenario.get("measure", {}).get("metrics", ())):
        return
    toggles = registry()
    for pair in run.plan.pairs:
        toggle = toggles.get(toggle_of(pair[0]))
        if toggle is not None and toggle.cache is not None:
            told = _told_beforehand(evidence, pair, toggle.cache)
            reason = refused.get(pair[0], "") or _why_not(evidence, pair[2])
            yield replace(told, reason=reason) if reason else _with_figures(evidence, told)


def _told_beforehand(evidence: Evidence, pair: tuple[str, str, str], cache: Cache) -> CacheEffect:
    """All that needs no times: the hit rate of the workload, what was counted of the entries, and warnings."""
    optimization, reference, arm = pair
    hits, misses = _told_apart(evidence, cache.misses)
    shares = evidence.run.plan.strata
    held = next((found for found in evidence.run.held if _is_about(found, evidence.device, optimization, arm)), None)
    told = CacheEffect(
        device=evidence.device, optimization=optimization, reference_arm=reference, arm=arm, misses=cache.misses,
        grows=cache.grows, stated_rate=_share(hits, shares) / (_share([*hits, *misses], shares) or 1.0),
        entries=None if held is None else held.entries,
        entry_bytes=held.size_bytes / held.entries if held is not None and held.entries else None,
        warnings=tuple(_warnings(evidence.run, cache, misses)),
    )  # fmt: skip
    return _with_rates(evidence, told, hits)


def _with_rates(evidence: Evidence, told: CacheEffect, hits: Sequence[str]) -> CacheEffect:
    """`told` with the hit rate of the life that was drawn, and of the requests that were timed, where a popularity is stated."""
    read = _workload(evidence.run)
    life = None if read is None else read.speakers.reuse
    if read is None or life is None or told.misses != "new speaker":
        return told
    group = evidence.group_of(told.reference_arm, told.arm)
    timed = evidence.pairs(LATENCY, told.reference_arm, told.arm, group)
    return replace(
        told, drawn_rate=life.drawn(read.speaker_count).hit_rate,
        timed_rate=sum(trial.stratum in hits for trial, _ in timed) / len(timed) if timed else None,
    )  # fmt: skip


def _is_about(held: CacheHeld, device: str, optimization: str, arm: str) -> bool:
    return (held.device, held.optimization, held.arm) == (device, toggle_of(optimization), arm)


def _told_apart(evidence: Evidence, misses: str) -> tuple[list[str], list[str]]:
    """The kinds of request that find their entry in a warm pipeline, and those that do not."""
    strata = list(evidence.run.plan.strata)
    if misses != "new speaker":
        return strata, []
    return (
        [stratum for stratum in strata if not stratum.endswith(workload.NEW_SPEAKER)],
        [stratum for stratum in strata if stratum.endswith(workload.NEW_SPEAKER)],
    )


def _share(strata: Sequence[str], shares: Mapping[str, float]) -> float:
    return sum(shares[stratum] for stratum in strata)


def _warnings(run: Run, cache: Cache, misses: Sequence[str]) -> Iterator[CacheWarning]:
    """Why the workload flatters the cache: of one whose entries are of speakers."""
    if cache.misses != "new speaker":
        return
    if not misses:
        yield "only hits"
    read = _workload(run)
    if read is not None and read.speaker_count == 1 and set(run.plan.strata) - set(misses):
        yield "one speaker"


def _workload(run: Run) -> Workload | None:
    """The workload of a run; None where its scenario is not one that can be read today."""
    try:
        return Scenario.from_data(run.scenario).workload
    except HarnessError:
        return None


def _why_not(evidence: Evidence, arm: str) -> str:
    return "" if evidence.is_timed(arm) else "the design does not time this toggle alone"


def _with_figures(evidence: Evidence, told: CacheEffect) -> CacheEffect:
    """`told` with the changes of requests that hit and that miss; where there are but requests of one kind, of these."""
    hits, misses = _told_apart(evidence, told.misses)
    group = evidence.group_of(told.reference_arm, told.arm)
    on_hit, on_miss = (evidence.changes_in(LATENCY, told.reference_arm, group, some) for some in (hits, misses))
    blocks = len(evidence.pairs(LATENCY, told.reference_arm, told.arm, group))
    level = 1 - ERROR * evidence.part_of_error(told.optimization)
    found = replace(told, level=level, blocks=blocks, before_s=_before_s(evidence, told))
    if told.arm in on_hit and told.arm in on_miss:
        kinds = _kinds(on_hit, on_miss, told.arm)
        if kinds is not None:
            return _of_both(found, kinds)
    single, rate = (on_hit, 1.0) if told.arm in on_hit else (on_miss, 0.0)
    kinds = _kinds(single, single, told.arm) if told.arm in single else None
    if kinds is None:
        return replace(told, reason="no worker measured its requests")
    return replace(found, at=(_at(kinds, rate, found),), workers=len(kinds.hits))


def _of_both(found: CacheEffect, kinds: Kinds) -> CacheEffect:
    rates = sorted({*SHOWN, found.stated_rate})
    even = break_even(kinds, blocks=found.blocks, level=found.level)
    return replace(
        found, at=tuple(_at(kinds, rate, found) for rate in rates), workers=len(kinds.hits),
        break_even=even.rate, break_even_low=even.low, break_even_high=even.high,
    )  # fmt: skip


def _at(kinds: Kinds, rate: float, found: CacheEffect) -> AtHitRate:
    effect = kinds.at(rate, blocks=found.blocks, level=found.level)
    return AtHitRate(rate=rate, change_s=effect.location, low_s=effect.low, high_s=effect.high)


PerWorker = Mapping[str, Mapping[int, float]]
"""What arms change, in seconds: arm -> worker -> change."""


def _kinds(on_hit: PerWorker, on_miss: PerWorker, arm: str) -> Kinds | None:
    """Of `arm` and of all arms that have its workers, among which noise is pooled where workers are few (decision 1)."""
    both = {name: on_hit[name].keys() & on_miss[name].keys() for name in on_hit if name in on_miss}
    workers = sorted(both[arm])
    if not workers:
        return None
    most = max(map(len, both.values()))
    others = [name for name in both if name != arm and both[name] == both[arm] and len(workers) == most]
    hits, misses = (
        np.array([[side[name][worker] for name in (arm, *others)] for worker in workers]) for side in (on_hit, on_miss)
    )
    return Kinds(hits=hits, misses=misses)


def _before_s(evidence: Evidence, told: CacheEffect) -> float | None:
    """What a request takes on the side before: the medians of its kinds, by their shares of the workload."""
    shares = evidence.run.plan.strata
    found = {
        stratum: before
        for stratum in shares
        if (before := evidence.typical(LATENCY, told.reference_arm, told.arm, stratum)[0]) is not None
    }
    whole = _share(list(found), shares)
    return sum(shares[stratum] * before for stratum, before in found.items()) / whole if whole else None
