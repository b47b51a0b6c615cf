"""A name as one module sees it: `torch.cuda.is_available` replaced for the engine's file, and for no other code.

A module reaches a function through one of its own names, `torch` say. Where that name points to a copy of the module torch
in which `cuda` is a copy of torch.cuda with another `is_available`, this module calls the other one, at the same price of
attributes looked up, and everybody else the old one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce
from types import ModuleType
from typing import Any

from .patches import Patch

Make = Callable[[Any], Any]


def view(module: ModuleType, path: str, make: Make) -> list[Patch]:
    """Patches through which `module` sees `path` ("torch.cuda.is_available") as `make(what it is)`; none if it cannot see it.

    Found are the module's own names for the function, and for the modules on the way to it. A copy is made when a patch is
    applied, so that it has whatever the original has then.
    """
    patches: list[Patch] = []
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        meant = _resolved(parts[:length])
        rest = parts[length:]
        patches += [
            Patch.around(module, name, partial(_seen, rest=rest, make=make))
            for name, value in list(vars(module).items())
            if meant is not None and value is meant
        ]
    return patches


def sees(module: ModuleType, path: str) -> bool:
    """Whether a module has a name through which it can reach `path`."""
    return bool(view(module, path, lambda current: current))


def _resolved(parts: Sequence[str]) -> Any:
    """The object at a dotted path from a module that is imported already; None where there is none."""
    return reduce(lambda owner, name: getattr(owner, name, None), parts[1:], sys.modules.get(parts[0]))


def _seen(current: Any, rest: Sequence[str], make: Make) -> Any:
    if not rest:
        return make(current)
    copy: Any = ModuleType.__new__(type(current), current.__name__)  # type: ignore[call-arg]  # it takes any
    ModuleType.__init__(copy, current.__name__)
    vars(copy).update(vars(current))
    vars(copy)[rest[0]] = _seen(getattr(current, rest[0]), rest[1:], make)
    return copy
