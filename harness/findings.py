"""What a reader must know to believe the figures: carry-over between arms, noise, caps, spreads that should not be."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from statistics import median
from typing import Any

from harness import units
from harness.designs import CONTROLS, PROCESS
from harness.evidence import Evidence
from harness.expected import expectations
from harness.jointly import JointArms
from harness.metrics import EXACT
from harness.optimizations import registry
from harness.results import CYCLE, Finding, Trial, at_once
from harness.statistics import change_of, repeat_effect
from harness.toggling import toggle_of
from harness.worker.vram import NON_TORCH, OOMS, WHOLE

MIN_SUCCESSORS = 5
MIN_WORKERS_FOR_DRIFT = 2
CHANCE = 0.01
"""Chance that any shift by the arm before is told where there is none."""
LOAD = 0.1
"""Cores that others take, at most, without a word."""
UNCOVERED = 0.05
"""Stages that leave more of a request than this uncovered do not explain its time."""
OWN_WORK = 0.05
"""Share of a latency pass that may be the harness's own work without a word."""


KINDS = (
    "carry-over", "noise", "drift", "throttling", "load", "own work", "cap", "memory spread", "threads", "uneven", "uncovered",
    "two scales", "attribution", "reuse", "limit", "refused",
)  # fmt: skip
"""The kinds of what is found in the measurements; findings of other kinds were recorded while they were made."""


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Everything that stands out in one device's measurements."""
    found = (
        _carry_over(evidence),
        _noise(evidence),
        _drift(evidence),
        _throttling(evidence),
        _load(evidence),
        _own_work(evidence),
        _cap(evidence),
        _memory_spread(evidence),
        _not_alike(evidence),
        _uneven(evidence),
        _uncovered(evidence),
        _two_scales(evidence),
        _not_attributed(evidence),
        _not_as_drawn(evidence),
        _within_limit(evidence),
        _refused(evidence),
    )
    for kind, message in zip(KINDS, found, strict=True):
        if message:
            yield Finding(kind=kind, device=evidence.device, message=message)


def _not_as_drawn(evidence: Evidence) -> str:
    """Caches that did not hit where one that loses nothing would, by their witness."""
    told = [
        f"{replay.optimization} ({replay.hits} of {replay.requests}, drawn {replay.drawn})"
        for replay in evidence.run.replays
        if replay.device == evidence.device and replay.hits not in (None, replay.drawn)
    ]
    if not told:
        return ""
    return (
        "Requests that were drawn did not hit as they would in a cache that loses nothing, by the witness: "
        f"{', '.join(told)}. The hit rate that the scenario states is then not that of the cache."
    )


def _requests(evidence: Evidence) -> list[tuple[Trial, float]]:
    return [
        (trial, latency)
        for trial in evidence.trials
        if trial.pass_ == "latency"
        and trial.kind == "request"
        and trial.group != PROCESS
        and (latency := trial.values.get("latency"))
    ]


Kind = Callable[[Trial], Hashable]
"""What trials must share to be compared with one another."""


def _relative(
    trials: list[tuple[Trial, float]], kind: Kind = lambda trial: (trial.arm, trial.stratum)
) -> list[tuple[Trial, float]]:
    """Each latency as a log-ratio to the median of its kind: of its arm and stratum, where nothing else is said."""
    groups: dict[Hashable, list[float]] = defaultdict(list)
    for trial, latency in trials:
        groups[kind(trial)].append(latency)
    centres = {key: median(values) for key, values in groups.items()}
    return [(trial, math.log(latency / centres[kind(trial)])) for trial, latency in trials]


def _carry_over(evidence: Evidence) -> str:
    """By how much an arm's latency is shifted by the arm before it, where that is more than its own noise.

    Each group of arms and each worker apart; across workers Student's t, all shifts sharing `CHANCE`.
    """
    found: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    alike = _relative(_requests(evidence), lambda trial: (trial.worker, trial.group, trial.arm, trial.stratum))
    for trial, shift in alike:
        if trial.predecessor is not None:
            found[trial.group, trial.predecessor][trial.worker].append(shift)
    shifts = {key: workers for key, workers in found.items() if sum(map(len, workers.values())) >= MIN_SUCCESSORS}
    told = []
    for (group, arm), workers in shifts.items():
        effect = repeat_effect([median(values) for values in workers.values()], level=1 - CHANCE / len(shifts))
        if effect is not None and ((effect.low or 0.0) > 0 or (effect.high or 0.0) < 0):
            low, high = (100 * change_of(end or 0.0) for end in (effect.low, effect.high))
            told.append(
                f"{100 * change_of(effect.location):+.2f} % after {arm} in group {group} ({low:+.2f} to {high:+.2f} % over "
                f"{effect.workers} workers)"
            )
    return f"Latency is shifted by the arm before: {'; '.join(told)}." if told else ""


