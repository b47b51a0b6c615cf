"""The target that a job names: what is called to load the model.

harness.adapters.vits:ADAPTER.load   a module by its name, and what to take from it
.checkout:load                       a module of this package, under whichever name the package runs
/somewhere/target.py:load            a file, or a folder with an `__init__.py`; it becomes a module of this package, so
                                     that `from .spans import span` means the worker's own
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import UsageError

FROM_PATH = "target_from_path"
"""What a target that is a file is called in this package."""


def loader(spec: str) -> Callable[..., Any]:
    """What a target's `module:attribute` names. Raises UsageError where there is no such thing."""
    where, _, path = spec.rpartition(":")
    module = _from_path(Path(where)) if Path(where).is_absolute() else importlib.import_module(where, __package__)
    try:
        found: Callable[..., Any] = reduce(getattr, path.split("."), module)  # type: ignore[assignment]  # checked below
    except AttributeError:
        message = f"the target {spec} cannot be loaded: {where} has no {path}"
        raise UsageError(message) from None
    return found


def _from_path(path: Path) -> ModuleType:
    """The module in a file or folder, imported as `FROM_PATH` of this package."""
    name = f"{__package__}.{FROM_PATH}"
    file, folders = (path / "__init__.py", [str(path)]) if path.is_dir() else (path, None)
    spec = importlib.util.spec_from_file_location(name, str(file), submodule_search_locations=folders)
    if spec is None or spec.loader is None or not file.is_file():
        message = f"the target {path} cannot be loaded: there is no such Python file, or folder with an __init__.py"
        raise UsageError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
