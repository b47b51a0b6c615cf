"""A function by its name: found without running it, imported, and asked for its parameters."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from harness import plugins
from harness.errors import UsageError, nearest


def check_target(target: str) -> None:
    """Refuse a file that is missing, cannot be parsed, or has no such name at its top level. Raises UsageError.

    Nothing is run; of `MODULE:NAME` nothing can be said without.
    """
    where, _, path = target.rpartition(":")
    if not where.endswith(".py"):
        return
    file, name = Path(where), path.partition(".")[0]
    if not file.is_file():
        message = f"model.target: there is no such file: {file}"
        raise UsageError(message)
    try:
        tree = ast.parse(file.read_bytes(), where)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        message = f"{file}{line}: not a Python file that can be read: {getattr(error, 'msg', error)}"
        raise UsageError(message) from None
    made = _names_made(tree)
    if name not in made and "*" not in made:
        message = f"model.target: {file} has no {name}{nearest(name, made)}"
        raise UsageError(message)


def _names_made(tree: ast.Module) -> list[str]:
    """The names that a module has once it was run, and some that its functions have; `*` where it imports others unnamed."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found += [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    return found


def resolve(target: str) -> tuple[Any, str]:
    """What has the attribute that `FILE.py:NAME` or `MODULE:NAME` names, imported, and the attribute's name.

    Raises UsageError where there is nothing that can be called.
    """
    where, _, path = target.rpartition(":")
    try:
        found: Any = plugins.import_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except ModuleNotFoundError as error:
        message = f"model.target: {target} cannot be imported: {error}; modules are looked for beside the scenario and where Python looks"
        raise UsageError(message) from error
    owner = found
    for part in path.split("."):
        if not hasattr(found, part):
            message = f"model.target: {where} has no {path}{nearest(part, dir(found))}"
            raise UsageError(message)
        owner, found = found, getattr(found, part)
    if not callable(found):
        message = f"model.target: {target} is of type {type(found).__name__}, which cannot be called"
        raise UsageError(message)
    return owner, path.rpartition(".")[2]


def parameters_of(function: Any) -> list[str] | None:
    """The names of a function's parameters; None where they cannot be known."""
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None


def wanted(
    function: Any, known: Sequence[str], given: Collection[str], told: str, spare: Collection[str] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parameters that get a value: those of a name of their own that is `known` or `given`, and for `**kwargs` further ones
    that are `spare` (None: that are given). None where parameters cannot be known, as of some built-in code.

    Raises UsageError for others that have no default.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return (), ()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for parameter in parameters:
        needed = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD,
        )  # fmt: skip
        if needed and not (parameter.name in named and parameter.name in (*known, *given)):
            message = (
                f"{told} needs {parameter.name}, which a request has not: give the parameter a default, or its value in the "
                f"scenario (model.arguments: {{{parameter.name}: ...}}); known are {', '.join((*known, *given))}"
            )
            raise UsageError(message)
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    further = (given if spare is None else spare) if takes_any else ()
    return (
        tuple(name for name in named if name in known or name in given),
        tuple(name for name in further if name not in named),
    )


def file_of(target: str) -> str | None:
    """The file that `target` names a function of, or that of the module, once it is imported; None where it has none."""
    where = target.rpartition(":")[0]
    return where if where.endswith(".py") else getattr(sys.modules.get(where), "__file__", None)


def place_of(function: Any) -> str:
    """File and line of a function; nothing where its source is not at hand."""
    try:
        return f"{inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]}"
    except (OSError, TypeError):
        return ""
