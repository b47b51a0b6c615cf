"""The registry of optimizations: one dict, filled by the files of this package, copied on read."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from types import CodeType
from typing import Any, Literal, get_args

from harness.errors import UsageError, nearest
from harness.optimizations.cache import Cache, Held
from harness.optimizations.sites import PROCESS_SITES, SITES, BindContext
from harness.optimizations.witness import Witness
from harness.toggling import Grade, Isolation, State

Builder = Callable[..., Any]
"""`builder(context, **parameters)` returns the implementation for each of the toggle's sites (the same for all)."""

Place = Callable[..., Callable[[], Any]]
"""`place(implementation, *arguments)` makes one call of a toggle's place, for timing it alone; `arguments` are what the
target calls the site with."""

_REGISTRY: dict[str, Optimization] = {}
_DECLARED: dict[str, Optimization] = {}
_PACKAGE = "harness.optimizations."
_NOT_TOGGLES = {"allowed", "cache", "declared", "foreign", "process", "registry", "replacing", "sites", "witness"}
_PORTABLE = "harness.worker.checkout.toggles."
"""Code that runs beside somebody else's, which builders name and do not repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How much the output may change: the worst `grade` that is accepted, with its `bound`, and the reason for it.

    `bound` is the largest absolute sample difference (grade "tolerance"), log-mel distance in dB ("spectral") or growth of the
    word error rate ("words"). With `other_tokens` the speech tokens may be others, because one of them is drawn by likelihoods
    that the toggle rounds otherwise: sound is then compared from the same tokens, those of the reference.
    """

    grade: Grade
    bound: float = 0.0
    reason: str = ""
    other_tokens: bool = False


BITWISE = Check(grade="bitwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """A toggle: what it is called, where it applies, its code before and after, and how it is judged.

    `parameters` are the keyword parameters of `after` with their defaults. `seed_section` says where the claim comes
    from in the document that started this project, "" for a toggle that it does not name. `place` makes one call of its
    place: such that on one side it does what the witness counts, and on the other does not. `shown(side)` is the code to show for a
    side whose builder is not what a reader wants to see. `cache` is what it keeps, of a toggle that is a cache.
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
    cache: Cache | None = None
    shown: Callable[[Literal["before", "after"]], Any] | None = None

    @property
    def is_declared(self) -> bool:
        """Whether only its words are known in this process, and its code is run in others alone."""
        return False

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
        if self.shown is not None:
            return _code_of(self.shown(side))
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
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(item)))
    except (OSError, TypeError, SyntaxError):  # of built-in code, or of one that was put together while running
        return f"{getattr(item, '__qualname__', item)!s}  # its source is not at hand\n"
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
    cache: Cache | None = None,
) -> Callable[[Builder], Builder]:
    """Register the decorated builder as the code after; its name is the toggle's name. Raises ValueError on a duplicate.

    A site is one of `SITES`, or for a toggle of your own any name with a dot in it that your target knows.
    """

    def register(after: Builder) -> Builder:
        enter(Optimization(
            name=after.__name__, title=title, sites=sites, before=before, after=after, witness=witness, check=check,
            isolation=isolation, excludes=excludes, seed_section=seed_section, place=place,
            cache=cache,
        ))  # fmt: skip
        return after

    return register


