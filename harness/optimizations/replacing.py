"""Toggles that put a function in the place of another one, while a request of their arm runs.

    @replaces("my_tts:resample")
    def fast_resample(audio, rate):
        \"\"\"Resample by a kept kernel.\"\"\"
        return ...

Before is `my_tts.resample` as it is, after the decorated function. Whoever looks the attribute up while an arm with the toggle
runs finds the function, and the original again when the request has ended (`patched`). A name that was bound earlier, by
`from my_tts import resample`, is not that attribute: name the module that bound it, `replaces("my_app:resample")`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any, Literal, TypeVar

from harness.errors import UsageError
from harness.optimizations.registry import BITWISE, Builder, Check, Optimization, enter, plain_call, registry
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Expected, Probe, Witness, calls
from harness.toggling import Isolation

Function = TypeVar("Function", bound=Callable[..., Any])
_COVERED: dict[str, list[Any]] = {}
"""Symbol -> what its replacements cover, the original first: several pipelines of an arm may run at the same moment."""
_INHERITED = object()


def replaces(
    symbol: str,
    *,
    title: str = "",
    check: Check = BITWISE,
    isolation: Isolation = "request",
    excludes: tuple[str, ...] = (),
    before: Expected = "every request",
    after: Expected = "none",
) -> Callable[[Function], Function]:
    """Register the decorated function as a toggle that stands in the place of `symbol`, "module:attribute.path".

    The witness counts calls that reach the original: `before` and `after` say what they must be. A replacement that calls the
    original now and then, such as a cache, says `after="once"` or `after="fewer"`, and gets at it by `original(symbol)`.
    """
    module, colon, path = symbol.partition(":")
    if not (module and colon and path):
        message = f"replaces({symbol!r}): name the attribute as module:attribute, such as my_tts:resample"
        raise ValueError(message)

    def register(function: Function) -> Function:
        name = function.__name__
        others = [other.name for other in registry().values() if symbol in other.sites]
        enter(Optimization(
            name=name, title=title or _first_sentence(function) or name, sites=(symbol,), before=_as_it_is(symbol),
            after=_builder(function), witness=_witness(symbol, before, after), check=check, isolation=isolation,
            excludes=(*excludes, *(other for other in others if other not in excludes)), seed_section="", place=plain_call,
            shown=partial(_side, symbol, function),
        ))  # fmt: skip
        return function

    return register


def original(symbol: str) -> Any:
    """What stands at "module:attribute.path" beneath the replacements that are in place. Raises UsageError where nothing does."""
    owner, name = _owner(symbol)
    covered = _COVERED.get(symbol)
    return covered[0] if covered else getattr(owner, name)


@contextmanager
def patched(replacements: Mapping[str, Any]) -> Iterator[None]:
    """Have each symbol be its replacement for the enclosed block, and what it was before afterwards, whatever happens."""
    with ExitStack() as stack:
        for symbol, replacement in replacements.items():
            stack.enter_context(_one_patched(symbol, replacement))
        yield


@contextmanager
def _one_patched(symbol: str, replacement: Any) -> Iterator[None]:
    owner, name = _owner(symbol)
    _COVERED.setdefault(symbol, []).append(getattr(owner, name))
    was = vars(owner).get(name, _INHERITED)
    setattr(owner, name, type(was)(replacement) if isinstance(was, staticmethod | classmethod) else replacement)
    try:
        yield
    finally:
        _COVERED[symbol].pop()
        if was is _INHERITED:
            delattr(owner, name)
        else:
            setattr(owner, name, was)


def _owner(symbol: str) -> tuple[Any, str]:
    """The object that has the attribute, and the attribute's name."""
    module, _, path = symbol.partition(":")
    *parents, name = path.split(".")
    try:
        owner: Any = importlib.import_module(module)
        for parent in parents:
            owner = getattr(owner, parent)
        getattr(owner, name)
    except ModuleNotFoundError as error:
        message = f"{symbol} cannot be replaced: {error}; name a module that can be imported, as module:attribute"
        raise UsageError(message) from None
    except AttributeError as error:
        message = f"{symbol} cannot be replaced: {error}; name an attribute that the module has"
        raise UsageError(message) from None
    return owner, name


def _witness(symbol: str, before: Expected, after: Expected) -> Witness:
    def probe(**_: Any) -> Probe:
        original(symbol)
        return calls(symbol)

    return Witness(unit=f"calls of {symbol}", probe=probe, before=before, after=after)


@cache
def _as_it_is(symbol: str) -> Builder:
    """The builder before of every toggle that replaces `symbol`: one and the same, because they share the site."""

    def as_it_is(context: BindContext) -> Any:
        def whatever_stands_there(*arguments: Any, **named: Any) -> Any:
            return original(symbol)(*arguments, **named)

        return whatever_stands_there

    return as_it_is


def _builder(function: Callable[..., Any]) -> Builder:
    def replacement(context: BindContext) -> Any:
        return function

    replacement.__doc__, replacement.__module__ = function.__doc__, function.__module__
    return replacement


def _side(symbol: str, function: Callable[..., Any], side: Literal["before", "after"]) -> Any:
    return original(symbol) if side == "before" else function


def _first_sentence(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
