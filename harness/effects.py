"""Pure numbers: main effects, interactions and fair shares as weighted sums of the arms of a design.

Every quantity here is a weighted sum of the arms' log-ratios to the arm with nothing on, and its weights add up to zero. So
each worker gives one value of it, and its interval is taken across workers as that of any other effect
(`statistics.effects_of`). Weights are [quantities, arms], `on` says which toggles are on, [arms, toggles].

The main effect of a toggle is the mean difference between the arms that have it on and those that have it off; the
interaction of two is the mean, over all settings of the others, of how much more one changes where the other is on (Yates,
1937; Box, Hunter and Hunter, 2005, chapter 5). The share of a toggle in the change from nothing to everything is its
Shapley value (1953): the mean, over all orders of turning the toggles on, of what it changes in its place. Shares add up to
the whole change, whatever the interactions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.fraction import On, pairs
from harness.statistics import MIN_WORKERS, Effect, effects_of

Weights = NDArray[np.float64]
KEPT = 0.95
"""The share of the whole gain that the smallest set of toggles has to keep."""


def main_effects(on: On) -> Weights:
    """Weights of the main effects [toggles, arms] of a factorial or of a fraction of resolution III or more."""
    signs = np.where(on, 1.0, -1.0)
    return signs.T * (2 / len(on))


def interactions(on: On) -> Weights:
    """Weights of the interactions of two [pairs, arms], in the order of `fraction.pairs`; in a fraction of whole groups
    of aliases, each by the same figure, which is the sum of theirs.
    """
    signs = np.where(on, 1.0, -1.0)
    products = [signs[:, first] * signs[:, second] for first, second in pairs(on.shape[1])]
    return np.array(products).reshape(len(products), len(on)) * (4 / len(on))


def total(on: On) -> Weights:
    """Weights [1, arms] of the change from nothing to everything."""
    weights = np.zeros((1, len(on)))
    weights[0, _row(on, frozenset(range(on.shape[1])))] += 1
    weights[0, _row(on, frozenset())] -= 1
    return weights


def shapley(on: On) -> Weights:
    """Weights of the exact shares [toggles, arms] of a whole factorial (Shapley, 1953)."""
    rows, count = _rows(on), on.shape[1]
    weights = np.zeros((count, len(on)))
    for arm, row in rows.items():
        for toggle in set(range(count)) - arm:
            part = math.factorial(len(arm)) * math.factorial(count - len(arm) - 1) / math.factorial(count)
            weights[toggle, rows[arm | {toggle}]] += part
            weights[toggle, row] -= part
    return weights


def shares_without_triples(on: On) -> Weights:
    """Weights of shares [toggles, arms] from a fraction of resolution IV, on the assumption that no three toggles interact.

    Without such interactions the share of a toggle is its main effect: its own change and half of each of its interactions.
    What the main effects lack to the change from nothing to everything is then noise, and is given to all in equal parts,
    which is the least-squares answer for estimates of equal precision; so shares add up here, too. `lack` is what that is.
    """
    mains, count = main_effects(on), on.shape[1]
    return np.asarray(mains + (total(on) - mains.sum(axis=0)) / count)


def lack(on: On) -> Weights:
    """Weights [1, arms] of what the main effects lack to the whole change: zero unless three toggles or more interact."""
    return np.asarray(total(on) - main_effects(on).sum(axis=0, keepdims=True))


def of_orders(on: On, orders: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Weights of what each toggle changes in its place in each of `orders`: [orders, toggles, arms]."""
    rows = _rows(on)
    weights = np.zeros((len(orders), on.shape[1], len(on)))
    for number, order in enumerate(orders):
        for place, toggle in enumerate(order):
            weights[number, toggle, rows[frozenset(order[: place + 1])]] += 1
            weights[number, toggle, rows[frozenset(order[:place])]] -= 1
    return weights


def estimate(table: NDArray[np.float64], weights: Weights, *, blocks: int, error: float = 0.05) -> list[Effect]:
    """The effects whose `weights` are given; `table` holds log-ratios as [workers, arms].

    Intervals hold together: each takes an equal part of `error` (Bonferroni), so that any of them misses in at most that
    share of runs, whatever depends on what.
    """
    return effects_of(table @ weights.T, blocks=blocks, level=1 - error / len(weights))


