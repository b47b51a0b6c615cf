"""How often what a joint design says is wrong, by simulation: `python -m tests.simulated_attribution` prints the tables.

Each simulated run has workers that measure every arm of a design in blocks. A worker differs from the next by a little in each arm, and each request by more. The figures are made as those of a run are: in each
worker the location of each arm's log-ratios to the arm with nothing on (`statistics.worker_locations`), then `effects`. Counted are runs in which any interval of a
family missed the truth, and claims that are false.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from harness import effects, fraction, rules, sequential
from harness.designs import Toggle
from harness.designs.joint import permuted
from harness.fraction import On
from harness.rules import ERROR
from harness.statistics import Effect, worker_locations

RUNS = 2000
WORKERS, BLOCKS = 8, 6
BETWEEN, WITHIN = 0.0025, 0.01
"""Standard deviations of an arm's log time: between workers, and between requests of one."""
MARGIN = 0.01
COUNT = 6
ROUNDING = 1e-12

Cost = Callable[[NDArray[np.bool_]], float]
"""The log-ratio of a request to one with nothing on, by which toggles are on."""
ALONE = np.log1p([-0.2, -0.1, -0.05, -0.02, 0.0, 0.03])


def pair(change: float) -> Cost:
    """Each toggle changes its part of the time; the first two together `change` of it more: as the fake adapter plants it."""
    return lambda on: float(on @ ALONE) + math.log1p(change) * float(on[0] and on[1])


def sign_changing(on: NDArray[np.bool_]) -> float:
    """The second saves 10 % alone, and costs 10 % where the first is on; the third and the fourth give more together."""
    extra = math.log(1.1 / 0.9) * float(on[0] and on[1]) - 0.04 * float(on[2] and on[3])
    return float(on @ ALONE) + extra


def seconds(on: NDArray[np.bool_]) -> float:
    """Each removes seconds of its own, so that log-ratios are not quite sums: toggles interact, also by threes."""
    return math.log(1 + float(on @ np.expm1(ALONE)))


def either(on: NDArray[np.bool_]) -> float:
    """The first two remove the same 0.2 s of 1 s, so that either is enough; so do the third and the fourth, of 0.1 s."""
    return math.log(1 - 0.2 * float(on[0] or on[1]) - 0.1 * float(on[2] or on[3]) - 0.05 * float(on[4]))


def three(on: NDArray[np.bool_]) -> float:
    """Three toggles save 20 % together and nothing by twos: what a fraction assumes is not so."""
    return math.log1p(-0.2) * float(on[0] and on[2] and on[3]) + 0.05 * float(on[1])


COSTS: dict[str, Cost] = {
    "nothing": lambda on: 0.0 * float(on[0]),
    "independent": pair(0.0),
    "sub-additive": pair(0.15),
    "super-additive": pair(-0.15),
    "sign-changing": sign_changing,
    "seconds of their own": seconds,
    "the same seconds": either,
    "three together": three,
    "on the margin": lambda on: math.log1p(MARGIN) * float(on.sum()),
}
BY_THREES = ("seconds of their own", "the same seconds", "three together")
"""Costs in which three toggles interact, on the scale of ratios: the fraction assumes that there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A design as numbers: which toggles are on in which arm, and in sampled orders the orders."""

    name: str
    on: On
    orders: tuple[tuple[int, ...], ...] = ()

    def shares(self, table: NDArray[np.float64]) -> list[Effect]:
        """The shares that the design gives."""
        if self.orders:
            return effects.estimate_of_orders(table, effects.of_orders(self.on, self.orders), blocks=BLOCKS)
        weights = effects.shapley(self.on) if len(self.on) == 2**COUNT else effects.shares_without_triples(self.on)
        return effects.estimate(table, weights, blocks=BLOCKS)


def layouts() -> list[Layout]:
    """The three joint designs of six toggles."""
    toggles = [Toggle(name=f"t{number}", before=False, after=True) for number in range(COUNT)]
    arms, orders = permuted(toggles)
    places = {toggle.name: place for place, toggle in enumerate(toggles)}
    sampled = np.array([[arm.states[toggle.name] is True for toggle in toggles] for arm in arms])
    whole = np.array(sorted(product((False, True), repeat=COUNT), key=sum))
    return [
        Layout(name="factorial", on=whole),
        Layout(name="fractional", on=fraction.fraction(COUNT)),
        Layout(
            name="permutations", on=sampled, orders=tuple(tuple(places[name] for name in order) for order in orders)
        ),
    ]


def truth(on: On, cost: Cost) -> NDArray[np.float64]:
    """The true log-ratios of arms to that with nothing on."""
    return np.array([cost(row) for row in on])


def measured(rng: np.random.Generator, log_ratios: NDArray[np.float64], *, heavy: bool) -> NDArray[np.float64]:
    """What a run measures of arms: each worker's locations of the log-ratios to the first, as [workers, arms]."""
    shape = (WORKERS, BLOCKS, len(log_ratios))
    noise = WITHIN * (rng.standard_t(3, shape) if heavy else rng.normal(size=shape))
    times = log_ratios + rng.normal(0, BETWEEN, (WORKERS, 1, len(log_ratios))) + noise
    pairs = times - times[:, :, :1]
    arms = {
        str(arm): {worker: {"": row[:, arm].tolist()} for worker, row in enumerate(pairs)}
        for arm in range(len(log_ratios))
    }
    found = worker_locations(arms, {"": 1.0})
    return np.array([list(values.values()) for values in found.values()]).T