def enter(toggle: Optimization) -> None:
    """Put a toggle into the registry. Raises ValueError for a name that is taken, and for sites that cannot be shared."""
    if not toggle.after.__module__.startswith(_PACKAGE):
        _load()
    if toggle.name in _REGISTRY:
        message = f"optimization {toggle.name} is registered already: another name is needed"
        raise ValueError(message)
    if toggle.isolation not in get_args(Isolation):
        message = f"optimization {toggle.name}: isolation {toggle.isolation!r} is not measured; known are {', '.join(get_args(Isolation))}"
        raise ValueError(message)
    if wrong_check := _wrong(toggle.check):
        message = f"optimization {toggle.name}: {wrong_check}"
        raise ValueError(message)
    is_ours, is_of_process = toggle.after.__module__.startswith(_PACKAGE), toggle.isolation == "process"
    if is_of_process != (set(toggle.sites) == set(PROCESS_SITES)) or (is_of_process and not is_ours):
        message = (
            f"optimization {toggle.name}: isolation process, and its site {', '.join(PROCESS_SITES)}, are for toggles that come with the harness, because "
            "they are applied before anything of the target is imported: the toggle `environment` sets any variable"
        )
        raise ValueError(message)
    wrong = [site for site in toggle.sites if not is_site(site)]
    if wrong or not toggle.sites:
        message = (
            f"optimization {toggle.name}: no such site: {', '.join(wrong) or 'none is given'} (known: {', '.join(SITES)}; one of "
            "your own has a prefix that none of these has, such as mine.encode)"
        )
        raise ValueError(message)
    for other in _REGISTRY.values():
        if set(other.sites) & set(toggle.sites) and other.before is not toggle.before:
            message = f"optimization {toggle.name} and {other.name} share a site and must share its code before"
            raise ValueError(message)
    _REGISTRY[toggle.name] = toggle


def _wrong(check: Check) -> str:
    """What is wrong with a check; "" for a sound one."""
    grades = get_args(Grade)
    if check.grade not in grades:
        return f"no such grade: {check.grade!r} (known: {', '.join(grades)}){nearest(str(check.grade), grades)}"
    if isinstance(check.bound, bool) or not isinstance(check.bound, int | float) or not check.bound >= 0:
        return f"the bound of a check is a number from 0 on, and not {check.bound!r}"
    return ""


def is_site(name: str) -> bool:
    """Whether a toggle may have this site: one of ours, or one of somebody's own, under a prefix that is not ours."""
    prefix, dot, rest = name.partition(".")
    ours = {known.partition(".")[0] for known in SITES}
    return name in SITES or ":" in name or bool(dot and rest and prefix and prefix not in ours)


def registry() -> dict[str, Optimization]:
    """All optimizations by name: a copy. The first call imports the files of this package, which import no torch.

    Those of plug-ins are among them where their code was imported (in workers), or their words are known (`declaring`).
    """
    _load()
    return {**_DECLARED, **_REGISTRY}


def own() -> frozenset[str]:
    """The names of the optimizations that come with the harness."""
    _load()
    return frozenset(name for name, toggle in _REGISTRY.items() if toggle.after.__module__.startswith(_PACKAGE))


@contextmanager
def declaring(toggles: Iterable[Optimization]) -> Iterator[None]:
    """Know `toggles` by their words for the enclosed block, but for those whose code is at hand."""
    global _DECLARED  # noqa: PLW0603  what is known by its words alone, as `_REGISTRY` is what is known by its code
    before, _DECLARED = _DECLARED, {**_DECLARED, **{toggle.name: toggle for toggle in toggles}}
    try:
        yield
    finally:
        _DECLARED = before


def _load() -> None:
    for name in _modules():
        importlib.import_module(name)


@cache
def _modules() -> tuple[str, ...]:
    """The modules of this package that hold a toggle each: looking into its folder takes longer than all that asks for them."""
    package = importlib.import_module("harness.optimizations")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(f"harness.optimizations.{name}" for name in found if name not in _NOT_TOGGLES)


def named(name: str) -> Optimization:
    """The optimization called `name`. Raises UsageError with the nearest spelling."""
    known = registry()
    if name not in known:
        hint = nearest(name, known) or f" (known: {', '.join(sorted(known))})"
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
    toggles = [toggle for toggle in registry().values() if not toggle.is_declared and set(toggle.sites) <= set(within)]
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


def held(states: Mapping[str, State], sites: Mapping[str, Any]) -> dict[str, Held]:
    """What the caches among the toggles that `states` turns on hold now, where their files can count it.

    `sites` are the implementations that `bind` made of the same states.
    """
    on = [named(name) for name, state in states.items() if state is not False]
    return {
        toggle.name: toggle.cache.size(sites[toggle.sites[0]])
        for toggle in on
        if toggle.cache is not None and toggle.cache.size is not None and toggle.sites[0] in sites
    }
