"""Toggles of plug-ins by their words: what the process that holds the results knows of code that it must not run.

    card = card_of(toggle, [{}, {"every": 8}])     # where the code is: in a worker, or a child process that asks for it
    toggle = Declared.of(card)                      # where it is not; `registry.declaring([toggle])` makes it known

A card is JSON data. It is kept in the run (`Run.optimizations`, `remembered`), so that reports need no plug-in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NoReturn

from harness.optimizations.cache import Cache
from harness.optimizations.registry import Check, Optimization, declaring, own, plain_call
from harness.optimizations.witness import Expected, Probe, Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared(Optimization):
    """A toggle without its code; `card` is what `card_of` wrote of it."""

    card: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Declared:
        """The toggle that a card describes."""
        return cls(
            name=card["name"], title=card["title"], sites=tuple(card["sites"]), before=_not_here, after=_not_here,
            witness=_witness(card), check=Check(**card["check"]), isolation=card["isolation"],
            excludes=tuple(card["excludes"]), seed_section=card["seed_section"], place=plain_call, card=card,
            cache=Cache.of(card.get("cache")),
        )  # fmt: skip

    @property
    def is_declared(self) -> bool:
        """That its code is run elsewhere."""
        return True

    @property
    def doc(self) -> str:
        """The toggle's text, from its card."""
        return str(self.card["doc"])

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters with their defaults, from its card."""
        return dict(self.card["parameters"])

    def source(self, side: Literal["before", "after"]) -> str:
        """The code of one side as text, from its card."""
        return str(self.card[f"{side}_source"])


def card_of(toggle: Optimization, states: Iterable[Mapping[str, Any]] = ({},)) -> dict[str, Any]:
    """All that is to be said of a toggle, as JSON data; `states` are the parameters with which its witness will be judged."""
    return {
        "name": toggle.name,
        "title": toggle.title,
        "doc": toggle.doc,
        "sites": list(toggle.sites),
        "before_source": toggle.source("before"),
        "after_source": toggle.source("after"),
        "witness_unit": toggle.witness.unit,
        "witness_before": toggle.witness.before,
        "witness_after": {_key(state): toggle.witness.expected_after(state) for state in states},
        "check": asdict(toggle.check),
        "isolation": toggle.isolation,
        "excludes": list(toggle.excludes),
        "seed_section": toggle.seed_section,
        "parameters": toggle.parameters,
        "cache": None if toggle.cache is None else toggle.cache.told(),
    }


@contextmanager
def remembered(cards: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """Know toggles by the words that a run has kept for the enclosed block: their code may be gone."""
    ours = own()
    with declaring(Declared.of(card) for card in cards if is_card(card) and card["name"] not in ours):
        yield


def is_card(card: Mapping[str, Any]) -> bool:
    """Whether a toggle can be made of it: older runs kept fewer words."""
    return {"name", "excludes", "witness_before", "witness_after"} <= set(card)


def _key(state: Mapping[str, Any]) -> str:
    return json.dumps(dict(state), sort_keys=True)


def _witness(card: Mapping[str, Any]) -> Witness:
    def after(**parameters: Any) -> Expected:
        expected: Expected = card["witness_after"][_key(parameters)]
        return expected

    return Witness(unit=card["witness_unit"], probe=_no_probe, before=card["witness_before"], after=after)


def _no_probe(**_: Any) -> Probe:
    return _not_here()


def _not_here(*_: Any, **__: Any) -> NoReturn:
    message = "the code of a plug-in's optimization is run in workers alone; this process knows its words"
    raise RuntimeError(message)