@dataclass(slots=True)
class Outcome:
    """Counts over simulated runs. A run missed a family if any interval of it did; `width` adds up widths of shares."""

    runs: int = 0
    shares: int = 0
    mains: int = 0
    pairs: int = 0
    not_adding_up: int = 0
    claims: float = 0.0
    false: int = 0
    false_rate: float = 0.0
    width: float = 0.0


def simulate(layout: Layout, name: str, runs: int = RUNS, *, heavy: bool = False) -> Outcome:
    """What comes of `runs` runs of a design with the costs called `name`; each design and cost has draws of its own."""
    cost = COSTS[name]
    rng, found = np.random.default_rng((25, len(layout.on), list(COSTS).index(name), heavy)), Outcome()
    whole = np.array(list(product((False, True), repeat=COUNT)))
    true_shares = effects.shapley(whole) @ truth(whole, cost)
    true_mains = effects.main_effects(whole) @ truth(whole, cost)
    true_arms = truth(layout.on, cost)
    for _ in range(runs):
        table = measured(rng, true_arms, heavy=heavy)
        shares = layout.shares(table)
        found.runs += 1
        found.shares += _missed(shares, true_shares)
        found.width += float(np.mean([(e.high or 0.0) - (e.low or 0.0) for e in shares]))
        whole_change = float((table @ effects.total(layout.on)[0]).mean())
        found.not_adding_up += abs(sum(share.location for share in shares) - whole_change) > ROUNDING
        if not layout.orders:
            _judge(found, layout, table, true_mains, true_arms)
    return found


def _judge(
    found: Outcome, layout: Layout, table: NDArray[np.float64], true_mains: NDArray[np.float64], true_arms: NDArray[np.float64]
) -> None:  # fmt: skip
    """Main effects and interactions of one run: whether their intervals hold, and which claims are false.

    The truth of an interaction in a fraction is that of its whole group of aliases, of which two may cancel out: that it is
    within the margin is no claim.
    """
    mains = effects.estimate(table, effects.main_effects(layout.on), blocks=BLOCKS)
    weights = np.unique(effects.interactions(layout.on), axis=0)
    pairs = effects.estimate(table, weights, blocks=BLOCKS)
    true_pairs = weights @ true_arms
    found.mains += _missed(mains, true_mains)
    found.pairs += _missed(pairs, true_pairs)
    edges = rules.edges(MARGIN)
    effects_, truths = [*mains, *pairs], [*true_mains, *true_pairs]
    errors = [sequential.smallest_error(effect, *edges) for effect in effects_]
    allowed = sequential.allowed_error(errors, ERROR)
    alone = len(pairs) == len(effects.interactions(layout.on))
    claims = [
        (_side(effect, edges), float(true))
        for number, (effect, error, true) in enumerate(zip(effects_, errors, truths, strict=True))
        if error <= min(allowed, 1 - effect.level) and (alone or number < len(mains) or _side(effect, edges))
    ]
    false = sum(side != _true_side(true, edges) for side, true in claims)
    found.claims += len(claims)
    found.false += false > 0
    found.false_rate += false / len(claims) if claims else 0.0


def _side(effect: Effect, edges: tuple[float, float]) -> int:
    low, high = effect.low or 0.0, effect.high or 0.0
    return -1 if high < edges[0] else 1 if low > edges[1] else 0


def _true_side(true: float, edges: tuple[float, float]) -> int | None:
    """The side of a true effect; None on an edge, where every claim is counted as false."""
    if min(abs(true - edge) for edge in edges) < ROUNDING:
        return None
    return -1 if true < edges[0] else 1 if true > edges[1] else 0


def _missed(found: Sequence[Effect], true: NDArray[np.float64]) -> bool:
    ends = zip(found, true, strict=True)
    return any(not (effect.low or 0.0) - ROUNDING <= value <= (effect.high or 0.0) + ROUNDING for effect, value in ends)


def line(layout: Layout, name: str, *, heavy: bool) -> str:
    """One row of the table."""
    got = simulate(layout, name, heavy=heavy)
    judged = not layout.orders
    cells = (
        f"{layout.name}, {len(layout.on)} arms", f"{name}{', heavy tails' if heavy else ''}",
        f"{100 * got.shares / got.runs:.1f} %", f"{100 * got.mains / got.runs:.1f} %" if judged else "",
        f"{100 * got.pairs / got.runs:.1f} %" if judged else "",
        f"{got.claims / got.runs:.1f}" if judged else "", f"{100 * got.false_rate / got.runs:.2f} %" if judged else "",
        f"{100 * got.false / got.runs:.1f} %" if judged else "",
        f"{100 * got.width / got.runs / 2:.2f} %", f"{got.not_adding_up}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    for one in layouts():
        for kind in COSTS:
            print(line(one, kind, heavy=False), flush=True)  # noqa: T201
        print(line(one, "independent", heavy=True), flush=True)  # noqa: T201
