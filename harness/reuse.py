"""Reuse: how often requests return to what was asked for before, by a popularity of the things asked for. Pure numbers.

Requests are taken to be independent of each other, as in the reference model of the literature on caches (Coffman and Denning, 1973):
each asks for item k with the probability p_k. Zipf's law has p_k in proportion to k ** -exponent (Breslau and others, 1999, found exponents
of 0.6 to 0.8 among requests for web pages); a uniform popularity has all of them alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Distribution = Literal["zipf", "uniform"]


def popularity(distribution: Distribution, items: int, exponent: float = 1.0) -> NDArray[np.float64]:
    """The probability of each of so many items, the most popular first, float64 [items]; `exponent` is that of Zipf's law."""
    weights = np.arange(1, items + 1, dtype=np.float64) ** -(exponent if distribution == "zipf" else 0.0)
    return np.asarray(weights / weights.sum())


def expected_hit_rate(probabilities: NDArray[np.float64], requests: int, known: int = 0) -> float:
    """The expected share of the first `requests` that find their entry in a cache that loses none.

    It holds the `known` first items when it starts. Each other item is missed once, if it is asked for at all: with the
    probability 1 - (1 - p) ** requests.
    """
    others = probabilities[known:]
    asked_for = -np.expm1(requests * np.log1p(-np.minimum(others, 1.0 - 1e-16)))
    return float(1.0 - asked_for.sum() / requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Requests that were drawn: the item of each, int64 [requests], and whether a cache that loses none holds it then."""

    items: NDArray[np.int64]
    hits: NDArray[np.bool_]

    @property
    def hit_rate(self) -> float:
        """The share of them that hit."""
        return float(self.hits.mean())


def draw(probabilities: NDArray[np.float64], requests: int, known: int, seed: int | Sequence[int]) -> Drawn:
    """So many requests in the order in which they come, the same for the same arguments; items count from 0."""
    rng = np.random.default_rng(seed)
    items = rng.choice(len(probabilities), size=requests, p=probabilities)
    first = np.zeros(requests, dtype=np.bool_)
    first[np.unique(items, return_index=True)[1]] = True
    return Drawn(items=items.astype(np.int64), hits=~first | (items < known))
