"""What a whole process is set to before its model is loaded, and whether it is: for toggles that no two arms of a process can share.

A job names these functions, with what is `told` to each; they run in whatever interpreter the target has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from .loading import loader

Told = Mapping[str, Any]
"""`call`, the module and name of a function of this module, and `told`, its arguments."""


def do(told: Told) -> Any:
    """Call the function that is named."""
    return loader(told["call"])(**told["told"])


def reading(told: Told) -> Callable[[], AbstractContextManager[Reading]]:
    """A probe that counts the requests after which the named function says yes."""

    @contextmanager
    def probe() -> Iterator[Reading]:
        yield Reading(partial(do, told))

    return probe


class Reading:
    """Counts requests in which a process was set as asked for."""

    def __init__(self, holds: Callable[[], Any]) -> None:
        self._holds = holds
        self.count = 0

    def after_request(self) -> None:
        """A request has ended: count it, if the process is set as asked for."""
        self.count += bool(self._holds())


_described: dict[str, Any] = {}
"""What the model of this process says of itself."""
_started: dict[str, Any] = {"environment": {}, "options": {}}
"""What toggles set of this process: environment variables, and options of the adapter."""


def begin(environment: Mapping[str, str], options: Mapping[str, Any]) -> None:
    """Take note of what toggles set of this process."""
    _started.update(environment=environment, options=options)


def remember(description: Mapping[str, Any]) -> None:
    """Take note of the model that was loaded."""
    _described.clear()
    _described.update(description)


def is_described_by(facts: Mapping[str, Any]) -> bool:
    """Whether the model of the process says all `facts` of itself. A process without a model says nothing."""
    return all(name in _described and _described[name] == fact for name, fact in facts.items())


def is_made_with(arguments: Mapping[str, Any]) -> bool:
    """Whether toggles gave the model of the process these `arguments` and no others, and it has not set them aside."""
    kept, toggled = _described.get("kept") or {}, _started["options"].get("arguments") or {}
    return toggled.keys() == arguments.keys() and all(map(partial(_is_kept, kept), arguments.items()))


def _is_kept(kept: Mapping[str, Any], argument: tuple[str, Any]) -> bool:
    """As it was given, 1 not being True."""
    name, value = argument
    return name in kept and type(kept[name]) is type(value) and bool(kept[name] == value)


def has_environment(variables: Mapping[str, str]) -> bool:
    """Whether the process has these environment variables, and no others from toggles. Whether a library heeds them is for
    the library to say.
    """
    return _started["environment"].keys() == variables.keys() and all(
        os.environ.get(name) == value for name, value in variables.items()
    )


def has_threads(threads: int) -> bool:
    """Whether PyTorch, where it is loaded, shares one operation among so many threads."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.get_num_threads() == threads


def set_matmul_precision(precision: str) -> None:
    """How exactly float32 matrices are multiplied (`torch.set_float32_matmul_precision`)."""
    import torch

    torch.set_float32_matmul_precision(precision)


def has_matmul_precision(precision: str) -> bool:
    """Whether it is so."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.get_float32_matmul_precision() == precision
