"""The registry of optimizations: one dict, filled by the files of this package, copied on read."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from harness.errors import UsageError
from harness.optimizations.sites import SITES, BindContext
from harness.optimizations.witness import Witness
from harness.results import Grade, Isolation, State

Builder = Callable[..., Any]
"""`builder(context, **parameters)` returns the implementation for each of the toggle's sites (the same for all)."""

_REGISTRY: dict[str, Optimization] = {}
_NOT_TOGGLES = {"registry", "sites", "witness"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How much the output may change: the worst `grade` that is accepted, with its `bound`, and the reason for it.

    `bound` is the largest absolute sample difference (grade "tolerance") or log-mel distance in dB ("spectral").
    """

    grade: Grade
    bound: float = 0.0
    reason: str = ""


BITWISE = Check(grade="bitwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """A toggle: what it is called, where it applies, its code before and after, and how it is judged.

    `parameters` are the keyword parameters of `after` with their defaults. `seed_section` says where the claim comes
    from in the document that started this project, "" for a toggle that it does not name.
    """

    name: str
    title: str
    sites: tuple[str, ...]
    before: Builder
    after: Builder
    witness: Witness
    check: Check
    isolation: Isolation
    excludes: tuple[str, ...]
    seed_section: str

    @property
    def doc(self) -> str:
        """The toggle's text for people: the docstring of its code after."""
        return inspect.getdoc(self.after) or ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that a scenario may give, with their defaults."""
        signature = inspect.signature(self.after).parameters.values()
        return {p.name: p.default for p in signature if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def source(self, side: str) -> str:
        """The code of side "before" or "after", as text, with what it builds."""
        return inspect.getsource(self.before if side == "before" else self.after)


def optimization(
    *,
    title: str,
    sites: tuple[str, ...],
    before: Builder,
    witness: Witness,
    check: Check = BITWISE,
    isolation: Isolation = "request",
    excludes: tuple[str, ...] = (),
    seed_section: str = "",
) -> Callable[[Builder], Builder]:
    """Register the decorated builder as the code after; its name is the toggle's name. Raises on a duplicate."""

    def register(after: Builder) -> Builder:
        name: str = after.__name__
        unknown = [site for site in sites if site not in SITES]
        if unknown:
            message = f"optimization {name}: no such site: {', '.join(unknown)} (known: {', '.join(SITES)})"
            raise ValueError(message)
        if name in _REGISTRY:
            message = f"optimization {name} is registered already"
            raise ValueError(message)
        for other in _REGISTRY.values():
            if set(other.sites) & set(sites) and other.before is not before:
                message = f"optimization {name} and {other.name} share a site and must share its code before"
                raise ValueError(message)
        _REGISTRY[name] = Optimization(
            name=name, title=title, sites=sites, before=before, after=after, witness=witness, check=check,
            isolation=isolation, excludes=excludes, seed_section=seed_section,
        )  # fmt: skip
        return after

    return register


def registry() -> dict[str, Optimization]:
    """All optimizations by name: a copy. The first call imports the files of this package, which import no torch."""
    _load()
    return dict(_REGISTRY)


def _load() -> None:
    package = importlib.import_module("harness.optimizations")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in _NOT_TOGGLES:
            importlib.import_module(f"harness.optimizations.{module.name}")


def named(name: str) -> Optimization:
    """The optimization called `name`. Raises UsageError with the nearest spelling."""
    known = registry()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f" (known: {', '.join(sorted(known))})"
        message = f"no optimization is called {name!r}{hint}"
        raise UsageError(message)
    return known[name]


def bind(states: Mapping[str, State], context: BindContext) -> dict[str, Any]:
    """Implementations for every site: the code before, except where `states` turns a toggle on.

    Toggles that `states` does not name are before. A builder is called once and serves all sites of its toggle.
    """
    known = registry()
    sites: dict[str, Any] = {}
    for toggle in known.values():
        state = states.get(toggle.name, False)
        if state is not False:
            parameters = {} if state is True else dict(state)
            implementation = toggle.after(context, **parameters)
        elif all(site in sites for site in toggle.sites):
            continue
        else:
            implementation = toggle.before(context)
        for site in toggle.sites:
            if state is not False or site not in sites:
                sites[site] = implementation
    return sites
