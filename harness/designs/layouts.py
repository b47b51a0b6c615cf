"""Lay a design out: its arms, the pairs to compare, and the groups of arms that share a block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.designs import joint
from harness.designs.parts import (
    DEVICE_DOSE,
    HOST_DOSE,
    INSTRUMENTATION,
    JOINT,
    PLACEBO,
    PROCESS,
    TWIN,
    Design,
    Pair,
    Toggle,
)
from harness.optimizations import registry
from harness.optimizations.process import process_states
from harness.results import Arm, ArmRole

_ROLES: Mapping[str, ArmRole] = {
    PLACEBO: "placebo", TWIN: "placebo", HOST_DOSE: "dose", DEVICE_DOSE: "dose",
    **dict.fromkeys(INSTRUMENTATION, "instrumentation"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Arms that are timed and pairs; `together` says that all of them share a block, `joint` that none may drop out of it.

    `aside` are arms that are not timed.
    """

    arms: Sequence[Arm]
    pairs: Sequence[Pair]
    together: bool = False
    joint: bool = False
    aside: Sequence[Arm] = ()
    orders: tuple[tuple[str, ...], ...] = ()


def design(name: str, toggles: Sequence[Toggle], *, device_dose: bool = False, instrumentation: bool = False) -> Design:
    """Lay out design `name` (a key of `LAYOUTS`) for one device. Raises KeyError for another.

    With `device_dose`, the control is added that is done on a card, and vouches for its times; with `instrumentation`, the arms that
    show what the spans cost.
    """
    layout = LAYOUTS[name](toggles)
    controls = [PLACEBO, *(() if layout.pairs else (TWIN,)), HOST_DOSE, *([DEVICE_DOSE] if device_dose else ())]
    return _with_controls(layout, [*controls, *(INSTRUMENTATION if instrumentation else ())])


def _one_at_a_time(toggles: Sequence[Toggle]) -> _Layout:
    levels = _levels(toggles)
    if len(toggles) == 1:
        return levels
    every = Arm(name="all", role="all", states={toggle.name: toggle.after for toggle in toggles})
    return _Layout(arms=[*levels.arms, every], pairs=[*levels.pairs, ("all", "none", "all")])


def _levels(toggles: Sequence[Toggle]) -> _Layout:
    """Every after-state of every toggle alone, against none: of a single toggle, its levels."""
    none = {toggle.name: toggle.before for toggle in toggles}
    arms = [Arm(name="none", role="none", states=none)]
    arms += [
        Arm(name=name, role="toggle", toggle=toggle.name, states={**none, toggle.name: state})
        for toggle in toggles
        for name, state in toggle.settings
    ]
    return _Layout(arms=arms, pairs=[(arm.name, "none", arm.name) for arm in arms[1:]])


def _controls(toggles: Sequence[Toggle]) -> _Layout:
    """The reference alone, beside its controls: nothing is compared, so that nothing ends a run before its budget."""
    none = Arm(name="none", role="none", states={toggle.name: toggle.before for toggle in toggles})
    return _Layout(arms=[none], pairs=[])


def _leave_one_out(toggles: Sequence[Toggle]) -> _Layout:
    every = {toggle.name: toggle.after for toggle in toggles}
    arms = [Arm(name="all", role="all", states=every)]
    arms += [
        Arm(name=f"all-but-{toggle.name}", role="toggle", toggle=toggle.name,
            states={**every, toggle.name: toggle.before})
        for toggle in toggles
    ]  # fmt: skip
    pairs = []
    for toggle in toggles:
        (first, _), *others = toggle.settings
        pairs.append((first, f"all-but-{toggle.name}", "all"))
        for name, state in others:
            arms.append(Arm(name=f"all-with-{name}", role="toggle", toggle=toggle.name,
                            states={**every, toggle.name: state}))  # fmt: skip
            pairs.append((name, f"all-but-{toggle.name}", f"all-with-{name}"))
    return _Layout(arms=arms, pairs=pairs)


def _ladder(toggles: Sequence[Toggle]) -> _Layout:
    """None, then one toggle more in each arm, in the order given; each arm is compared with the one before it."""
    names = [toggle.name for toggle in toggles]
    arms = [joint.arm_of(names[:length], toggles) for length in range(len(names) + 1)]
    pairs = [(name, arms[place].name, arms[place + 1].name) for place, name in enumerate(names)]
    return _Layout(arms=arms, pairs=[*pairs, ("all", "none", "all")], together=True)


