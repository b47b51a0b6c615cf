"""Two profiles as one tree of frames that has both sides, and the functions that changed most.

What a function takes itself (`own`) is what it takes outside the Python functions that it calls: native code that it runs
is its own. A difference counts as `sure` where it is beyond what chance moves, that is the number of samples and, with several
processes on each side, how much the processes of one side differ; and where it goes the same way in each pair of processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import log, sqrt

from harness.profiles.stacks import Frame, Profile, Round, Stack, Unit, functions

BEYOND_CHANCE = 3.0
"""Standard errors that a difference must exceed: hundreds of frames are looked at. That of a number of samples is its root."""
_NARROWEST = 0.001
"""Frames below this share of the whole width are left out of the tree."""
ROOT = Frame("request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A quantity before and after, in the profile's unit."""

    before: float
    after: float
    sure: bool

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A frame where it was called from. `width` is what is drawn: room for the larger side of it and of each frame inside."""

    frame: Frame
    total: Sides
    own: Sides
    width: float
    children: tuple[Node, ...]

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """The node and all below it, each with its depth, a parent before its children."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function wherever it was called from."""

    frame: Frame
    own: Sides
    total: Sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`functions` are those of Python, the largest change of their own first. `before` is None where only one arm was profiled."""

    before: str | None
    after: str
    unit: Unit
    total: Sides
    tree: Node
    functions: tuple[Function, ...]


def difference(before: Profile | None, after: Profile) -> Difference:
    """What `after` takes beside `before`; without `before`, what it takes."""
    sides = _Sides(() if before is None else before.rounds, after.rounds)
    trie = _Trie(sides.count)
    by_own: dict[Frame, list[float]] = {}
    by_total: dict[Frame, list[float]] = {}
    for column, turn in enumerate(sides.turns):
        for stack, weight in turn.weights.items():
            trie.add(stack, column, weight)
            if owner := _owner(stack):
                by_own.setdefault(owner, [0.0] * sides.count)[column] += weight
            for known in functions(stack):
                by_total.setdefault(known, [0.0] * sides.count)[column] += weight
    tree = _node(ROOT, trie, sides)
    found = [
        Function(frame=known, own=sides.told(by_own.get(known, [0.0] * sides.count)), total=sides.told(total))
        for known, total in by_total.items()
        if not known.is_native
    ]
    found.sort(key=lambda item: (-abs(item.own.change), -item.own.after))
    return Difference(
        before=None if before is None else before.arm, after=after.arm, unit=after.unit,
        total=sides.told(trie.totals), tree=_pruned(tree, _NARROWEST * tree.width), functions=tuple(found),
    )  # fmt: skip


def widest(tree: Node, *, more: bool) -> Node | None:
    """The widest frame that takes more by itself (or less), surely; None where none does. As it is drawn, no root among them."""
    found = [
        node for depth, node in tree.walk()
        if depth and node.own.sure and (node.own.change > 0) == more and not node.frame.is_native
    ]  # fmt: skip
    return max(found, key=lambda node: node.width, default=None)


def _owner(stack: Stack) -> Frame | None:
    """The innermost Python function, or the innermost frame where there is none."""
    return next((known for known in reversed(stack) if not known.is_native), stack[-1] if stack else None)


class _Sides:
    """The processes of both sides, as columns: how weights in them become a quantity before and after."""

    def __init__(self, before: Sequence[Round], after: Sequence[Round]) -> None:
        self.turns = (*before, *after)
        self.count = len(self.turns)
        self._split = len(before)
        self._scatter = _scatter((before, after))

    def told(self, weights: Sequence[float]) -> Sides:
        values = [weight * turn.each for weight, turn in zip(weights, self.turns, strict=True)]
        before, after = values[: self._split], values[self._split :]
        sides = Sides(before=_mean(before), after=_mean(after), sure=False)
        return Sides(before=sides.before, after=sides.after, sure=self._is_sure(weights, before, after, sides.change))

    def _is_sure(self, weights: Sequence[float], before: list[float], after: list[float], change: float) -> bool:
        if not before or change == 0:
            return False
        alike = all((last - first) * change > 0 for first, last in zip(before, after, strict=False))
        return alike and abs(change) > BEYOND_CHANCE * sqrt(self._variance(weights, before, after))

    def _variance(self, weights: Sequence[float], before: list[float], after: list[float]) -> float:
        """Of the change: what the numbers of samples, and the processes, move."""
        if not all(turn.counted for turn in self.turns):
            return 0.0
        variance = sum((_mean(side) * self._scatter) ** 2 / len(side) for side in (before, after))
        for column, (weight, turn) in enumerate(zip(weights, self.turns, strict=True)):
            processes = len(before) if column < len(before) else len(after)
            variance += max(weight, 1.0) * (turn.each / processes) ** 2
        return variance


def _scatter(sides: Iterable[Sequence[Round]]) -> float:
    """How much the processes of one side differ in what a request takes: a standard deviation, as a share. 0 for one process each."""
    squares, free = 0.0, 0
    for side in sides:
        logs = [log(turn.total) for turn in side if turn.total > 0]
        squares += sum((value - _mean(logs)) ** 2 for value in logs)
        free += max(0, len(logs) - 1)
    return sqrt(squares / free) if free else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


@dataclass(slots=True)
class _Trie:
    """Weights by column: of all that lies below, and of what ends here."""

    columns: int
    totals: list[float] = field(init=False)
    ends: list[float] = field(init=False)
    children: dict[Frame, _Trie] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.totals = [0.0] * self.columns
        self.ends = [0.0] * self.columns

    def add(self, stack: Stack, column: int, weight: float) -> None:
        place = self
        place.totals[column] += weight
        for known in stack:
            below = place.children.get(known)
            if below is None:
                below = place.children[known] = _Trie(self.columns)
            place = below
            place.totals[column] += weight
        place.ends[column] += weight

    def own(self) -> list[float]:
        """What ends here, or in native code that is called from here without Python between."""
        sums = list(self.ends)
        for known, below in self.children.items():
            if known.is_native:
                sums = [one + other for one, other in zip(sums, below.own(), strict=True)]
        return sums


def _node(known: Frame, trie: _Trie, sides: _Sides) -> Node:
    children = sorted(
        (_node(inner, below, sides) for inner, below in trie.children.items()), key=lambda node: -node.width
    )
    ends = sides.told(trie.ends)
    return Node(
        frame=known,
        total=sides.told(trie.totals),
        own=ends if known.is_native and known != ROOT else sides.told(trie.own()),
        width=max(ends.before, ends.after) + sum(child.width for child in children),
        children=tuple(children),
    )


def _pruned(node: Node, narrowest: float) -> Node:
    kept = tuple(_pruned(child, narrowest) for child in node.children if child.width >= narrowest)
    return Node(frame=node.frame, total=node.total, own=node.own, width=node.width, children=kept)
