"""Weight norm of the target's vocoder, which only training needs."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from ..code import methods, names
from ..counting import Probe, calls
from ..patches import Patch
from .toggle import NOT_PUT_BACK, Toggle

NORM = "WeightNorm"
"""Part of the name of torch's class, in either of its kinds: `_WeightNorm` is a parametrization, `WeightNorm` a hook."""
COMPUTES = "_weight_norm"
"""What either kind calls to compute a weight, each by a name of its own."""


class Folded:
    """Takes the place of a class's property `weight`: weights that were computed once, by the module that has them."""

    def __init__(self, weights: dict[Any, Any], otherwise: Any) -> None:
        self._weights = weights
        self._otherwise = otherwise

    def __get__(self, module: Any, owner: Any = None) -> Any:
        found = self._weights.get(module)
        return self._otherwise.__get__(module, owner) if found is None else found

    def __set__(self, module: Any, value: Any) -> None:
        self._otherwise.__set__(module, value)


def folded(normed: list[tuple[Any, str]]) -> list[Patch]:
    """Patches through which parametrized weights are what they were when this was called."""
    import torch

    weights: dict[tuple[type, str], dict[Any, Any]] = {}
    with torch.no_grad():
        for module, name in normed:
            weights.setdefault((type(module), name), {})[module] = getattr(module, name).detach()
    return [Patch(kind, name, Folded(of, getattr(kind, name))) for (kind, name), of in weights.items()]


def unhooked(hooked: list[tuple[Any, Any, Any]]) -> list[Patch]:
    """Patches that leave away hooks that compute a weight before each call; the weight is computed now."""
    import torch

    patches = []
    for module, key, hook in hooked:
        with torch.no_grad():
            hook(module, None)
        others = OrderedDict(
            (other, each) for other, each in module._forward_pre_hooks.items() if other != key  # noqa: SLF001  torch's own, and stable
        )  # fmt: skip
        patches.append(Patch(module, "_forward_pre_hooks", others))
    return patches


class FoldedWeightNorm(Toggle):
    """After, each weight with weight norm is the tensor that it came to when the pipeline was built."""

    def lacks(self) -> str:
        if self._normed() or self._hooked() or self._removed():
            return ""
        return f"no part of {type(self.code.engine.hift).__name__} has weight norm"

    def present(self) -> str:
        if self._normed() or self._hooked():
            return ""
        return f"{type(self.code.engine.hift).__name__} has its weight norm taken off; {NOT_PUT_BACK}"

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        return [*folded(self._normed()), *unhooked(self._hooked())]

    def probe(self, **_: Any) -> Probe:
        import torch
        import torch.nn.utils.weight_norm

        return calls((torch, COMPUTES), (sys.modules["torch.nn.utils.weight_norm"], COMPUTES))

    def _normed(self) -> list[tuple[Any, str]]:
        """Parts of the vocoder with a parametrization of weight norm and no other, and the weight's name."""
        return [
            (module, name)
            for module in self._modules()
            for name, several in (getattr(module, "parametrizations", None) or {}).items()
            if all(NORM in type(one).__name__ for one in several)
        ]

    def _hooked(self) -> list[tuple[Any, Any, Any]]:
        """Parts of the vocoder with a hook of weight norm, its key among their hooks, and the hook."""
        return [
            (module, key, hook)
            for module in self._modules()
            for key, hook in getattr(module, "_forward_pre_hooks", {}).items()
            if NORM in type(hook).__name__
        ]

    def _removed(self) -> bool:
        """Whether the vocoder's class applies weight norm, of which nothing is left."""
        return any("weight_norm" in names(method) for module in self._modules() for method in _own(module))

    def _modules(self) -> list[Any]:
        vocoder = self.code.engine.hift
        return list(vocoder.modules()) if hasattr(vocoder, "modules") else []


def _own(module: Any) -> Iterator[Any]:
    if not type(module).__module__.startswith("torch."):
        yield from methods(type(module)).values()


TOGGLE = FoldedWeightNorm