def estimate_of_orders(
    table: NDArray[np.float64], by_order: NDArray[np.float64], *, blocks: int, error: float = 0.05
) -> list[Effect]:
    """Shares as means over sampled orders (Castro, Gomez and Tejada, 2009), each followed by its reverse (antithetic).

    Which orders were drawn is uncertainty of its own, whatever the workers say: the variance of a mean over pairs of orders
    is added to that over workers, and the degrees of freedom are matched to the sum (Satterthwaite, 1946). That variance
    has some noise of measuring in it, which counts twice and widens intervals a little.
    """
    from scipy import special

    found = estimate(table, by_order.mean(axis=0), blocks=blocks, error=error)
    halves = (by_order[0::2] + by_order[1::2]) / 2
    drawn = np.einsum("ota,a->ot", halves, table.mean(axis=0)).var(axis=0, ddof=1) / len(halves)
    effects = []
    for effect, extra in zip(found, drawn, strict=True):
        if effect.standard_error is None or effect.freedom is None:
            effects.append(effect)
            continue
        own = effect.standard_error**2
        whole = own + float(extra)
        parts = own**2 / effect.freedom + float(extra) ** 2 / (len(halves) - 1)
        freedom = whole**2 / parts if parts else effect.freedom
        half = float(special.stdtrit(freedom, (1 + effect.level) / 2)) * math.sqrt(whole)
        effects.append(replace(effect, low=effect.location - half, high=effect.location + half,
                               standard_error=math.sqrt(whole), freedom=freedom))  # fmt: skip
    return effects


def adoption(on: On, gains: NDArray[np.float64]) -> list[int]:
    """The toggles of a whole factorial in the order in which to adopt them: each is the one that then gains most.

    `gains` [arms] are larger where an arm is better. The greedy order; no order is best at each of its lengths in general.
    """
    rows, count = _rows(on), on.shape[1]
    order: list[int] = []
    while len(order) < count:
        left = [toggle for toggle in range(count) if toggle not in order]
        order.append(max(left, key=lambda toggle: gains[rows[frozenset([*order, toggle])]]))
    return order


def ladder(on: On, order: Sequence[int]) -> Weights:
    """Weights [toggles, arms] of what each toggle changes when it is turned on in its place in `order`, in that order."""
    return np.array([of_orders(on, [order])[0, toggle] for toggle in order])


def smallest(on: On, gains: NDArray[np.float64], share: float = KEPT) -> int | None:
    """The row of the arm with fewest toggles on that has at least `share` of the gain of all together, the best of these.

    None where all together gain nothing.
    """
    whole = float(gains[_row(on, frozenset(range(on.shape[1])))])
    if whole <= 0:
        return None
    enough = [row for row in range(len(on)) if gains[row] >= share * whole]
    return min(enough, key=lambda row: (int(on[row].sum()), -gains[row]))


def kept(table: NDArray[np.float64], on: On, row: int, *, blocks: int) -> Effect:
    """What share of the whole change the arm in `row` has, with its 95 % interval across workers.

    A ratio of two means, made linear about its estimate (Cochran, 1977, section 6.4): good where the whole change is clear.
    """
    whole = table @ total(on)[0]
    part = table[:, row] - table[:, _row(on, frozenset())]
    share = float(part.mean() / whole.mean())
    linear = share + (part - share * whole) / whole.mean()
    return effects_of(linear.reshape(-1, 1), blocks=blocks)[0]


def enough(table: NDArray[np.float64]) -> bool:
    """Whether a table [workers, arms] has workers enough for intervals."""
    return len(table) >= MIN_WORKERS


def _rows(on: On) -> Mapping[frozenset[int], int]:
    return {frozenset(np.flatnonzero(row).tolist()): number for number, row in enumerate(on)}


def _row(on: On, wanted: frozenset[int]) -> int:
    return _rows(on)[wanted]
