"""Floors and advice of a device as rows of text: what each stage must take at least, which ceiling binds, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

from harness import units
from harness.advice import Advice, Seen, advice
from harness.profiles.index import Index
from harness.report.reading import Reading
from harness.report.words import mark, plural, say
from harness.results import Ceilings, Floor

NEAR = 1.5
"""Within this factor of its floor a stage is as good as it gets here."""
_BINDS = {"memory": mark("memory"), "arithmetic": mark("arithmetic"), "calls": mark("calls")}
_REASONS = {
    "waits for the host": mark("The device waits for the host."),
    "bound by calls": mark("Asking for its operations alone takes much of its time: fewer of them would help (fused operations, CUDA graphs)."),
    "bound by memory": mark("Moving its bytes alone takes much of its time: fewer bytes would help (a narrower precision, several requests at once)."),
    "bound by arithmetic": mark("Its products alone take much of its time: a precision with a higher rate would help, or less to compute."),
    "far from every limit": mark("No ceiling explains its time: it goes into what is not declared, or into the code between operations. A profile says which."),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRow:
    """A stage of an arm as text. `figures` are measured, floor, distance, and what memory, arithmetic and calls ask for."""

    arm: str
    stage: str
    figures: tuple[str, ...]
    binds: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorTable:
    """All floors of a device. `ceilings` say what they rest upon."""

    device: str
    head: tuple[str, ...]
    rows: tuple[FloorRow, ...]
    ceilings: tuple[tuple[str, str], ...]
    near: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRow:
    """One piece of advice: its lead, and sentences of evidence."""

    lead: str
    sentences: tuple[str, ...]


def limit(reading: Reading, device: str) -> float | None:
    """The least ratio of latency that the hardware allows: floors of all stages without anything on, over the latency.

    None where the floors are not of all kinds of request, which is what the effects are about, and where there are no
    samples of one, as in the list of runs. What no stage covers is given no time.
    """
    none = reading.arm_of("none")
    floors = [floor for floor in reading.run.floors if (floor.device, floor.arm) == (device, none)]
    strata = set(reading.run.plan.strata)
    if not floors or not strata or any(set(floor.strata) != strata for floor in floors):
        return None
    timed = [trial for trial in reading.timed(device) if trial.arm == none]
    samples = [
        [value for trial in timed if trial.stratum == kind and (value := trial.values.get("latency")) is not None]
        for kind in strata
    ]
    if not all(samples):
        return None
    ratio = sum(floor.hardware_s for floor in floors) / fmean(map(median, samples))
    return ratio if 0 < ratio < 1 else None


def table(reading: Reading, device: str) -> FloorTable | None:
    """Every stage that has a floor, of each arm; None where there is none."""
    floors = [floor for floor in reading.run.floors if floor.device == device]
    if not floors:
        return None
    known = next(known for known in reading.run.ceilings if known.device == device)
    head = tuple(map(say, ("Stage", "Measured", "Floor", "Distance", "Memory", "Arithmetic", "Calls", "Binds")))
    return FloorTable(device=device, head=head, rows=tuple(map(_row, floors)), ceilings=_ceilings(known),
                      near=_near(floors))  # fmt: skip


def _row(floor: Floor) -> FloorRow:
    note = ""
    if floor.not_counted:
        note = say("not counted: {parts}", parts=", ".join(floor.not_counted))
    return FloorRow(
        arm=floor.arm, stage=floor.stage, note=note, binds=say(_BINDS[floor.binds]) if floor.floor_s > 0 else "–",
        figures=(
            units.seconds(floor.measured_s, 3), units.seconds(floor.floor_s, 3), distance(floor),
            units.seconds(floor.memory_s, 3), units.seconds(floor.arithmetic_s, 3), units.seconds(floor.calls_s, 3),
        ),
    )  # fmt: skip


def distance(floor: Floor) -> str:
    """How many times its floor a stage takes."""
    return f"{units.significant(floor.measured_s / floor.floor_s, 3)} ×" if floor.floor_s > 0 else "–"


def _near(floors: list[Floor]) -> str:
    found = [f"{floor.stage} ({floor.arm})" for floor in floors if 0 < floor.measured_s <= NEAR * floor.floor_s]
    return say("Within {factor} of the floor: {stages}.", factor=NEAR, stages=", ".join(found)) if found else ""


def _ceilings(known: Ceilings) -> tuple[tuple[str, str], ...]:
    largest = max(known.bandwidths, key=lambda block: block.block_bytes)
    rows = [
        (say("Copying, blocks of {size}", size=units.size(largest.block_bytes)), units.scaled(largest.copy.best, "B/s")),
        *((say("Products of matrices, {precision}", precision=name), units.scaled(rate.best, "FLOP/s"))
          for name, rate in known.rates.items()),
        (say("One operation of PyTorch on the host"), units.seconds(known.call.best, 3)),
    ]  # fmt: skip
    if known.launch is not None:
        rows.append((say("One small kernel"), units.seconds(known.launch.best, 3)))
    return tuple(rows)


def advised(reading: Reading, device: str, profiles: Index | None) -> tuple[AdviceRow, ...]:
    """What to do next on a device, the most to gain first; `profiles` are those beside the run."""
    return tuple(map(_told, advice(reading.run, device, seen(profiles, device))))


def seen(profiles: Index | None, device: str) -> Mapping[str, Seen]:
    """What torch.profiler counted on a device, by arm; nothing where there was no device to look at."""
    found = () if profiles is None else profiles.profiles
    return {
        known.arm: Seen(launches=known.launches, waits=known.waits)
        for known in found
        if known.device == device and known.launches is not None and known.waits is not None
    }


def _told(known: Advice) -> AdviceRow:
    floor = known.floor
    lead = say("{stage}: {gain} a request to gain, {share} of the time of all stages", stage=floor.stage,
               gain=units.seconds(known.gain_s, 3), share=units.percent(known.share))  # fmt: skip
    evidence = [
        say(_REASONS[known.reason]),
        say("With {arm}, it takes {measured}; its floor is {floor}.", arm=known.arm,
            measured=units.seconds(floor.measured_s, 3), floor=units.seconds(floor.floor_s, 3)),
        say("It asks for {count} operations a request.", count=units.count(floor.operations)),
    ]  # fmt: skip
    if known.seen is not None:
        evidence.append(say("A profile of the whole request counted {launches} launches; while it was traced, the device waited for the host for {waits} of the time.",
                            launches=units.count(known.seen.launches), waits=units.percent(known.seen.waits)))  # fmt: skip
    return AdviceRow(lead=lead, sentences=(*evidence, _toggles(known)))


def _toggles(known: Advice) -> str:
    if known.toggles:
        return plural(len(known.toggles), "A toggle that acts here and is not on: {names}.",
                      "Toggles that act here and are not on: {names}.", names=", ".join(known.toggles))  # fmt: skip
    if known.on:
        return say("The toggles that act here are on already: {names}.", names=", ".join(known.on))
    return say("No toggle of the registry acts here.")
