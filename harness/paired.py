"""Two callables in several workers that take turns, until the verdict on them is decided or the budget is spent.

Only one worker works at a time, each in every round, so that a drift of the machine falls upon all of them. A look
(`sequential.LOOKS`) judges by the rules of every run: an interval across workers, its part of the error, the margin, the controls.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Protocol

from harness import rules, sequential
from harness.batches import AFTER, ARMS, BEFORE, LARGEST_SAMPLE_S, SAMPLE_S, Turn
from harness.designs import HOST_DOSE, PLACEBO
from harness.evidence import Form, difference, log_ratio
from harness.results import Control, Verdict
from harness.statistics import Effect, joint_effects, ratio_of

TURN_S = 0.25
"""A turn takes about so long at most, or one block: workers alternate faster than machines drift."""


_SHORTEST_S = 1e-9
"""Nothing is taken to be shorter, so that a clock that stood still divides nothing by zero."""
_CONTROLS = (BEFORE, PLACEBO, HOST_DOSE)
"""What is still measured when the verdict is decided and a control has yet to pass."""


class Sampler(Protocol):
    """A worker as the loop sees it; `harness.batches.Batches` in a process of its own, or a simulation."""

    def warm_up(self) -> tuple[float, float]:
        """Seconds of a call of `before` and of `after`, both warm."""

    def turn(self, orders: Sequence[Sequence[str]], calls: int, dose_s: float) -> Turn:
        """Time a block for each of `orders`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """What was measured of two callables. Ratios are after / before; times are seconds of one call, medians over all blocks.

    `ratio_low` and `ratio_high` are None where there are too few workers for an interval; `level` allows for all looks.
    """

    verdict: Verdict
    reason: str
    margin: float
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    level: float
    before_s: float
    after_s: float
    calls: int
    blocks: int
    workers: int
    controls: tuple[Control, ...]
    budget_s: float
    spent_s: float

    @property
    def calibrated(self) -> bool:
        """Whether all controls passed."""
        return all(control.passed for control in self.controls)


def measure(samplers: Sequence[Sampler], *, margin: float, budget_s: float, seed: int = 0) -> Paired:
    """Measure until the verdict is decided and the controls have passed, or `budget_s` is spent.

    However small the budget, every worker makes a block. `margin` is a fraction; `seed` shuffles turns and arms.
    """
    paces = [sampler.warm_up() for sampler in samplers]
    loop = _Loop(samplers, paces, margin, budget_s, random.Random(seed))  # noqa: S311  not secrets
    return loop.run()


