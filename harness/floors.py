"""How long each stage must take at least on this machine, beside how long it took: ceilings and declared work together.

A floor is a lower bound under assumptions that docs/limits.md names: parameters, state and data cross the memory once a
call at the fastest rate seen for so large a working set; products run at the best rate seen for their precision; and the
host asks for as many operations as it does now, each at the least cost seen. What is not declared takes no time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Literal

from harness.optimizations.process import process_states
from harness.results import Ceilings, Floor, PartWork, Run, StageWork, Trial

SHORTENED = "tf32"
"""In which precision a GPU may compute convolutions of float32 unless it is told not to."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds that each ceiling asks for; `hardware_s` is the least that memory and arithmetic allow, part by part."""

    memory_s: float
    arithmetic_s: float
    calls_s: float
    hardware_s: float

    @property
    def floor_s(self) -> float:
        return max(self.hardware_s, self.calls_s)

    @property
    def binds(self) -> Literal["memory", "arithmetic", "calls"]:
        if self.calls_s >= self.hardware_s:
            return "calls"
        return "memory" if self.memory_s >= self.arithmetic_s else "arithmetic"


def floors(run: Run, device: str) -> Iterator[Floor]:
    """The floors of the stages of a device, by arm; none where its ceilings or the work of its model are not known, nor of an arm that starts its
    process otherwise than the reference does.
    """
    ceilings = {known.device: known for known in run.ceilings}
    if device not in ceilings:
        return
    found: dict[tuple[str, str], list[StageWork]] = defaultdict(list)
    apart = _started_otherwise(run)
    for work in run.work:
        if work.device == device and work.arm not in apart:
            found[work.arm, work.stage].append(work)
    times = _Times(run, device)
    shortened = bool(run.environment.get("devices", {}).get(device, {}).get("tf32_matmul"))
    for (arm, stage), works in found.items():
        taken = {work.stratum: seconds for work in works if (seconds := times.of(arm, stage, work.stratum)) is not None}
        if taken:
            known = [work for work in works if work.stratum in taken]
            each = [terms(work, ceilings[device], ceilings.get("cpu"), shortened=shortened) for work in known]
            if device != "cpu":
                each = [hidden(part, taken[work.stratum]) for work, part in zip(known, each, strict=True)]
            yield _floor(known, taken, each, ceilings)


def _started_otherwise(run: Run) -> frozenset[str]:
    """The arms of whose processes it is not known what the machine is like: it is known of the reference's."""
    states = {arm.name: process_states(arm.states) for arm in run.plan.arms}
    usual = next(iter(states.values()), {})
    return frozenset(name for name, own in states.items() if own != usual)


def _floor(
    works: Sequence[StageWork], taken_s: Mapping[str, float], each: Sequence[Terms], ceilings: Mapping[str, Ceilings]
) -> Floor:
    first = works[0]
    mean = Terms(*(fmean(getattr(found, name) for found in each)
                   for name in ("memory_s", "arithmetic_s", "calls_s", "hardware_s")))  # fmt: skip
    parts = {part.part: part for work in works for part in work.parts}
    left_out = tuple(
        name for name, part in parts.items() if _ceilings_of(part, ceilings[first.device], ceilings.get("cpu")) is None
    )
    return Floor(
        device=first.device, arm=first.arm, stage=first.stage, strata=tuple(dict.fromkeys(work.stratum for work in works)),
        measured_s=fmean(taken_s[work.stratum] for work in works), floor_s=fmean(found.floor_s for found in each),
        hardware_s=mean.hardware_s, memory_s=mean.memory_s, arithmetic_s=mean.arithmetic_s, calls_s=mean.calls_s,
        operations=fmean(work.operations for work in works), binds=mean.binds, not_counted=left_out,
    )  # fmt: skip


def terms(work: StageWork, here: Ceilings, host: Ceilings | None, *, shortened: bool = False) -> Terms:
    """What the ceilings ask for a stage in one request. A part whose ceilings are not known asks for nothing.

    `shortened` is whether PyTorch was allowed tf32 in products of float32.
    """
    memory_s = arithmetic_s = hardware_s = 0.0
    for part in work.parts:
        ceilings = _ceilings_of(part, here, host)
        if ceilings is not None:
            moved, computed = memory(part, ceilings), arithmetic(part, ceilings, shortened=shortened)
            memory_s, arithmetic_s, hardware_s = (
                memory_s + moved,
                arithmetic_s + computed,
                hardware_s + max(moved, computed),
            )
    return Terms(memory_s, arithmetic_s, work.operations * here.call.best, hardware_s)


def hidden(each: Terms, taken_s: float) -> Terms:
    """The terms without calls that cannot have taken a GPU's time: they were asked for while it was busy with what came before."""
    return replace(each, calls_s=0.0) if each.calls_s > taken_s else each


def _ceilings_of(part: PartWork, here: Ceilings, host: Ceilings | None) -> Ceilings | None:
    """Those of where the part runs, if they are known and have its precision."""
    found = host if part.on_host else here
    return found if found is not None and part.precision in found.rates else None


def memory(part: PartWork, ceilings: Ceilings) -> float:
    """Seconds to move a part's bytes once. A working set that fits into a cache may be read as fast as that cache is."""
    moved = part.parameter_bytes + part.state_bytes + part.data_bytes
    return moved / bandwidth(ceilings, part.working_bytes)


def bandwidth(ceilings: Ceilings, working_bytes: float) -> float:
    """Bytes a second that a working set may come at: the fastest seen with blocks of its size or larger.

    The largest measured block that is no larger than the set counts as its size, so that the rate is none too low.
    """
    blocks = sorted(ceilings.bandwidths, key=lambda known: known.block_bytes)
    smaller = [known.block_bytes for known in blocks if known.block_bytes <= working_bytes]
    least = smaller[-1] if smaller else blocks[0].block_bytes
    return max(max(known.copy.best, known.read.best) for known in blocks if known.block_bytes >= least)


def arithmetic(part: PartWork, ceilings: Ceilings, *, shortened: bool = False) -> float:
    """Seconds to compute a part's products. Convolutions of float32 may be tf32 where there is such a rate, and with `shortened`
    products of matrices as well.
    """
    rate = ceilings.rates[part.precision].best
    tf32 = ceilings.rates.get(SHORTENED) if part.precision == "float32" else None
    fast = rate if tf32 is None else max(rate, tf32.best)
    return part.matrix / (fast if shortened else rate) + part.convolution / fast


class _Times:
    """How long stages took in timed requests: on a GPU by events, else by the host's clock."""

    def __init__(self, run: Run, device: str) -> None:
        self._trials: dict[tuple[str, str], list[Trial]] = defaultdict(list)
        for trial in run.trials:
            if (trial.device, trial.pass_, trial.phase, trial.kind) == (device, "latency", "timed", "request"):
                self._trials[trial.arm, trial.stratum].append(trial)

    def of(self, arm: str, stage: str, stratum: str) -> float | None:
        """The median, in seconds; None where the stage was not timed in such requests."""
        for metric in (f"device.{stage}", f"stage.{stage}"):
            found = [value for trial in self._trials[arm, stratum] if (value := trial.values.get(metric)) is not None]
            if found:
                return median(found)
        return None
