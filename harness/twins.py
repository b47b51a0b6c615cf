"""Copies of functions, each with code of its own in another place of memory.

Workers forked from one parent have all their memory in the same place, so that what a place costs is common to them, and an
interval across workers does not show it (docs/decisions/0015). A copy made in each worker is in a place of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

_PADS = 512
"""At most so many objects are allocated before a copy, and kept, so that it lies elsewhere in each worker."""
_LARGEST_PAD_BYTES = 4096


def twin(function: Callable[..., Any], keep: list[bytes], dice: random.Random) -> Callable[..., Any]:
    """A copy of `function` that does the same with code of its own; `function` itself where it is not written in Python.

    Copied are functions, methods and `functools.partial` of them, with the functions and comprehensions written inside them; not
    what they call. Globals, closures and defaults are shared. `keep` gets the padding that was allocated, to be held as long.
    """
    if isinstance(function, partial):
        return partial(twin(function.func, keep, dice), *function.args, **function.keywords)
    if isinstance(function, MethodType):
        return MethodType(twin(function.__func__, keep, dice), function.__self__)
    if not isinstance(function, FunctionType):
        return function
    keep += [bytes(dice.randrange(_LARGEST_PAD_BYTES)) for _ in range(dice.randrange(_PADS))]
    copy = FunctionType(
        _code(function.__code__), function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    return copy


def _code(code: CodeType) -> CodeType:
    return code.replace(co_consts=tuple(_code(item) if isinstance(item, CodeType) else item for item in code.co_consts))
