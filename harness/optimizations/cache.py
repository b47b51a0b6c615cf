"""Toggles that are caches: what an entry is, by what it is found again, when requests miss it, and what it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Misses = Literal["new speaker", "first use", "never"]
"""Which requests do not find their entry. "new speaker": those of a speaker that none before had. "first use": in each
pipeline the first that needs it. "never": none, because entries are made while the pipeline is built."""

Held = tuple[int, int]
"""How many entries a cache holds, and the bytes of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """What is known of a cache beforehand, in words for people.

    `key` is by what an entry is found. `eviction` says when entries leave, "" where none ever does; `bounded` why there can
    only be few of them, "" where each new key adds one for good. `size` counts what the implementation after holds, bytes of
    its data without Python's own bookkeeping; None where an entry is a single value.
    """

    entry: str
    key: str
    misses: Misses
    eviction: str = ""
    bounded: str = ""
    size: Callable[[Any], Held] | None = None

    @property
    def grows(self) -> bool:
        """Whether nothing limits how much it holds."""
        return not self.eviction and not self.bounded

    @classmethod
    def of(cls, told: Any) -> Cache | None:
        """The cache that `told` wrote of, without its `size`; None of anything else."""
        if not isinstance(told, Mapping) or told.get("misses") not in get_args(Misses):
            return None
        entry, key, eviction, bounded = (str(told.get(name) or "") for name in ("entry", "key", "eviction", "bounded"))
        return cls(misses=told["misses"], entry=entry, key=key, eviction=eviction, bounded=bounded)

    def told(self) -> dict[str, str]:
        """The same as plain data."""
        return {name: getattr(self, name) for name in ("entry", "key", "misses", "eviction", "bounded")}


def tensor_bytes(tensors: Any) -> int:
    """The bytes of some torch tensors' values."""
    return sum(tensor.element_size() * tensor.nelement() for tensor in tensors)