def _factorial(toggles: Sequence[Toggle]) -> _Layout:
    arms = joint.factorial(toggles)
    return _Layout(arms=arms, pairs=list(joint.pairs_from_none(toggles)), together=True, joint=True)


def _fractional(toggles: Sequence[Toggle]) -> _Layout:
    """A fraction of the factorial. No two of its arms differ in one toggle alone: arms of one toggle stand aside."""
    arms = joint.fractional(toggles)
    return _Layout(
        arms=arms, pairs=list(joint.pairs_from_none(toggles)), together=True, joint=True,
        aside=joint.singles(toggles, arms),
    )  # fmt: skip


def _permutations(toggles: Sequence[Toggle]) -> _Layout:
    arms, orders = joint.permuted(toggles)
    return _Layout(
        arms=arms, pairs=list(joint.pairs_from_none(toggles)), together=True, joint=True,
        aside=joint.singles(toggles, arms), orders=orders,
    )  # fmt: skip


LAYOUTS: Mapping[str, Callable[[Sequence[Toggle]], _Layout]] = {
    "one_at_a_time": _one_at_a_time, "leave_one_out": _leave_one_out, "levels": _levels, "ladder": _ladder,
    "factorial": _factorial, "fractional": _fractional, "permutations": _permutations, "controls": _controls,
}  # fmt: skip


def _with_controls(layout: _Layout, names: Sequence[str]) -> Design:
    arms, reference = list(layout.arms), layout.arms[0]
    controls = [Arm(name=name, role=_ROLES[name], states=reference.states) for name in names]
    apart_by_process = _apart_by_process(arms, together=layout.together)
    within = [arm for arm in arms if arm.name not in apart_by_process]
    pairs = [pair for pair in layout.pairs if {pair[1], pair[2]} <= {arm.name for arm in within}]
    settled = _settled_together(within) if layout.together else _settled_arms(within, pairs, reference.name)
    apart = settled or ([arm.name for arm in arms] if layout.joint else [])
    plain = [arm.name for arm in within if arm.name not in apart or arm is reference]
    groups: dict[str, tuple[str, ...]] = {"request": (*plain, *names)}
    if apart:
        groups["settled" if settled else JOINT] = (*apart, PLACEBO)
    if apart_by_process:
        groups[PROCESS] = (reference.name, *apart_by_process, PLACEBO)
    return Design(
        arms=(*arms, *layout.aside, *controls), groups=groups, pairs=tuple(layout.pairs), reference=reference.name,
        joint=tuple(arm.name for arm in arms) if layout.joint else (), orders=layout.orders,
    )  # fmt: skip


def _apart_by_process(arms: Sequence[Arm], *, together: bool) -> list[str]:
    """Arms that take a process of their own: those whose toggles start it otherwise than the reference's; of arms that share
    their blocks all, where one of them does.
    """
    reference = arms[0]
    others = [arm.name for arm in arms[1:] if process_states(arm.states) != process_states(reference.states)]
    return [arm.name for arm in arms[1:]] if together and others else others


def _settled_together(arms: Sequence[Arm]) -> list[str]:
    """All arms where any toggle leaves a mark, because they share a block; none where none does."""
    known = registry()
    marks = any(
        known[toggle].isolation == "settled" and arms[0].states[toggle] != state
        for arm in arms
        for toggle, state in arm.states.items()
    )
    return [arm.name for arm in arms] if marks else []


def _settled_arms(arms: Sequence[Arm], pairs: Sequence[Pair], reference: str) -> list[str]:
    """Arms that must be settled: both sides of each pair in which a toggle that leaves a mark changes its state."""
    known = registry()
    states = {arm.name: arm.states for arm in arms}
    settled = {
        arm
        for _, before, after in pairs
        for arm in (before, after)
        if any(
            known[toggle].isolation == "settled" and states[before][toggle] != states[after][toggle]
            for toggle in states[before]
        )
    }
    return [arm.name for arm in arms if arm.name in settled or (settled and arm.name == reference)]
