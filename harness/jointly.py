"""The arms of a design that are of use only together: which toggles are on in each, and what they were measured as."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness import effects
from harness.designs import CONTROLS
from harness.evidence import Evidence, Table
from harness.fraction import On
from harness.metrics import METRICS, metric
from harness.results import NOTHING, TOGETHER, Arm
from harness.rules import ERROR
from harness.states import other_work
from harness.statistics import Effect

SHARED = "shared"
"""The group of readings of memory that were taken of all arms in one process."""
CONTROLS_GROUP = "request"
"""The group in which the controls of a joint design are measured most."""
_SHOWN = 3
"""So many of the arms that may not be compared are named."""


class JointArms:
    """The arms of one device, the one with nothing on first; `toggles` in the order of the scenario."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.device = evidence.device
        self.design = str(evidence.run.scenario.get("design", ""))
        arms = _arms(evidence, self.design)
        self.names = [arm.name for arm in arms]
        self.toggles = list(arms[0].states) if arms else []
        self.on: On = np.array(
            [[arm.states[toggle] != arms[0].states[toggle] for toggle in self.toggles] for arm in arms], dtype=np.bool_
        )
        self._estimates: dict[str, Estimates | None] = {}

    def __bool__(self) -> bool:
        """Whether the design is one of these."""
        return bool(self.names)

    @property
    def is_orthogonal(self) -> bool:
        """Whether main effects and interactions are contrasts of all arms."""
        return self.design in ("factorial", "fractional")

    @property
    def looked_at(self) -> Sequence[str]:
        """What may have been decided before the end, by the names of contrasts: the arms of a ladder drop out, those of a joint
        design do not. An interval that is read when the data said so has the part of the error that this look has.
        """
        return self.toggles if self.design == "ladder" else [""]

    @cached_property
    def group(self) -> str:
        """The group of blocks that all arms share."""
        return self.evidence.group_of(NOTHING, TOGETHER)

    @cached_property
    def refused(self) -> str:
        """Why nothing can be attributed: arms that failed, whose output changed, or that were never measured, because the target
        cannot take their toggle; "" where all may be compared.
        """
        told = [f"{arm} ({why})" for arm in self.names if (why := self._why_not(arm))]
        more = f", and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        return "; ".join(told[:_SHOWN]) + more

    def _why_not(self, arm: str) -> str:
        evidence = self.evidence
        toggles = {known.name: known.toggle for known in evidence.run.plan.arms}
        missing = evidence.run.plan.refused(self.device).get(toggles.get(arm) or "")
        changed = "output changed" if _is_changed(evidence, arm) else ""
        return evidence.failure(arm) or changed or (f"not applicable: {missing}" if missing else "")

    def metrics(self) -> list[str]:
        """The metrics of which all arms were measured: of the latency pass, and peak allocated where it is exact.

        Two processes that agree by chance on the peak of several requests at once would be a point.
        """
        return [
            name
            for name in self.evidence.metric_names
            if name in METRICS and (metric(name).pass_ == "latency" or name in self.evidence.exact)
        ]

    def estimates(self, name: str) -> Estimates | None:
        """What was measured in a metric (also in that of a stage); None where no worker measured all arms."""
        if name not in self._estimates:
            group = SHARED if metric(name).is_memory else self.group
            table = self.evidence.locations(name, self.names, group)
            self._estimates[name] = None if table is None else Estimates(self, table)
        return self._estimates[name]

    def effect_of(self, name: str, toggle: str, level: float) -> Effect | None:
        """What stands for the effect of a toggle whose arm was not timed: its main effect, or its share in sampled orders."""
        found = self.estimates(name)
        if found is None or toggle not in self.toggles:
            return None
        place, error = self.toggles.index(toggle), (1 - level) * len(self.toggles)
        return (found.mains(error) if self.is_orthogonal else found.shares(error))[place]

    def sides(self, toggle: str) -> tuple[list[str], list[str]]:
        """The arms with the toggle off, and those with it on."""
        column = self.on[:, self.toggles.index(toggle)]
        off = [name for name, is_on in zip(self.names, column, strict=True) if not is_on]
        return off, [name for name in self.names if name not in off]


class Estimates:
    """A table of all arms in one metric, and the effects in it."""

    def __init__(self, arms: JointArms, table: Table) -> None:
        self.arms = arms
        self.table = table
        self.error = ERROR * min(map(arms.evidence.part_of_error, arms.looked_at))

    @property
    def means(self) -> NDArray[np.float64]:
        """The mean log-ratio of each arm to the one with nothing on."""
        return np.asarray(self.table.log_ratios.mean(axis=0))

    def of(self, weights: effects.Weights, error: float | None = None) -> list[Effect]:
        """The effects with these weights, whose intervals hold together at `error`."""
        error = self.error if error is None else error
        return effects.estimate(self.table.log_ratios, weights, blocks=self.table.blocks, error=error)

    def mains(self, error: float | None = None) -> list[Effect]:
        """Main effects of the toggles; none where the design does not have them."""
        return self.of(effects.main_effects(self.arms.on), error) if self.arms.is_orthogonal else []

    def interactions(self) -> list[Effect]:
        """Interactions of all pairs; none where the design does not have them.

        In a fraction aliases have one figure, and count once among the intervals that hold together.
        """
        if not self.arms.is_orthogonal:
            return []
        weights = effects.interactions(self.arms.on)
        distinct = len({row.tobytes() for row in weights})
        return self.of(weights, self.error * len(weights) / distinct)

    def shares(self, error: float | None = None) -> list[Effect]:
        """Shares of the toggles in the whole change; none in a ladder, whose one order is not fair to any of them."""
        on, table = self.arms.on, self.table
        match self.arms.design:
            case "factorial":
                return self.of(effects.shapley(on), error)
            case "fractional":
                return self.of(effects.shares_without_triples(on), error)
            case "permutations":
                places = {toggle: place for place, toggle in enumerate(self.arms.toggles)}
                orders = [[places[toggle] for toggle in order] for order in self.arms.evidence.run.plan.orders]
                by_order = effects.of_orders(on, orders)
                error = self.error if error is None else error
                return effects.estimate_of_orders(table.log_ratios, by_order, blocks=table.blocks, error=error)
            case _:
                return []


def _arms(evidence: Evidence, design: str) -> Sequence[Arm]:
    plan = evidence.run.plan
    if plan.joint:
        return [evidence.arms[name] for name in plan.joint]
    return [arm for arm in plan.arms if arm.name not in CONTROLS] if design == "ladder" else []


def _is_changed(evidence: Evidence, arm: str) -> bool:
    refused = any(not item.accepted for item in evidence.equivalences(arm))
    return refused or bool(arm != evidence.reference and other_work(evidence, evidence.reference, arm))
