"""What a reader must know to believe the figures: carry-over between arms, noise, caps, spreads that should not be."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from harness.evidence import EXACT, Evidence
from harness.optimizations import registry
from harness.results import Finding, Trial, toggle_of

MIN_SUCCESSORS = 5
MIN_WORKERS_FOR_DRIFT = 2


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Everything that stands out in one device's measurements."""
    for kind, message in (
        ("carry-over", _carry_over(evidence)),
        ("noise", _noise(evidence)),
        ("drift", _drift(evidence)),
        ("throttling", _throttling(evidence)),
        ("cap", _cap(evidence)),
        ("memory spread", _memory_spread(evidence)),
        ("threads", _not_alike(evidence)),
        ("uneven", _uneven(evidence)),
    ):
        if message:
            yield Finding(kind=kind, device=evidence.device, message=message)


def _requests(evidence: Evidence) -> list[tuple[Trial, float]]:
    return [
        (trial, latency)
        for trial in evidence.trials
        if trial.pass_ == "latency" and trial.kind == "request" and (latency := trial.values.get("latency"))
    ]


def _relative(trials: list[tuple[Trial, float]]) -> list[tuple[Trial, float]]:
    """Each latency as a log-ratio to the median of its arm and stratum."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for trial, latency in trials:
        groups[trial.arm, trial.stratum].append(latency)
    centres = {key: median(values) for key, values in groups.items()}
    return [(trial, math.log(latency / centres[trial.arm, trial.stratum])) for trial, latency in trials]


def _carry_over(evidence: Evidence) -> str:
    off: dict[str, list[float]] = defaultdict(list)
    for trial, shift in _relative(_requests(evidence)):
        if trial.predecessor is not None:
            off[trial.predecessor].append(shift)
    shifts = {arm: median(values) for arm, values in off.items() if len(values) >= MIN_SUCCESSORS}
    if not shifts:
        return ""
    worst = max(shifts, key=lambda arm: abs(shifts[arm]))
    return (
        f"The largest shift of an arm's latency by the arm before it: {100 * math.expm1(shifts[worst]):+.2f} % after "
        f"{worst} (median of {len(off[worst])} trials)."
    )


def _noise(evidence: Evidence) -> str:
    shifts = [shift for trial, shift in _relative(_requests(evidence)) if trial.arm == evidence.reference]
    if len(shifts) < MIN_SUCCESSORS:
        return ""
    spread = 1.4826 * median(abs(shift) for shift in shifts)
    return f"One request of the reference arm varies by {100 * spread:.2f} % (robust standard deviation)."


def _drift(evidence: Evidence) -> str:
    by_worker: dict[int, list[float]] = defaultdict(list)
    for trial, shift in _relative(_requests(evidence)):
        by_worker[trial.worker].append(shift)
    centres = [median(values) for values in by_worker.values()]
    if len(centres) < MIN_WORKERS_FOR_DRIFT:
        return ""
    spread = 100 * (math.exp(max(centres) - min(centres)) - 1)
    return (
        f"The slowest worker process was {spread:.2f} % slower than the fastest; pairing within a process removes this."
    )


def _throttling(evidence: Evidence) -> str:
    """How many blocks were measured on a card that something slowed down, and by how much its clock varied."""
    blocks = [item for item in evidence.run.conditions if item.device == evidence.device and item.pass_ == "latency"]
    slow = [item for item in blocks if item.readings.get("slowed_share")]
    if not slow:
        return ""
    causes = sorted({cause for item in slow for cause in item.readings["slowed_by"]})
    clocks = [clock for item in blocks if (clock := item.readings.get("sm_clock_mhz"))]
    span = f"; its median clock lay between {min(clocks):.0f} and {max(clocks):.0f} MHz" if clocks else ""
    return f"The card was slowed down ({', '.join(causes)}) in {len(slow)} of {len(blocks)} blocks{span}."


def _cap(evidence: Evidence) -> str:
    capped = sorted(
        {item.request for item in evidence.run.equivalences if item.device == evidence.device and item.hit_cap}
    )
    return (
        f"Generation ran to its cap in {', '.join(capped)}: the length is the cap's, not the text's." if capped else ""
    )


def _not_alike(evidence: Evidence) -> str:
    shares = [share for trial in evidence.trials if (share := trial.values.get("alike")) is not None]
    fewer = sum(share < 1 for share in shares)
    return (
        f"Of {len(shares)} times that equal requests were made at the same moment, {fewer} gave them different speech "
        "tokens: their work was not quite the same."
        if fewer
        else ""
    )


def _uneven(evidence: Evidence) -> str:
    """Arms of toggles that leave a mark whose witness does not count the same in requests that are the same work."""
    uneven = {}
    known = registry()
    for setting, reference, arm in evidence.run.plan.pairs:
        toggle = known.get(toggle_of(setting))
        if toggle is None or toggle.isolation != "settled":
            continue
        before, after = evidence.witness(setting, reference), evidence.witness(setting, arm)
        by_work: dict[int, set[int]] = defaultdict(set)
        for work, count in zip(before.per_request, after.per_request, strict=False) if before and after else ():
            by_work[work].add(count)
        if after and any(len(counts) > 1 for counts in by_work.values()):
            uneven[arm] = ", ".join(map(str, after.per_request))
    if not uneven:
        return ""
    told = "; ".join(f"{arm}: {counts}" for arm, counts in uneven.items())
    return (
        f"What the witness counts is not the same in requests of the same work ({told}): the cost falls on some of them, "
        "and a median over requests hides it. Choose texts or parameters so that each request has its share."
    )


def _memory_spread(evidence: Evidence) -> str:
    values: dict[str, set[float]] = defaultdict(set)
    for trial in evidence.trials:
        peak = trial.values.get(EXACT)
        if trial.pass_ == "memory" and peak is not None:
            values[trial.arm].add(peak)
    spread = sorted(arm for arm, peaks in values.items() if len(peaks) > 1)
    return f"Peak allocated differed between repeats of the same request in {', '.join(spread)}." if spread else ""
