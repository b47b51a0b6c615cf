"""What constructors made of the arguments that a facade was given: they may set aside what they cannot do where they run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any

from .host import UsageError


def constructed(kind: Any, weights: str, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An object of the class `kind`, and those of the arguments `given` that no constructor was seen to set aside.

    Every constructor of the target's package that has a parameter of that name, and gets the value, is watched: of the facade, of its bases,
    of the engine. One sets an argument aside where its parameter is gone when it returns, or is true where it was false, or the other
    way round; the public code makes False of `fp16` where there is no GPU, and says so in a log alone. An argument for which no
    constructor has a parameter, as one of `**kwargs`, is not among them: nothing is known of it. Raises UsageError where a parameter is a
    truth by its default, and the argument is none.
    """
    if not given:
        return kind(weights), {}
    _refuse_no_truths(kind, given)
    watch = _Watch(kind.__module__.partition(".")[0], given)
    before = sys.gettrace()
    sys.settrace(watch.entering)
    try:
        made = kind(weights, **given)
    finally:
        sys.settrace(before)
    return made, {name: value for name, value in given.items() if name in watch.seen - watch.aside}


def _refuse_no_truths(kind: Any, given: Mapping[str, Any]) -> None:
    """What asks `fp16 is True` takes neither 1 nor "yes" for it."""
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in given and isinstance(parameter.default, bool) and not isinstance(given[name], bool):
            message = f"{name} of {kind.__name__} is true or false, not {given[name]!r}"
            raise UsageError(message)


class _Watch:
    """Names of arguments that constructors have as parameters, and of those that one of them sets aside."""

    def __init__(self, package: str, given: Mapping[str, Any]) -> None:
        self._package = package
        self._given = given
        self.seen: set[str] = set()
        self.aside: set[str] = set()

    def entering(self, frame: FrameType, _: str, __: Any) -> Callable[..., Any] | None:
        """Watch constructors of the package, and no other frame."""
        code = frame.f_code
        if (
            code.co_name not in ("__init__", "__new__")
            or str(frame.f_globals.get("__name__")).partition(".")[0] != self._package
        ):
            return None
        names = {
            name
            for name in _parameters(code)
            if name in self._given and _same(frame.f_locals.get(name), self._given[name])
        }
        if not names:
            return None
        self.seen |= names
        frame.f_trace_lines = False

        def leaving(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            if event == "return":
                self.aside |= {name for name in names if self._is_set_aside(name, frame.f_locals)}
            return leaving

        return leaving

    def _is_set_aside(self, name: str, now: Mapping[str, Any]) -> bool:
        return name not in now or _truth(now[name]) != bool(self._given[name])


def _parameters(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _same(value: Any, given: Any) -> bool:
    return type(value) is type(given) and bool(value == given)


def _truth(value: Any) -> bool:
    """What has no truth, such as an array, is no argument that was set aside."""
    try:
        return bool(value)
    except Exception:  # noqa: BLE001  whatever an object of theirs says
        return True
