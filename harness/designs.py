"""Which arms a design has, which share a block, and which pairs are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.optimizations import registry
from harness.results import Arm, ArmRole, State, setting
from harness.worker import arms

HOST_DOSE, DEVICE_DOSE, UNINSTRUMENTED = arms.HOST_DOSE, arms.DEVICE_DOSE, arms.UNINSTRUMENTED
PLACEBO, TWIN = "placebo", "twin"
CONTROLS = (PLACEBO, TWIN, HOST_DOSE, DEVICE_DOSE, UNINSTRUMENTED)
"""Names of the arms whose true effect is known. `uninstrumented` is the reference with nobody listening to its stages,
`twin` a second placebo, in design `controls` alone."""
EMPTY_CALL, EMPTY_TWIN = "empty_call", "empty_twin"
"""What stands for before and after where the place that is timed is an empty call; no arms of a request."""
CONFIRMATION = "confirmation"
"""The group of blocks in which a gate confirms a regression with fresh processes."""
DOSES = (HOST_DOSE, DEVICE_DOSE)
_ROLES: Mapping[str, ArmRole] = {
    PLACEBO: "placebo", TWIN: "placebo", HOST_DOSE: "dose", DEVICE_DOSE: "dose", UNINSTRUMENTED: "uninstrumented",
}  # fmt: skip


def control_name(arm: str, group: str) -> str:
    """What the control is called that an arm in a group of blocks is for: a placebo stands in each group."""
    return arm if group == "request" or arm != PLACEBO else f"{PLACEBO}_{group}"


Pair = tuple[str, str, str]
"""What is compared: (optimization, reference arm, arm)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle:
    """A toggle of the scenario and its states on the two sides.

    `further` are other after-states, each an arm of its own; in arms that turn on several toggles, `after` stands.
    """

    name: str
    before: State
    after: State
    further: tuple[State, ...] = ()

    @property
    def settings(self) -> tuple[tuple[str, State], ...]:
        """The after-states by name: the toggle's own name where there is but one."""
        if not self.further:
            return ((self.name, self.after),)
        return tuple((setting(self.name, state), state) for state in (self.after, *self.further))


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Arms in table order, the reference first, groups of arms that share a block, and the pairs to compare.

    `groups` maps an isolation to its arms: in group "settled" each timed request follows an untimed one of its own arm.
    """

    arms: tuple[Arm, ...]
    groups: Mapping[str, tuple[str, ...]]
    pairs: tuple[Pair, ...]
    reference: str


def design(name: str, toggles: Sequence[Toggle], *, device: str, instrumentation: bool = False) -> Design:
    """Lay out design `name` ("one_at_a_time", "leave_one_out" or "controls") for one device. Raises KeyError for another.

    With `instrumentation`, an arm is added that shows what the spans cost.
    """
    arms, pairs = {"one_at_a_time": _one_at_a_time, "leave_one_out": _leave_one_out, "controls": _controls}[name](
        toggles
    )
    controls = [PLACEBO, *(() if pairs else (TWIN,)), HOST_DOSE, *([DEVICE_DOSE] if device != "cpu" else ())]
    return _with_controls(arms, pairs, [*controls, *([UNINSTRUMENTED] if instrumentation else ())])


def _one_at_a_time(toggles: Sequence[Toggle]) -> tuple[list[Arm], list[Pair]]:
    none = {toggle.name: toggle.before for toggle in toggles}
    arms = [Arm(name="none", role="none", states=none)]
    arms += [
        Arm(name=name, role="toggle", toggle=toggle.name, states={**none, toggle.name: state})
        for toggle in toggles
        for name, state in toggle.settings
    ]
    pairs = [(arm.name, "none", arm.name) for arm in arms[1:]]
    if len(toggles) > 1:
        arms.append(Arm(name="all", role="all", states={toggle.name: toggle.after for toggle in toggles}))
        pairs.append(("all", "none", "all"))
    return arms, pairs


def _controls(toggles: Sequence[Toggle]) -> tuple[list[Arm], list[Pair]]:
    """The reference alone, beside its controls: nothing is compared, so that nothing ends a run before its budget."""
    return [Arm(name="none", role="none", states={toggle.name: toggle.before for toggle in toggles})], []


def _leave_one_out(toggles: Sequence[Toggle]) -> tuple[list[Arm], list[Pair]]:
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
    return arms, pairs


def _with_controls(arms: list[Arm], pairs: list[Pair], names: Sequence[str]) -> Design:
    reference = arms[0].name
    controls = [Arm(name=name, role=_ROLES[name], states=arms[0].states) for name in names]
    settled = _settled_arms(arms, pairs, reference)
    plain = [arm.name for arm in arms if arm.name not in settled or arm.name == reference]
    groups: dict[str, tuple[str, ...]] = {"request": (*plain, *names)}
    if settled:
        groups["settled"] = (*settled, PLACEBO)
    return Design(arms=(*arms, *controls), groups=groups, pairs=tuple(pairs), reference=reference)


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
