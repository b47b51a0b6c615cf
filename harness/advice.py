"""What to do next: the stages of an arm by what is still to gain, each with why, the evidence, and the toggle that helps.

The rules are the functions of `RULES`, asked in their order; the first that answers says why the stage takes so long. Each
answers from figures that were measured, and without them says nothing; nothing here is advised that the run cannot show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.optimizations import registry
from harness.results import Arm, Floor, Run

MATTERS = 0.05
"""A stage of which less than this share of the request is still to gain is passed over."""
BOUND = 0.4
"""A ceiling that asks for at least this share of a stage's time is what it is bound by."""
WAITS = 0.3
"""A device that waits for the host for this share of the time is waiting, not computing."""

Reason = Literal[
    "waits for the host", "bound by calls", "bound by memory", "bound by arithmetic", "far from every limit"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a profile counted of an arm on a device: launches a request, and the share in which the device waits."""

    launches: float
    waits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A stage with time to gain. `share` is that of the request; `toggles` are those of the registry at places of this
    stage that are not on in `arm`, `on` those that are.
    """

    device: str
    arm: str
    floor: Floor
    gain_s: float
    share: float
    reason: Reason
    seen: Seen | None
    toggles: tuple[str, ...]
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule may look at: the floor of a stage, and what a profile of its arm saw, if there is one."""

    floor: Floor
    seen: Seen | None


Rule = Callable[[Case], Reason | None]


def waits_for_the_host(case: Case) -> Reason | None:
    """A profile saw the device wait: fewer, larger launches (graphs, fusion) or less work on the host would fill it.

    It saw the whole request, so that a stage which keeps the device busy by itself is not where it waits.
    """
    floor = case.floor
    idle = case.seen is not None and case.seen.waits >= WAITS
    busy = max(floor.memory_s, floor.arithmetic_s) >= BOUND * floor.measured_s
    return "waits for the host" if idle and not busy else None


def bound_by_calls(case: Case) -> Reason | None:
    """The least cost of the operations is much of the time and more than the hardware's: asking for fewer is what helps."""
    floor = case.floor
    return "bound by calls" if floor.calls_s >= max(BOUND * floor.measured_s, floor.hardware_s) else None


def bound_by_memory(case: Case) -> Reason | None:
    """The bytes alone take much of the time: fewer bytes (a narrower precision, several requests at once) would help."""
    floor = case.floor
    moved = floor.memory_s >= max(BOUND * floor.measured_s, floor.arithmetic_s)
    return "bound by memory" if moved else None


def bound_by_arithmetic(case: Case) -> Reason | None:
    """The products alone take much of the time: a precision with a higher rate, or less to compute, would help."""
    return "bound by arithmetic" if case.floor.arithmetic_s >= BOUND * case.floor.measured_s else None


def far_from_every_limit(case: Case) -> Reason | None:
    """No ceiling explains the time: it goes into what is not declared, or into the code between operations."""
    return "far from every limit" if case.floor.floor_s < BOUND * case.floor.measured_s else None


RULES: Sequence[Rule] = (waits_for_the_host, bound_by_calls, bound_by_memory, bound_by_arithmetic, far_from_every_limit)

STAGES: Mapping[str, str] = {
    "frontend.device": "frontend", "frontend.resample": "frontend", "frontend.speaker": "frontend",
    "facade.device": "frontend", "text.patterns": "frontend", "engine.cleanup": "cleanup", "model.cuda_available": "cleanup",
}  # fmt: skip
"""The stage in which each site of a speech pipeline is asked."""


def advice(run: Run, device: str, seen: Mapping[str, Seen] | None = None) -> tuple[Advice, ...]:
    """What is still to gain on a device in the arm with everything on (where there is none, with nothing), most first.

    `seen` is what profiles counted, by arm. Nothing is advised of stages without a floor.
    """
    arm = _last_arm(run, device)
    if arm is None:
        return ()
    floors = [floor for floor in run.floors if (floor.device, floor.arm) == (device, arm.name)]
    whole_s = sum(floor.measured_s for floor in floors)
    found = [
        _advised(case, reason, arm, whole_s)
        for case in (Case(floor, (seen or {}).get(arm.name)) for floor in floors)
        if case.floor.measured_s - case.floor.floor_s >= MATTERS * whole_s and (reason := _reason(case)) is not None
    ]
    return tuple(sorted(found, key=lambda known: -known.gain_s))


def _last_arm(run: Run, device: str) -> Arm | None:
    measured = {floor.arm for floor in run.floors if floor.device == device}
    arms = {arm.role: arm for arm in run.plan.arms if arm.name in measured}
    return arms.get("all") or arms.get("none")


def _reason(case: Case) -> Reason | None:
    return next((reason for rule in RULES if (reason := rule(case)) is not None), None)


def _advised(case: Case, reason: Reason, arm: Arm, whole_s: float) -> Advice:
    floor = case.floor
    gain_s = floor.measured_s - floor.floor_s
    there = tuple(toggles_of(floor.stage))
    on = tuple(name for name in there if arm.states.get(name, False) is not False)
    return Advice(
        device=floor.device, arm=arm.name, floor=floor, gain_s=gain_s, share=gain_s / whole_s, reason=reason,
        seen=case.seen, on=on, toggles=tuple(name for name in there if name not in on and not _excluded(name, on)),
    )  # fmt: skip


def toggles_of(stage: str) -> Iterator[str]:
    """The toggles of the registry that change a place of a stage."""
    for name, toggle in sorted(registry().items()):
        if any(STAGES.get(site) == stage for site in toggle.sites):
            yield name


def _excluded(name: str, on: Sequence[str]) -> bool:
    """Whether a toggle cannot stand beside those that are on."""
    known = registry()
    return any(name in known[other].excludes or other in known[name].excludes for other in on)