@dataclass(slots=True)
class _Loop:
    samplers: Sequence[Sampler]
    paces: Sequence[tuple[float, float]]
    margin: float
    budget_s: float
    dice: random.Random
    spent_s: float = 0.0
    turns: list[tuple[int, Turn]] = field(default_factory=list)
    calls: int = 1
    dose_s: float = 0.0
    block_s: float = 0.0

    def run(self) -> Paired:
        before_s, after_s = (median(pace) for pace in zip(*self.paces, strict=True))
        self.calls = batch(before_s, after_s)
        self.dose_s = rules.DOSE_IN_MARGINS * self.margin * before_s * self.calls
        self.block_s = max(_SHORTEST_S, self.calls * (3 * before_s + after_s) + self.dose_s)
        looks = sequential.shares_left(0.0, self.budget_s)
        decided: Paired | None = None
        while True:
            self._round(ARMS if decided is None else _CONTROLS, looks[0][1] - self.spent_s)
            due = [number for number, when_s in looks if when_s <= self.spent_s]
            if not due:
                continue
            looks = looks[len(due) :]
            seen = self._look(due[-1], decided)
            if not looks or (seen.verdict != "inconclusive" and seen.calibrated):
                return _if_calibrated(seen)
            decided = None if seen.verdict == "inconclusive" else seen

    def _round(self, arms: Sequence[str], left_s: float) -> None:
        """A turn of every worker, in random order."""
        turn_s = min(TURN_S, left_s / len(self.samplers))
        blocks = max(1, int(turn_s / self.block_s))
        for worker in self.dice.sample(range(len(self.samplers)), len(self.samplers)):
            orders = [self.dice.sample(arms, len(arms)) for _ in range(blocks)]
            turn = self.samplers[worker].turn(orders, self.calls, self.dose_s)
            self.turns.append((worker, turn))
            self.spent_s += turn.wall_s
            self.block_s = max(_SHORTEST_S, turn.wall_s / blocks)

    def _look(self, number: int, decided: Paired | None) -> Paired:
        """What may be said by all turns so far, by the part of the error of this look; controls by their full level.

        What was `decided` at an earlier look keeps the interval of that look.
        """
        controls = tuple(self._controls())
        if decided is not None:
            return replace(decided, controls=controls, spent_s=self.spent_s)
        level = 1 - rules.ERROR * sequential.part(number)
        effect, twin = (self._effect(AFTER, log_ratio, level, against=before) for before in (BEFORE, PLACEBO))
        low, high = effect.low, effect.high
        verdict, reason = (
            _no_verdict(effect)
            if low is None or high is None or twin.low is None or twin.high is None
            else rules.verdict(low, high, self.margin, rules.TIME, twin=(twin.low, twin.high))
        )
        before_s, after_s = (median(self._samples_s(arm)) / self.calls for arm in (BEFORE, AFTER))
        return Paired(
            verdict=verdict, reason=reason, margin=self.margin, ratio=ratio_of(effect.location),
            ratio_low=None if low is None else ratio_of(low), ratio_high=None if high is None else ratio_of(high),
            level=1 - rules.ERROR, before_s=before_s, after_s=after_s, calls=self.calls, blocks=effect.blocks,
            workers=effect.workers, controls=controls, budget_s=self.budget_s, spent_s=self.spent_s,
        )  # fmt: skip

    def _controls(self) -> Iterator[Control]:
        level = rules.control_level(len((PLACEBO, HOST_DOSE)))
        given_s = median(waited_s for _, turn in self.turns for waited_s in turn.doses_s)
        twin, delay = self._effect(PLACEBO, log_ratio, level), self._effect(HOST_DOSE, difference, level)
        yield _placebo(twin, self.margin)
        yield _dose(delay, given_s)

    def _effect(self, arm: str, form: Form, level: float, *, against: str = BEFORE) -> Effect:
        """The effect of an arm against `before`, or its twin, over workers."""
        pairs: dict[int, dict[str, list[float]]] = {}
        for worker, block in self._blocks():
            if arm in block:
                pairs.setdefault(worker, {"": []})[""].append(form(block[against], block[arm]))
        return joint_effects({arm: pairs}, {"": 1.0}, level=level)[arm]

    def _samples_s(self, arm: str) -> list[float]:
        return [block[arm] for _, block in self._blocks() if arm in block]

    def _blocks(self) -> Iterator[tuple[int, Mapping[str, float]]]:
        return ((worker, block) for worker, turn in self.turns for block in turn.blocks)


def batch(before_s: float, after_s: float) -> int:
    """How many calls a timed batch is: `SAMPLE_S` of the faster function, unless the slower one then takes too long."""
    wanted = math.ceil(SAMPLE_S / max(min(before_s, after_s), _SHORTEST_S))
    return max(1, min(wanted, int(LARGEST_SAMPLE_S / max(before_s, after_s, _SHORTEST_S))))


def _placebo(effect: Effect, margin: float) -> Control:
    low, high = effect.low, effect.high
    found = rules.Placebo(passed=False, reason=_no_verdict(effect)[1])
    if low is not None and high is not None:
        found = rules.placebo(low, high, margin)
    return Control(
        name=PLACEBO, device="cpu", metric="latency", unit="log-ratio", expected=0.0, low=low, high=high,
        level=effect.level, bound=margin / 2, passed=found.passed, reason=found.reason, allowance=found.allowance,
    )  # fmt: skip


def _dose(effect: Effect, given_s: float) -> Control:
    low, high = effect.low, effect.high
    passed, reason = (False, _no_verdict(effect)[1]) if low is None or high is None else rules.dose(low, high, given_s)
    return Control(
        name=HOST_DOSE, device="cpu", metric="latency", unit="s", expected=given_s, low=low, high=high,
        level=effect.level, bound=None, passed=passed, reason=reason,
    )  # fmt: skip


def _no_verdict(effect: Effect) -> tuple[Verdict, str]:
    return "inconclusive", f"no interval from {effect.workers} worker(s)"


def _if_calibrated(found: Paired) -> Paired:
    """What was found, with no verdict where a control failed."""
    failed = [control.reason for control in found.controls if not control.passed]
    return replace(found, verdict="inconclusive", reason=f"not calibrated: {'; '.join(failed)}") if failed else found
