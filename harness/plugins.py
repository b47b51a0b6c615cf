"""Toggles and adapters of other people: a file that a scenario names, or the entry points of an installed package.

A plug-in is code, a scenario is data (contract.md, "Trust"). So there are two halves, and the first runs nothing:

    names(scenario's keys)   which toggles a scenario may name: files are parsed, entry points read from package metadata
    install(scenario's keys) import what the scenario names; in workers, and in a child process that is asked for words

A toggle of a file is a function at the file's top level, decorated with `optimization(...)` or `replaces(...)`. The name of
an entry point in the group `harness.optimizations` is its toggle's name, that of one in `harness.adapters` its adapter's.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.optimizations import registry
from harness.optimizations.registry import own

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints  # a worker that asks for none starts sooner without

TOGGLES, ADAPTERS = "harness.optimizations", "harness.adapters"
"""Groups of entry points."""
CALLABLE = "callable"
"""The adapter of a user's own function."""
WARNING = "This runs the code that the scenario names, with your rights, in processes of its own."
"""What is said before a user's function, or a plug-in, is run."""
_DECORATORS = {"optimization", "replaces"}
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a toggle is made: a file and its line, or a package (line 0)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class PluginError(UsageError):
    """A plug-in that cannot be used; `number` is its index in `plugins:`, None for an entry point."""

    def __init__(self, message: str, number: int | None = None) -> None:
        self.number = number
        super().__init__(message)


def names(files: Iterable[Path]) -> dict[str, Place]:
    """The toggles of plug-in files and entry points, without running any of them.

    Raises PluginError for a file that cannot be read, has no toggle, or has one whose name is taken.
    """
    found = {point.name: Place(file=_package(point), line=0) for point in _points(TOGGLES)}
    for number, file in enumerate(files):
        for name, place in toggles_in(file, number).items():
            if name in own():
                message = f"{place}: a toggle of the harness is called {name} already; give the function another name"
                raise PluginError(message, number)
            if name in found:
                message = f"{place}: {name} is a toggle of {found[name]} already; give one of them another name"
                raise PluginError(message, number)
            found[name] = place
    return found


def packages_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Those toggles of a scenario's data that installed packages bring, and the package of each. Raises PluginError."""
    known = names(files_of(data))
    toggles = [name for name in data.get("optimizations", {}) if name in known and name not in own()]
    return {name: known[name].file for name in toggles if not known[name].line}


def folder_of(data: Mapping[str, Any]) -> Path | None:
    """The scenario's folder, where imports look first, if the scenario names code of its own."""
    names_code = bool(data.get("plugins")) or data["model"]["adapter"] == CALLABLE
    return Path(str(data.get("file", ""))).absolute().parent if names_code else None


def toggles_in(file: Path, number: int | None = None) -> dict[str, Place]:
    """The toggles that a file makes, by reading it. Raises PluginError."""
    tree = _parsed(file, number)
    aliases = _decorators_of(tree)
    found: dict[str, Place] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(
            _is_toggle(decorator, aliases) for decorator in node.decorator_list
        ):
            if node.name in found:
                message = (
                    f"{file}:{node.lineno}: {node.name} is a toggle on line {found[node.name].line} already; rename one"
                )
                raise PluginError(message, number)
            found[node.name] = Place(file=str(file), line=node.lineno)
    if not found:
        message = (
            f"{file} has no toggle: a function at its top level, decorated with @optimization(...) or @replaces(...) from "
            "harness.optimizations"
        )
        raise PluginError(message, number)
    return found


def _parsed(file: Path, number: int | None) -> ast.Module:
    if not file.is_file():
        message = f"there is no such file: {file}"
        raise PluginError(message, number)
    if file.suffix != ".py" or not file.stem.isidentifier():
        message = f"{file} cannot be imported: a plug-in is a Python file whose name is one word, such as my_toggles.py"
        raise PluginError(message, number)
    data = file.read_bytes()
    if len(data) > MAX_BYTES:
        message = f"{file} is larger than {MAX_BYTES:,} bytes, which no file of toggles is"
        raise PluginError(message, number)
    try:
        return ast.parse(data, str(file))
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        message = f"{file}{line}: not a Python file that can be read: {getattr(error, 'msg', error)}"
        raise PluginError(message, number) from None


def _decorators_of(tree: ast.Module) -> set[str]:
    """The names by which a file knows the decorators."""
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "harness"
        for alias in node.names
        if alias.name in _DECORATORS
    }


def _is_toggle(decorator: ast.expr, aliases: set[str]) -> bool:
    if not isinstance(decorator, ast.Call):
        return False
    made = decorator.func
    return (isinstance(made, ast.Name) and made.id in aliases) or (
        isinstance(made, ast.Attribute) and made.attr in _DECORATORS
    )


