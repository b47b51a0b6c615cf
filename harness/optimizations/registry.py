"""The registry of optimizations: one dict, filled by the files of this package, copied on read."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from types import CodeType
from typing import Any, Literal

from harness.errors import UsageError
from harness.optimizations.sites import SITES, BindContext
from harness.optimizations.witness import Witness
from harness.results import Grade, Isolation, State

Builder = Callable[..., Any]
"""`builder(context, **parameters)` returns the implementation for each of the toggle's sites (the same for all)."""

Place = Callable[..., Callable[[], Any]]
"""`place(implementation, *arguments)` makes one call of a toggle's place, for timing it alone; `arguments` are what the
target calls the site with."""

_REGISTRY: dict[str, Optimization] = {}
_NOT_TOGGLES = {"foreign", "registry", "sites", "witness"}
_PORTABLE = "harness.worker.checkout.toggles."
"""Code that runs beside somebody else's, which builders name and do not repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How much the output may change: the worst `grade` that is accepted, with its `bound`, and the reason for it.

    `bound` is the largest absolute sample difference (grade "tolerance"), log-mel distance in dB ("spectral") or growth of the
    word error rate ("words").
    """

    grade: Grade
    bound: float = 0.0
    reason: str = ""


BITWISE = Check(grade="bitwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """A toggle: what it is called, where it applies, its code before and after, and how it is judged.

    `parameters` are the keyword parameters of `after` with their defaults. `seed_section` says where the claim comes
    from in the document that started this project, "" for a toggle that it does not name. `place` makes one call of its
    place: such that on one side it does what the witness counts, and on the other does not.
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
    place: Place

    @property
    def doc(self) -> str:
        """The toggle's text for people: the docstring of its code after."""
        return inspect.getdoc(self.after) or ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that a scenario may give, with their defaults."""
        signature = inspect.signature(self.after).parameters.values()
        return {p.name: p.default for p in signature if p.kind is inspect.Parameter.KEYWORD_ONLY}

    def one_call(
        self, state: State, context: BindContext, arguments: Mapping[str, tuple[Any, ...]]
    ) -> Callable[[], Any]:
        """One call of the toggle's place in `state`; `arguments` holds what the target calls each of its sites with."""
        parameters = {} if isinstance(state, bool) else dict(state)
        implementation = self.before(context) if state is False else self.after(context, **parameters)
        return self.place(implementation, *arguments[self.sites[0]])

    def source(self, side: Literal["before", "after"]) -> str:
        """The code of one side as text: its builder, and what the builder uses from the same file, or from the portable one."""
        builder = self.before if side == "before" else self.after
        used = [builder.__globals__.get(name) for name in dict.fromkeys(_names(builder.__code__))]
        homes = [(item, getattr(item, "__module__", None) or "") for item in used]
        local = [item for item, home in homes if home == builder.__module__ or home.startswith(_PORTABLE)]
        return "\n\n".join(_code_of(item) for item in [builder, *local])


def _names(code: CodeType) -> Iterator[str]:
    """The names that code uses, that of functions inside it too."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _code_of(item: Any) -> str:
    """Source text without decorators and docstring, which the report shows elsewhere."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(item)))
    definition = tree.body[0]
    if isinstance(definition, ast.FunctionDef | ast.ClassDef):
        definition.decorator_list = []
        if ast.get_docstring(definition) is not None:
            definition.body = definition.body[1:]
    return ast.unparse(tree) + "\n"


def plain_call(implementation: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """The place of a toggle whose site is a function: a call of it."""
    return partial(implementation, *arguments) if arguments else implementation


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
    place: Place = plain_call,
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
            isolation=isolation, excludes=excludes, seed_section=seed_section, place=place,
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


def lacking(sites: Collection[str], target: str) -> dict[str, str]:
    """The toggles that need a site beyond `sites`, which are those that `target` has; each with the reason in words."""
    missing = {name: [site for site in toggle.sites if site not in sites] for name, toggle in registry().items()}
    return {name: f"{target} has no {', '.join(found)}" for name, found in missing.items() if found}


def bind(states: Mapping[str, State], context: BindContext, within: Collection[str] = SITES) -> dict[str, Any]:
    """Implementations for every site in `within`: the code before, except where `states` turns a toggle on.

    Toggles that `states` does not name are before, and those that are `lacking` a site are left out. A builder is
    called once and serves all sites of its toggle.
    """
    toggles = [toggle for toggle in registry().values() if set(toggle.sites) <= set(within)]
    sites: dict[str, Any] = {}
    for toggle in toggles:
        state = states.get(toggle.name, False)
        if state is not False:
            parameters = {} if state is True else dict(state)
            sites |= dict.fromkeys(toggle.sites, toggle.after(context, **parameters))
    for toggle in toggles:
        missing = [site for site in toggle.sites if site not in sites]
        if missing:
            sites |= dict.fromkeys(missing, toggle.before(context))
    return sites
