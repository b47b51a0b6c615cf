"""What designs are made of: toggles, the names of controls, and the design itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from harness.results import Arm
from harness.toggling import State, setting
from harness.worker import arms as worker_arms

HOST_DOSE, HEAD_DOSE, DEVICE_DOSE = worker_arms.HOST_DOSE, worker_arms.HEAD_DOSE, worker_arms.DEVICE_DOSE
UNINSTRUMENTED, SPANS_REPEATED = worker_arms.UNINSTRUMENTED, worker_arms.SPANS_REPEATED
INSTRUMENTATION = (UNINSTRUMENTED, SPANS_REPEATED)
"""Arms that show what the spans cost."""
PLACEBO, TWIN = "placebo", "twin"
CONTROLS = (PLACEBO, TWIN, HOST_DOSE, DEVICE_DOSE, *INSTRUMENTATION)
"""Names of the arms whose true effect is known. `uninstrumented` is the reference with nobody listening to its stages,
`spans_repeated` with each listened to many times, `twin` a second placebo, in design `controls` alone."""
EMPTY_CALL, EMPTY_TWIN = "empty_call", "empty_twin"
"""What stands for before and after where the place that is timed is an empty call; no arms of a request."""
CONFIRMATION = "confirmation"
"""The group of blocks in which a gate confirms a regression with fresh processes."""
JOINT = "joint"
"""The group of blocks of arms that are of use only together, where none of them leaves a mark."""
PROCESS = "process"
"""The group of blocks of arms that each take a process of their own, because a toggle changes all of it."""
CONTROLS_SHARE = 0.1
"""Share of the requests beside a joint design that a group of controls alone may have."""
CONTROLS_LEAST = 3
"""Blocks that such a group has for each of the joint design's at least, whatever their share: what a design of few arms lacks is
seldom blocks of its own."""
DOSES = (HOST_DOSE, DEVICE_DOSE)


def times_device(device: str, at_once: Collection[int]) -> bool:
    """Whether a device's own times are taken: of a card, where requests are made alone; `at_once` are how many are made at the same moment
    (none in older runs, which made them alone).
    """
    return device != "cpu" and (not at_once or 1 in at_once)


def control_name(arm: str, group: str) -> str:
    """What the control is called that an arm in a group of blocks is for: a placebo stands in each group."""
    return arm if group == "request" or arm != PLACEBO else f"{PLACEBO}_{group}"


Pair = tuple[str, str, str]
"""What is compared: (optimization, reference arm, arm)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle:
    """A toggle of the scenario and its states on the two sides.

    `further` are other after-states (levels), each an arm of its own; in arms that turn on several toggles, `after` stands.
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

    `groups` maps an isolation to its arms: in group "settled" each timed request follows an untimed one of its own arm. An
    arm that is in no group is examined, and its memory measured, but it is not timed. `joint` are the arms that are only
    of use together: all of them are in one group, and none drops out of its blocks. `orders` are those in which toggles
    are turned on one after the other, of a design that samples them.
    """

    arms: tuple[Arm, ...]
    groups: Mapping[str, tuple[str, ...]]
    pairs: tuple[Pair, ...]
    reference: str
    joint: tuple[str, ...] = ()
    orders: tuple[tuple[str, ...], ...] = ()

    def requests_of_block(self, group: str) -> int:
        """Requests in one block: in group "settled" there is an untimed one before each timed one."""
        return len(self.groups[group]) * (2 if group == "settled" else 1)

    def blocks_of_round(self, group: str) -> int:
        """How many blocks a group has for one of the others: of controls alone, beside a joint design, several.

        Its few arms have one pair each, where a figure of the joint design has many, and take little of the time.
        """
        if not self.joint or set(self.joint) <= set(self.groups[group]):
            return 1
        once = sum(map(self.requests_of_block, self.groups))
        return max(CONTROLS_LEAST, round(CONTROLS_SHARE * once / len(self.groups[group])))

    @property
    def of_process(self) -> tuple[Pair, ...]:
        """The pairs that are compared between processes."""
        arms = self.groups.get(PROCESS, ())
        return tuple(pair for pair in self.pairs if PROCESS in self.groups and {pair[1], pair[2]} <= set(arms))

    @property
    def requests_of_round(self) -> int:
        """Requests in the blocks of all groups, each as often as it comes."""
        return sum(self.blocks_of_round(group) * self.requests_of_block(group) for group in self.groups)

    @property
    def sharing(self) -> frozenset[str]:
        """The arms that are timed in processes that they share."""
        return frozenset(arm for name, arms in self.groups.items() if name != PROCESS for arm in arms)

    @property
    def timed(self) -> frozenset[str]:
        """The arms that are in some group."""
        return frozenset(arm for arms in self.groups.values() for arm in arms)
