"""What a loaded CosyVoice consists of: its parts as objects, their classes and modules, and what their functions name.

Parts are told by their methods, not by their classes' names or files, which forks change.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .finding import KNOWN_TO_WORK
from .host import UsageError

ENGINE = ("tts", "token2wav")
FRONT_END = ("text_normalize", "frontend_zero_shot", "_extract_speech_token", "_extract_spk_embedding")
NETWORKS = ("llm", "flow", "hift")
_READERS = {"load", "read"}
"""What a function calls that reads a recording: of torchaudio or librosa, of soundfile."""
_OF_SOUND = {"torchaudio", "librosa", "soundfile"}


class Code:
    """The parts of a loaded CosyVoice. Raises UsageError, which names it, where one is missing."""

    def __init__(self, facade: Any) -> None:
        self.facade = facade
        self.engine_name = _held(facade, ENGINE, "an engine")
        self.front_end_name = _held(facade, FRONT_END, "a front end")
        self.engine: Any = getattr(facade, self.engine_name)
        self.front_end: Any = getattr(facade, self.front_end_name)
        for name in NETWORKS:
            network = getattr(self.engine, name, None)
            if network is None or not hasattr(network, "inference"):
                of = type(self.engine).__name__
                symbol = f"{of}.{name}.inference"
                raise missing(symbol, "the engine has no such network")
        if not hasattr(facade, "sample_rate"):
            symbol = f"{type(facade).__name__}.sample_rate"
            raise missing(symbol, "the facade does not say at which rate it speaks")
        self.engine_modules = _modules_of(type(self.engine))
        self.front_end_modules = _modules_of(type(self.front_end))
        self.facade_modules = _modules_of(type(facade))
        parts = (*self.facade_modules, *self.front_end_modules, *self.engine_modules)
        self.package = _common_package([module.__name__ for module in parts])
        self.modules = list(dict.fromkeys((*parts, *self._used_by(parts))))

    @property
    def sample_rate_hz(self) -> int:
        return int(self.facade.sample_rate)

    @property
    def takes_paths(self) -> bool:
        """Whether requests hand over the path of a recording, which the front end reads; otherwise its samples at 16 kHz."""
        extractor = inspect.unwrap(type(self.front_end)._extract_speech_token)  # noqa: SLF001  the target's own name
        named = [extractor.__globals__.get(name) for name in names(extractor)]
        called = [inspect.unwrap(value) for value in named if callable(value)]  # also one that keeps what it has read
        readers = [function for function in called if isinstance(function, FunctionType)]
        if any(names(function) & _READERS for function in readers):
            return True
        modules = {value.__name__.partition(".")[0] for value in named if isinstance(value, ModuleType)}
        return bool(modules & _OF_SOUND and names(extractor) & _READERS)

    def asking(self, part: Any, name: str) -> dict[str, FunctionType]:
        """The methods of a part that mention `name` as an attribute or a global, by their own names."""
        return {method: function for method, function in methods(type(part)).items() if name in names(function)}

    def functions(self) -> Iterator[FunctionType]:
        """Every function and method that is defined in one of `modules`."""
        for module in self.modules:
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == module.__name__:
                    yield from methods(value).values()
                elif isinstance(value, FunctionType) and value.__module__ == module.__name__:
                    yield inspect.unwrap(value)

    def _used_by(self, modules: Iterable[ModuleType]) -> Iterator[ModuleType]:
        """Modules of the same package whose functions these import by name."""
        for module in modules:
            for value in list(vars(module).values()):
                home = getattr(value, "__module__", None)
                if isinstance(value, FunctionType) and home and home.startswith(f"{self.package}."):
                    yield sys.modules[home]


def methods(one: type) -> dict[str, FunctionType]:
    """The methods of a class, inherited ones too, without decorators that wrap them."""
    found: dict[str, FunctionType] = {}
    for each in reversed(one.__mro__):
        for name, value in vars(each).items():
            function = inspect.unwrap(value) if callable(value) else value
            if isinstance(function, FunctionType):
                found[name] = function
    return found


def names(function: FunctionType) -> set[str]:
    """Globals and attributes that a function's code mentions, that of functions inside it too."""
    return {name for code in _codes(function.__code__) for name in code.co_names}


def constants(function: FunctionType) -> set[str]:
    """Texts that stand in a function's code, that of functions inside it too."""
    return {value for code in _codes(function.__code__) for value in code.co_consts if isinstance(value, str)}


def missing(symbol: str, why: str) -> UsageError:
    """The one line that is said where the target lacks what the adapter needs."""
    return UsageError(f"{symbol} is missing: {why} (known to work: {KNOWN_TO_WORK})")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _held(facade: Any, wanted: tuple[str, ...], what: str) -> str:
    """The attribute of the facade whose value has all of the `wanted` methods."""
    nearest: tuple[int, str] = (0, "")
    for name, value in vars(facade).items():
        lacking = [method for method in wanted if not callable(getattr(value, method, None))]
        if not lacking:
            return str(name)
        if len(lacking) < len(wanted):
            nearest = max(nearest, (len(wanted) - len(lacking), f"{type(value).__name__}.{lacking[0]}"))
    owner = type(facade).__name__
    why = f"{owner} holds nothing with {', '.join(wanted)}, which tell {what}"
    raise missing(nearest[1] or f"{owner}'s {what.split(' ', 1)[1]}", why)


def _modules_of(one: type) -> tuple[ModuleType, ...]:
    """The modules in which a class and those of its package that it derives from are defined."""
    top = one.__module__.partition(".")[0]
    found = [sys.modules[each.__module__] for each in one.__mro__ if each.__module__.partition(".")[0] == top]
    return tuple(dict.fromkeys(found))


def _common_package(modules: list[str]) -> str:
    """The package that holds all of these modules, and the folders beside theirs: `cosyvoice` of `cosyvoice.cli.model`."""
    parts = [name.split(".")[:-1] for name in modules]
    shared = []
    for level in zip(*parts):  # `strict` is newer than Python 3.9
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared[:-1] or shared) or modules[0].partition(".")[0]