def _uncovered(evidence: Evidence) -> str:
    """What share of a request its stages leave out, by the clock of the host and by that of the device."""
    trials = [trial for trial, _ in _requests(evidence) if trial.arm == evidence.reference]
    told = []
    for prefix, whole, clock in (("stage", "latency", "host"), ("device", "device.latency", "device")):
        by_stratum: dict[str, list[float]] = defaultdict(list)
        for trial in trials:
            share = _share_uncovered(trial, prefix, whole)
            if share is not None:
                by_stratum[trial.stratum].append(share)
        shares = {stratum: median(found) for stratum, found in by_stratum.items()}
        worst = max(shares, key=lambda stratum: shares[stratum], default="")
        if shares.get(worst, 0.0) > UNCOVERED:
            told.append(f"{100 * shares[worst]:.1f} % of {clock} time ({worst})")
    return (
        f"The stages of a request leave up to {' and '.join(told)} uncovered: what happens there belongs to none of them."
        if told
        else ""
    )


def _share_uncovered(trial: Trial, prefix: str, whole: str) -> float | None:
    """The share of `whole` that is in no stage; parts of a stage are named after it, and are in it already."""
    stages = [
        value or 0.0
        for name, value in trial.values.items()
        if name.startswith(f"{prefix}.") and name != whole and name.count(".") == 1
    ]
    total = trial.values.get(whole)
    return 1 - sum(stages) / total if stages and total else None


def _two_scales(evidence: Evidence) -> str:
    """Toggles whose place, timed alone, lets one expect another change of a request than was measured.

    Told where the intervals do not meet, all of them sharing `CHANCE`; not where requests at the same moment share the
    processors, which no call that is timed alone does.
    """
    if any(concurrency > 1 for concurrency in evidence.run.plan.concurrency.values()):
        return ""
    told = []
    for found in expectations(evidence, level=1 - CHANCE / max(1, len(evidence.run.plan.pairs))):
        expected, measured = (
            _ends(found.expected_low_s, found.expected_high_s),
            _ends(found.measured_low_s, found.measured_high_s),
        )
        if expected and measured and (expected[1] < measured[0] or measured[1] < expected[0]):
            told.append(f"{found.optimization}: {_change(*expected)} expected, {_change(*measured)} measured")
    return (
        f"Places timed alone let one expect another change of a request than was measured ({'; '.join(told)}): the toggle "
        "costs or saves something elsewhere, or a call takes another time in a request than in a row."
        if told
        else ""
    )


def _not_attributed(evidence: Evidence) -> str:
    """Why a design of several toggles at once attributes nothing."""
    refused = JointArms(evidence).refused
    return (
        f"Nothing is attributed to single optimizations, because arms may not be compared: {refused}. Leave out what changes "
        "the output, fails or cannot be had here, and run again."
        if refused
        else ""
    )


