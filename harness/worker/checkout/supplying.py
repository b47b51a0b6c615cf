"""A supply file: what a target lacks where it runs, in Python of the user's. It is code, and runs in the worker alone.

    def prepare(): ...            called before the target is imported: stand-ins for packages that it imports and does not need
    def complete(facade): ...     called with the loaded facade: what its constructors leave out

Either may be missing.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from .host import UsageError

NAME = "harness_supply"
"""What the file is called among the imported modules."""


class Supply:
    """The two functions of a supply file; without a file, they do nothing."""

    def __init__(self, file: Path | None) -> None:
        self._module: Any = None if file is None else _loaded(file)

    def prepare(self) -> None:
        getattr(self._module, "prepare", _nothing)()

    def complete(self, facade: Any) -> None:
        getattr(self._module, "complete", _nothing)(facade)


def _nothing(*_: Any) -> None:
    pass


def _loaded(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(NAME, file)
    if spec is None or spec.loader is None or not file.is_file():
        message = f"the supply file {file.name} cannot be loaded: there is no such Python file"
        raise UsageError(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
