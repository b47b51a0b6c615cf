"""What a constructor made of the arguments that it was given: it may set aside what it cannot do where it runs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

_PLAIN = (bool, int, float, str)


def constructed(kind: Any, weights: str, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An object of the class `kind`, and the arguments as they stood when its constructor returned.

    The public code, say, sets `fp16` and `load_jit` to False where there is no GPU, and says so in a log alone. Of a parameter that
    is no plain value by then, or that the constructor has no name for, what was given is told.
    """
    if not given:
        return kind(weights), {}
    code = getattr(inspect.unwrap(kind.__init__), "__code__", None)
    stood: dict[str, Any] = {}

    def leaving(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        if event == "return":
            stood.update({name: frame.f_locals[name] for name in given if name in frame.f_locals})
        return leaving

    def entering(frame: FrameType, _: str, __: Any) -> Callable[..., Any] | None:
        if frame.f_code is not code:
            return None
        frame.f_trace_lines = False
        return leaving

    before = sys.gettrace()
    sys.settrace(entering)
    try:
        made = kind(weights, **given)
    finally:
        sys.settrace(before)
    return made, {**given, **{name: value for name, value in stood.items() if isinstance(value, _PLAIN)}}
