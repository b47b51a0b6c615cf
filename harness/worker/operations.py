"""How many operations of PyTorch each stage asks for, counted by a dispatch mode in a request that is not timed.

    counter = Counter()
    with spans.recording(counter), counter.counting(): ...
    counter.counts          stage -> operations; "" is what no stage covers

Counted is what reaches a kernel: composed operations count as what they are made of, views and shapes not at all. Needs the
standard library; torch is imported when something is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from .machine import torch_here

_NO_WORK = ("aten::detach", "aten::alias", "aten::lift_fresh", "aten::_unsafe_view", "prim::device")
"""Operations that compute nothing and that PyTorch does not call views."""


class Counter:
    """Hears the stages of a request, and counts the operations in the outermost of them.

    On a card (`device` "cuda:0") only those with a tensor there: what the host computes by itself costs it something else.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.counts: dict[str, int] = {}
        self._kind = device.partition(":")[0]
        self._stages: list[str] = []

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """A stage, of which the outermost counts."""
        self._stages.append(name)
        self.counts.setdefault(self._stages[0], 0)
        try:
            yield
        finally:
            self._stages.pop()

    def counting(self) -> AbstractContextManager[Any]:
        """Counts the operations of the enclosed block; none where there is no PyTorch."""
        return _mode(self._note) if torch_here() is not None else _nothing()

    def _note(self, operation: Any, touched: Any) -> None:
        if _computes(operation) and (self._kind == "cpu" or _is_on(self._kind, touched)):
            stage = self._stages[0] if self._stages else ""
            self.counts[stage] = self.counts.get(stage, 0) + 1


def _computes(operation: Any) -> bool:
    return not getattr(operation, "is_view", False) and operation.name().partition(".")[0] not in _NO_WORK


def _is_on(kind: str, touched: Any) -> bool:
    """Whether one of the tensors that an operation took or made lies on a device of that kind."""
    from torch.utils._pytree import tree_leaves

    devices = (getattr(leaf, "device", None) for leaf in tree_leaves(touched))
    return any(getattr(device, "type", "") == kind for device in devices)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _mode(note: Callable[[Any, Any], None]) -> AbstractContextManager[Any]:
    """A dispatch mode that tells `note` of each operation, with what it took and made, and changes none."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            note(func, (args, kwargs, made))
            return made

    return Counting()  # type: ignore[no-untyped-call]  # torch's constructor has no types