def _ends(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _change(low_s: float, high_s: float) -> str:
    return f"{units.signed_seconds(low_s)} to {units.signed_seconds(high_s)}"


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
    spread = 100 * change_of(max(centres) - min(centres))
    remedy = (
        "in a gate, the interval is across them"
        if evidence.run.plan.limits
        else "pairing within a process removes this"
    )
    return f"The slowest worker process was {spread:.2f} % slower than the fastest; {remedy}."


def _throttling(evidence: Evidence) -> str:
    """How many turns were measured on a card that something slowed down, and by how much its clock varied."""
    turns = _conditions(evidence)
    slow = [item for item in turns if item.get("slowed_share")]
    if not slow:
        return ""
    causes = sorted({cause for item in slow for cause in item["slowed_by"]})
    clocks = [clock for item in turns if (clock := item.get("sm_clock_mhz"))]
    span = f"; its median clock lay between {min(clocks):.0f} and {max(clocks):.0f} MHz" if clocks else ""
    return f"The card was slowed down ({', '.join(causes)}) in {len(slow)} of {len(turns)} turns of a worker{span}."


def _load(evidence: Evidence) -> str:
    """What other processes and the hypervisor took of the cores while workers measured."""
    turns = _conditions(evidence)
    others = [item["others_cores"] for item in turns if "others_cores" in item]
    stolen = [item["steal_cores"] for item in turns if "steal_cores" in item]
    if not others or max(*others, *stolen, 0.0) < LOAD:
        return ""
    told = f"Other processes used {median(others):.2f} cores in the median turn of a worker, {max(others):.2f} at most"
    if stolen and max(stolen) >= LOAD:
        told += f"; the hypervisor took {median(stolen):.2f} cores, {max(stolen):.2f} at most"
    return f"{told}."


def _own_work(evidence: Evidence) -> str:
    """How much of the latency pass was no work of the model: turns, answers, looks, files."""
    worked = evidence.run.timing.get("worked_s", {}).get(evidence.device)
    if not worked or worked["model"] >= (1 - OWN_WORK) * worked["pass"]:
        return ""
    share = 1 - worked["model"] / worked["pass"]
    return (
        f"In {100 * share:.1f} % of the latency pass ({worked['pass']:.1f} s once the workers had started) the harness worked, "
        f"not the model: no error of the figures, but blocks that were not measured (up to {100 * OWN_WORK:g} % is usual)."
    )


def _conditions(evidence: Evidence) -> list[Mapping[str, Any]]:
    """What the machine was like in each turn of a worker of the latency pass."""
    conditions = evidence.run.conditions
    return [item.readings for item in conditions if item.device == evidence.device and item.pass_ == "latency"]


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
        "tokens or lengths of audio: their work was not quite the same."
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
    of_one = [trial for trial in evidence.peaks_of_some if trial.stratum == at_once(1)]
    for trial in evidence.trials if EXACT in evidence.exact else of_one:
        peak = trial.values.get(EXACT)
        if trial.pass_ == "memory" and not trial.group and peak is not None:
            values[trial.arm].add(peak)
    spread = sorted(arm for arm, peaks in values.items() if len(peaks) > 1)
    return f"Peak allocated differed between repeats of the same request in {', '.join(spread)}." if spread else ""


def _within_limit(evidence: Evidence) -> str:
    """What a limit of the card's memory leaves of itself: the most that the process of any arm held, as the driver counted it (`process_peak`).

    Where it tells that of no process, what was reserved, and in use outside the allocator at the start. Nothing is said before all is
    read, nor where an arm found no room: that is told as its failure.
    """
    machine = evidence.run.environment.get("devices", {}).get(evidence.device, {})
    limit, at_start = machine.get("vram_limit_bytes"), machine.get("context_bytes") or 0.0
    read = [
        trial
        for trial in evidence.trials
        if trial.pass_ == "memory" and trial.arm not in CONTROLS and trial.values.get("peak_reserved")
    ]
    lacked = [one for one in evidence.run.failures if one.device == evidence.device and one.kind == "out_of_memory"]
    if limit is None or not read or lacked or not evidence.run.complete:
        return ""
    limit = min(limit, machine.get("gpu_memory_bytes") or limit)
    most, trial = max(((_held(trial, at_start), trial) for trial in read), key=lambda found: found[0])
    outside = trial.values.get(NON_TORCH) or at_start
    stages = {name.removeprefix("peak_allocated."): value for name, value in trial.values.items()
              if name.startswith("peak_allocated.") and value is not None}  # fmt: skip
    fullest = f"; tensors held most in {max(stages, key=lambda name: stages[name])}" if stages else ""
    told = f"the most, by {trial.arm}, is {units.size(most)}, up to {units.size(outside)} of it outside the allocator{fullest}."
    if most > limit and trial.values.get(WHOLE):
        return f"The limit of {units.size(limit)} was passed by up to {units.size(most - limit)} between two counts: {told}"
    return f"The limit of {units.size(limit)} holds, with {units.size(limit - most) if most < limit else 'nothing'} to spare: {told}"


def _refused(evidence: Evidence) -> str:
    """How many allocations were refused to requests that went on, by pass and arm, over all processes; what warms up is counted with it."""
    passes: dict[str, dict[str, float]] = {"latency": defaultdict(float), "memory": defaultdict(float)}
    for trial in evidence.run.trials:
        counts = trial.pass_ == "latency" or (trial.pass_ == "memory" and trial.stratum == CYCLE)
        if trial.device == evidence.device and counts and (count := trial.values.get(OOMS)):
            passes[trial.pass_][trial.arm] += count
    told = [
        f"in the {name} pass {', '.join(f'{arm} {count:g}' for arm, count in arms.items())}"
        for name, arms in passes.items()
        if arms
    ]
    if not told:
        return ""
    return (
        f"Allocations were refused, and the requests went on ({'; '.join(told)}): a library that can do with less memory, as cuDNN can, "
        "takes another algorithm, and may keep to it in that process. Times and sound are those of so little memory."
    )


def _held(trial: Trial, at_start: float) -> float:
    """The most that the process of a trial of memory held, in bytes."""
    return trial.values.get(WHOLE) or (trial.values["peak_reserved"] or 0.0) + at_start
