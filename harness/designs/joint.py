"""Designs whose arms are of use only together: the factorial, its fraction, and ladders in sampled orders."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from harness import fraction
from harness.designs.parts import Pair, Toggle
from harness.results import NOTHING, TOGETHER, Arm, ArmRole

MOST_FACTORIAL = 6
"""Toggles of a factorial: 64 arms."""
MOST_FRACTIONAL = fraction.MOST
MOST_PERMUTED = 12
"""Toggles of sampled orders."""
ORDER_PAIRS = 6
"""Pairs of an order and its reverse that are sampled."""
LEAST_ROUNDS = 2
"""Blocks that a worker should have of each kind of request."""
_SEED = 25


def combination(on: Sequence[str], names: Sequence[str]) -> str:
    """The name of the arm that has toggles `on` of `names` on: "none", a toggle, "a+b", "all-but-c", "all"."""
    off = [name for name in names if name not in on]
    if not on:
        return NOTHING
    if not off:
        return TOGETHER
    return "+".join(on) if len(on) <= len(off) or len(on) == 1 else f"{TOGETHER}-but-{'+'.join(off)}"


def arm_of(on: Sequence[str], toggles: Sequence[Toggle]) -> Arm:
    """The arm with the toggles `on` of `toggles` on. Its role is "toggle" where it has but one."""
    names = [toggle.name for toggle in toggles]
    name = combination(on, names)
    role: ArmRole = "toggle" if len(on) == 1 else "combination"
    ends: Mapping[str, ArmRole] = {NOTHING: "none", TOGETHER: "all"}
    return Arm(
        name=name,
        role=ends.get(name, role),
        toggle=on[0] if len(on) == 1 else None,
        states={toggle.name: toggle.after if toggle.name in on else toggle.before for toggle in toggles},
    )


def factorial(toggles: Sequence[Toggle]) -> list[Arm]:
    """Every combination of the toggles, few first."""
    names = [toggle.name for toggle in toggles]
    sets = [[n for n, on in zip(names, row, strict=True) if on] for row in product((False, True), repeat=len(names))]
    return [arm_of(on, toggles) for on in sorted(sets, key=lambda on: (len(on), list(map(names.index, on))))]


def fractional(toggles: Sequence[Toggle]) -> list[Arm]:
    """The smallest fraction of resolution IV."""
    names = [toggle.name for toggle in toggles]
    rows = fraction.fraction(len(names))
    return [arm_of([n for n, on in zip(names, row, strict=True) if on], toggles) for row in rows]


def permuted(toggles: Sequence[Toggle]) -> tuple[list[Arm], tuple[tuple[str, ...], ...]]:
    """The arms on the way from nothing to everything in sampled orders, and the orders: each is followed by its reverse.

    Pairs of an order and its reverse (antithetic sampling) let early and late places of a toggle balance. The draw is the
    same for the same toggles.
    """
    names = [toggle.name for toggle in toggles]
    dice = random.Random(f"{_SEED} {' '.join(names)}")  # noqa: S311  an order, not a secret
    orders: list[tuple[str, ...]] = []
    for _ in range(ORDER_PAIRS):
        order = dice.sample(names, len(names))
        orders += [tuple(order), tuple(reversed(order))]
    sets = {frozenset(order[:length]) for order in orders for length in range(len(names) + 1)}
    listed = [[name for name in names if name in on] for on in sets]
    return [arm_of(on, toggles) for on in sorted(listed, key=lambda on: (len(on), on))], tuple(orders)


def singles(toggles: Sequence[Toggle], arms: Iterable[Arm]) -> list[Arm]:
    """The arms of one toggle each that `arms` lacks."""
    present = {arm.name for arm in arms}
    return [arm_of([toggle.name], toggles) for toggle in toggles if toggle.name not in present]


def pairs_from_none(toggles: Sequence[Toggle]) -> Iterator[Pair]:
    """Each toggle against none, and all against none."""
    yield from ((toggle.name, NOTHING, toggle.name) for toggle in toggles)
    yield (TOGETHER, NOTHING, TOGETHER)


def advice(design: str, count: int, *, rounds: float, kinds: int) -> str:
    """What to do where the budget has but `rounds` for each worker, of requests of so many `kinds`; "" where that will do."""
    needed = LEAST_ROUNDS * kinds
    if rounds >= needed:
        return ""
    other = smaller(design, count)
    instead = (
        f"design: {other} has {_size(other, count)} timed arms instead of {_size(design, count)}; " if other else ""
    )
    told = f"{kinds} kind(s) of request" if kinds > 1 else "requests"
    return (
        f"the budget has {rounds:.1f} blocks for each worker, where {told} should have {needed}: {instead}"
        f"or a budget {needed / max(rounds, 1e-9):.1f} times as large, or fewer workers"
    )


def _size(design: str, count: int) -> str:
    """How many arms of a design are timed, controls left out."""
    sizes = {
        "factorial": str(2**count), "fractional": str(2 ** fraction.base(count)) if count >= fraction.FEWEST else "",
        "one_at_a_time": str(count + 2), "leave_one_out": str(count + 1), "ladder": str(count + 1),
        "permutations": f"up to {2 * ORDER_PAIRS * (count - 1) + 2}",
    }  # fmt: skip
    return sizes.get(design, "more")


def smaller(design: str, count: int) -> str:
    """The design of fewer arms that is proposed instead of `design` of `count` toggles; "" where there is none."""
    if design in ("factorial", "permutations") and fraction.FEWEST <= count <= MOST_FRACTIONAL:
        return "fractional"
    if design == "factorial" and 2**count <= count + 2:
        return ""  # both time as many arms
    return "one_at_a_time" if design in ("factorial", "permutations", "fractional") else ""
