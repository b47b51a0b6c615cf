"""Sampling of the target's language model, which looks at the scores one by one."""

from __future__ import annotations

import inspect
import struct
import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FunctionType
from typing import Any

from ..code import names
from ..counting import Probe, calls
from ..patches import Patch
from .toggle import NOT_PUT_BACK, Toggle

NUCLEUS = ("weighted_scores", "top_p", "top_k")
"""What a function that draws from the likeliest takes."""
DRAWS, SORTS, COPIES, READS = "multinomial", "sort", "tensor", "item"


def fused(nucleus: Any) -> Callable[..., Any]:
    """A function that draws as `nucleus` does, and reads the likeliest scores together instead of one by one.

    It sorts in the same way, draws from the same numbers by the same generator, and gives a number where that does, else a
    tensor of one. Scores that are not float32 go to `nucleus` itself, which adds them in their own precision.
    """
    reads = READS in names(inspect.unwrap(nucleus))
    defaults = {name: each.default for name, each in inspect.signature(nucleus).parameters.items()}

    def drawn(weighted_scores: Any, top_p: float = defaults["top_p"], top_k: int = defaults["top_k"]) -> Any:
        import torch

        if weighted_scores.dtype != torch.float32:
            return nucleus(weighted_scores, top_p=top_p, top_k=top_k)
        values, order = weighted_scores.softmax(dim=0).sort(descending=True, stable=True)
        count = likeliest(values[:top_k].tolist(), top_p)
        chosen = order[values[:count].multinomial(1, replacement=True)]
        return chosen.item() if reads else chosen

    return drawn


def likeliest(probabilities: Iterable[float], top_p: float) -> int:
    """How many of the probabilities, added one after the other in float32, it takes to reach `top_p`."""
    total, count = 0.0, 0
    for probability in probabilities:
        if not _rounded(total) < _rounded(top_p):
            break
        total = _rounded(total + probability)
        count += 1
    return count


def _rounded(number: float) -> float:
    """To the nearest float32, as torch adds and compares float32."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


class FusedSampling(Toggle):
    """After, the module that samples sees a nucleus function that reads the likeliest scores at once."""

    def lacks(self) -> str:
        of = type(self.code.engine.llm).__name__
        sampling = self._sampling()
        if sampling is None:
            return f"{of} holds no sampling function"
        if self._nucleus() is None:
            return f"{sampling.__name__} calls no function of {', '.join(NUCLEUS)} that sorts and draws"
        return ""

    def present(self) -> str:
        _, name, function = self._nucleus()
        return "" if COPIES in names(function) else f"{name} makes no tensors of lists; {NOT_PUT_BACK}"

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        module, name, _ = self._nucleus()
        return [] if self.present() else [Patch.around(module, name, fused)]

    def probe(self, **_: Any) -> Probe:
        import torch

        sampling = self._sampling()
        if sampling is None:
            return calls()
        places = [(torch.Tensor, "item"), (torch.Tensor, "tolist"), (torch.Tensor, "__bool__"), (torch, COPIES)]
        return calls(*places, modules={__name__, sampling.__module__})

    def _sampling(self) -> Any:
        """The function by which the language model samples, without arguments that were given to it in advance."""
        function = getattr(self.code.engine.llm, "sampling", None)
        while isinstance(function, partial):
            function = function.func
        function = inspect.unwrap(function) if callable(function) else None
        return function if isinstance(function, FunctionType) else None

    def _nucleus(self) -> Any:
        """The module, name and function by which `sampling` draws from the likeliest; None where it calls none."""
        sampling = self._sampling()
        module = sys.modules[sampling.__module__]
        for name in sorted(names(sampling)):
            function = inspect.unwrap(value) if callable(value := vars(module).get(name)) else None
            if isinstance(function, FunctionType) and _is_nucleus(function):
                return module, name, function
        return None


def _is_nucleus(function: FunctionType) -> bool:
    taken = inspect.signature(function).parameters
    return list(taken) == list(NUCLEUS) and {DRAWS, SORTS} <= names(function)


TOGGLE = FusedSampling
