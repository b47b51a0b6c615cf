"""What makes the host wait for the device, and who asked for it: counted by file and line.

On CUDA, PyTorch itself warns of each implicit wait (`torch.cuda.set_sync_debug_mode`), with the line of Python that made it;
explicit ones are heard by patches. Where there is no card, those calls of tensors that would wait on one are heard by patches
too. Nothing here runs while anything is timed. Needs the standard library; torch is imported when it is asked for.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from .machine import is_torchs

EXPLICIT = (
    ("cuda", "synchronize"),
    ("cuda.Stream", "synchronize"),
    ("cuda.Event", "synchronize"),
    ("cuda", "empty_cache"),
)
"""Functions of torch that wait for the card."""
IMPLICIT = ("item", "tolist", "cpu", "numpy", "nonzero", "__bool__", "__int__", "__float__", "__index__")
"""Methods of a tensor that wait for the card where the tensor lies on one."""
_OWN = str(Path(__file__).parent)
_BETWEEN = frozenset({"contextlib", "warnings", "_py_warnings"})
"""Modules of the standard library that stand between a caller and what is heard."""
_WARNED = "synchronizing CUDA operation"


class Callers:
    """Counts by (call, file, line, function): how often, and how long the host was held, None where that is not known.

    `is_inside` while a noted call runs.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int, str], tuple[int, float | None]] = {}
        self.is_inside = False

    def note(self, call: str, file: str, line: int, function: str, waited_s: float | None) -> None:
        count, before_s = self._found.get((call, file, line, function), (0, None))
        known_s = None if waited_s is None else (before_s or 0.0) + waited_s
        self._found[call, file, line, function] = (count + 1, known_s)

    def wrap(self, call: str, wrapped: Callable[..., Any]) -> Callable[..., Any]:
        """`wrapped`, its calls noted; not those that it makes of other calls that are noted."""

        def heard(*arguments: Any, **options: Any) -> Any:
            if self.is_inside:
                return wrapped(*arguments, **options)
            self.is_inside = True
            start = time.perf_counter()
            try:
                return wrapped(*arguments, **options)
            finally:
                self.is_inside = False
                caller = _caller(sys._getframe(1))  # noqa: SLF001  the documented way to the caller's frame
                if caller is not None:
                    code = caller.f_code
                    self.note(call, code.co_filename, caller.f_lineno, code.co_name, time.perf_counter() - start)

        return heard

    def callers(self) -> list[dict[str, Any]]:
        """The callers, most calls first; `waited_s` is all that they were held together, None for implicit waits on a card."""
        rows = [
            {"call": call, "file": file, "line": line, "function": function, "count": count, "waited_s": waited}
            for (call, file, line, function), (count, waited) in self._found.items()
        ]
        return sorted(rows, key=lambda row: (-int(str(row["count"])), str(row["file"]), int(str(row["line"]))))


def _caller(start: FrameType) -> FrameType | None:
    """The innermost frame that is neither PyTorch's nor this module's, nor stands between; None where the worker itself asked."""
    looked: FrameType | None = start
    while looked is not None:
        path = looked.f_code.co_filename
        if path != __file__ and not is_torchs(path) and looked.f_globals.get("__name__") not in _BETWEEN:
            return None if path.startswith(_OWN) else looked
        looked = looked.f_back
    return None


@contextmanager
def watching() -> Iterator[Callers]:
    """Note what waits for the device in the enclosed block. Without torch in this process there is nothing to hear."""
    found = Callers()
    torch = sys.modules.get("torch")
    if torch is None:
        yield found
        return
    with ExitStack() as stack:
        for owner, name in EXPLICIT:
            stack.enter_context(_patched(_resolved(torch, owner), name, f"torch.{owner}.{name}", found))
        if torch.cuda.is_available():
            stack.enter_context(_warned(torch, found))
        else:
            for name in IMPLICIT:
                stack.enter_context(_patched(torch.Tensor, name, f"Tensor.{name}", found))
        yield found


def _resolved(torch: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        torch = getattr(torch, part)
    return torch


@contextmanager
def _patched(owner: Any, name: str, call: str, found: Callers) -> Iterator[None]:
    own = owner.__dict__.get(name)
    setattr(owner, name, found.wrap(call, getattr(owner, name)))
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


@contextmanager
def _warned(torch: Any, found: Callers) -> Iterator[None]:
    """Have PyTorch warn of each implicit wait, and note the warnings; others go their way."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown = warnings.showwarning

        def heard(message: Any, category: Any, filename: str, lineno: int, *rest: Any, **more: Any) -> None:
            if _WARNED not in str(message):
                shown(message, category, filename, lineno, *rest, **more)
                return
            if found.is_inside:  # an explicit wait, which is noted as such
                return
            caller = _caller(sys._getframe(1))  # noqa: SLF001  the documented way to the caller's frame
            if caller is not None:
                found.note("implicit", caller.f_code.co_filename, caller.f_lineno, caller.f_code.co_name, None)

        warnings.showwarning = heard
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
