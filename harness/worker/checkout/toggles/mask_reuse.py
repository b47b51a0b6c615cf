"""Attention masks of the target's estimator, which runs in every step of the flow's solver."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from ..code import methods, names
from ..counting import Probe, calls
from ..patches import Patch
from .toggle import NOT_PUT_BACK, Toggle

ESTIMATOR = ("x", "mask", "mu", "t")
"""What an estimator's `forward` takes; so `harness.inspecting` tells it too."""
READS = "item"
"""What a mask builder calls that waits for the device."""
KEPT = 64
"""So many masks are kept: of each length and kind one, for as long as the arm is."""


class Masks:
    """Masks of an estimator, built once for each length, while the solver's own mask hides nothing.

    What a builder makes is then told by its other arguments and the shapes alone. That nothing is hidden is looked up once in each
    run of the solver. Where something is, and outside the solver, everything is built as before.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}
        self._nothing_hidden = False
        self._built: Any = None

    def solving(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """Takes the place of the `forward` that holds the estimator and is given the mask."""
        signature = inspect.signature(forward)

        def solved(*args: Any, **given: Any) -> Any:
            mask = signature.bind(*args, **given).arguments["mask"]
            self._nothing_hidden = bool(mask.all())
            try:
                return forward(*args, **given)
            finally:
                self._nothing_hidden, self._built = False, None

        return solved

    def building(self, build: Callable[..., Any]) -> Callable[..., Any]:
        """Takes the place of the builder, as the estimator's module sees it."""

        def built(xs: Any, masks: Any, *args: Any, **given: Any) -> Any:
            if not self._nothing_hidden:
                return build(xs, masks, *args, **given)
            self._built = (xs.shape[1], masks.shape, masks.device, args, tuple(given.items()))
            return self._once(self._built, build, xs, masks, *args, **given)

        return built

    def converting(self, convert: Callable[..., Any]) -> Callable[..., Any]:
        """Takes the place of a function that makes numbers of the mask that was built just before, in whatever shape."""

        def converted(mask: Any, *args: Any, **given: Any) -> Any:
            if self._built is None:
                return convert(mask, *args, **given)
            key = (self._built, mask.shape, args, tuple(given.items()))
            return self._once(key, convert, mask, *args, **given)

        return converted

    def _once(self, key: Any, make: Callable[..., Any], *args: Any, **given: Any) -> Any:
        found = self._kept.get(key)
        if found is None:
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[key] = make(*args, **given)
        return found


class MaskReuse(Toggle):
    """After, the estimator's module sees its mask builder, and what makes numbers of a mask, as functions that keep what they made."""

    def lacks(self) -> str:
        solver, estimator = self._parts()
        of = type(self.code.engine.flow).__name__
        if estimator is None:
            return f"no part of {of} is an estimator: a forward of {', '.join(ESTIMATOR)}"
        if solver is None:
            return f"what runs {type(estimator).__name__} is not given its mask"
        return "" if self._masking(estimator) else f"{type(estimator).__name__} calls no function that builds a mask"

    def present(self) -> str:
        _, estimator = self._parts()
        builders = [name for name, function in self._masking(estimator) if READS in names(function)]
        return "" if builders else f"{type(estimator).__name__} builds no mask that reads a value; {NOT_PUT_BACK}"

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        solver, estimator = self._parts()
        if self.present():
            return []
        masks = Masks()
        module = sys.modules[type(estimator).__module__]
        changed = [
            Patch.around(module, name, masks.building if READS in names(function) else masks.converting)
            for name, function in self._masking(estimator)
        ]
        return [Patch.around(solver, "forward", masks.solving), *changed]

    def probe(self, **_: Any) -> Probe:
        """Counts at the tensor's method: a builder's name is what the patch changes, and must be the same whenever it is put in place."""
        import torch

        _, estimator = self._parts()
        seen_by = set() if estimator is None else {type(estimator).__module__, __name__}
        return calls((torch.Tensor, READS), modules=seen_by, depth=2)

    def _parts(self) -> tuple[Any, Any]:
        """The part of the flow that runs the estimator and is given its mask, and the estimator; None for what is not there."""
        flow = self.code.engine.flow
        found: tuple[Any, Any] = (None, None)
        for solver in flow.modules() if hasattr(flow, "modules") else ():
            for part in solver.children():
                if set(ESTIMATOR) <= _taken(part):
                    found = (solver if "mask" in _taken(solver) else None, part)
        return found

    @staticmethod
    def _masking(estimator: Any) -> list[tuple[str, FunctionType]]:
        """Functions that the estimator's `forward` calls by a name of its module, and that are named after masks."""
        forward = methods(type(estimator))["forward"]
        named = [(name, forward.__globals__.get(name)) for name in sorted(names(forward)) if "mask" in name]
        seen = [(name, inspect.unwrap(value)) for name, value in named if callable(value)]
        return [(name, function) for name, function in seen if isinstance(function, FunctionType)]


def _taken(module: Any) -> set[str]:
    """What a module's `forward` takes."""
    forward = methods(type(module)).get("forward")
    return set(inspect.signature(forward).parameters) if forward is not None else set()


TOGGLE = MaskReuse