def _points(group: str) -> tuple[EntryPoint, ...]:
    """Entry points of a group, one for each name; reading them runs nothing."""
    return tuple({point.name: point for point in _all_points(tuple(sys.path)).select(group=group)}.values())


@lru_cache(maxsize=2)
def _all_points(path: tuple[str, ...]) -> EntryPoints:
    """The entry points of all packages on `path`, which is `sys.path`: looking for them takes some milliseconds."""
    from importlib.metadata import EntryPoints, distributions

    return EntryPoints(point for found in distributions(path=list(path)) for point in found.entry_points)


def adapter_names() -> dict[str, str]:
    """Adapters of installed packages: name -> package."""
    return {point.name: _package(point) for point in _points(ADAPTERS)}


def adapter_of(name: str) -> Any:
    """The adapter that an installed package calls `name`: its code is run. Raises UsageError where it cannot be had."""
    return _load_point(_adapter_point(name), ADAPTERS)


def adapter_place(name: str) -> str:
    """Where that adapter lies, as `module:attribute`; nothing is run."""
    point = _adapter_point(name)
    return f"{point.module}:{point.attr}"


def _adapter_point(name: str) -> EntryPoint:
    return next(point for point in _points(ADAPTERS) if point.name == name)


def install(files: Iterable[Path], toggles: Iterable[str], folder: Path | None = None) -> None:
    """Import plug-in files, and the entry points of those of `toggles` that are neither ours nor of a file.

    `folder`, that of the scenario, is where imports look first. Runs their code: only in a process that holds no results.
    Raises PluginError.
    """
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    for number, file in enumerate(files):
        _install_file(file, number)
    points = {point.name: point for point in _points(TOGGLES)}
    for name in toggles:
        if name not in registry() and name in points:
            _load_point(points[name], TOGGLES)
            if name not in registry():
                message = (
                    f"the entry point {name} of {_package(points[name])} ({points[name].value}) makes no toggle of that name; it "
                    "must name a function that @optimization(...) or @replaces(...) decorates, and be called as the function is"
                )
                raise PluginError(message)


def _install_file(file: Path, number: int) -> None:
    expected = toggles_in(file, number)
    try:
        import_file(file)
    except UsageError as error:
        raise PluginError(str(error), number) from None
    except Exception as error:  # whatever somebody's code raises has a line in their file
        message = f"{_line_in(error, file)}: {type(error).__name__}: {error}"
        raise PluginError(message, number) from error
    if missing := [name for name in expected if name not in registry()]:
        message = (
            f"{expected[missing[0]]}: {missing[0]} was not made a toggle; its decorator must be one of the harness"
        )
        raise PluginError(message, number)


def import_file(file: Path) -> ModuleType:
    """Import a Python file under its own name, as `import NAME` would from its folder; once in a process.

    Raises UsageError where another module has that name, and whatever the file raises.
    """
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    module = importlib.import_module(file.stem)
    found = Path(module.__file__).resolve() if module.__file__ else None
    if found != file.resolve():
        message = f"{file} cannot be imported: {file.stem} is the name of {found or 'a module of Python itself'}; rename the file"
        raise UsageError(message)
    return module


def _line_in(error: Exception, file: Path) -> str:
    """`file`, with the last of its lines that `error` came through."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return str(Place(file=str(file), line=line))


def _load_point(point: EntryPoint, group: str) -> Any:
    try:
        return point.load()
    except Exception as error:
        message = (
            f"the entry point {point.name} ({point.value}) of {_package(point)} in {group} cannot be loaded: {error}"
        )
        raise PluginError(message) from error


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def files_of(data: Mapping[str, Any]) -> Iterator[Path]:
    """The plug-in files of a scenario's data (`Scenario.as_data`), absolute."""
    folder = Path(str(data.get("file", ""))).parent
    for file in data.get("plugins", ()):
        yield (folder / Path(file).expanduser()).absolute()


def preparation(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a worker is told to import before it loads the model (`prepared` in its job); None where a scenario names no code."""
    adapter = data["model"]["adapter"]
    toggles = [name for name in data.get("optimizations", {}) if name not in own()]
    if not (toggles or data.get("plugins") or adapter == CALLABLE):
        return None
    told = {"file": data.get("file", ""), "plugins": list(data.get("plugins", ())), "optimizations": toggles}
    return {"call": f"{__name__}:install_for", "told": {**told, "model": {"adapter": adapter}}}


def install_for(data: Mapping[str, Any]) -> None:
    """Import all that a scenario's data names; where it names code, imports look into the scenario's folder first.

    Of the data `preparation` leaves what is looked at here.
    """
    install(files_of(data), data.get("optimizations", ()), folder_of(data))
