"""Ask once whether there is a GPU (seed document, section 1: `cli/model.py`, at construction and at run time)."""

from __future__ import annotations

from collections.abc import Callable

from harness.optimizations.cache import Cache
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.probes import calls


def ask_each_time(context: BindContext) -> Callable[[], bool]:
    """Call `torch.cuda.is_available` wherever the model wants to know."""
    import torch

    on_gpu = context.device != "cpu"

    def cuda_available() -> bool:
        return torch.cuda.is_available() and on_gpu

    return cuda_available


@optimization(
    title="Cache torch.cuda.is_available()",
    sites=("model.cuda_available",),
    before=ask_each_time,
    witness=Witness(
        unit="torch.cuda.is_available() calls by the model",
        probe=lambda: calls("torch.cuda:is_available", caller=__name__),
        before="every request",
        after="none",
    ),
    seed_section="1",
    cache=Cache(
        entry="whether there is a GPU",
        key="none: there is one answer for each pipeline",
        misses="never",
        bounded="there is one answer for each pipeline",
    ),
)
def cached_cuda_check(context: BindContext) -> Callable[[], bool]:
    """Ask `torch.cuda.is_available()` once, when the model is built, and keep the answer.

    The model asks several times while it is built and once at the end of each segment. The claim: fewer calls, a faster
    start and fewer checks at run time.
    """
    import torch

    answer = torch.cuda.is_available() and context.device != "cpu"

    def cuda_available() -> bool:
        return answer

    return cuda_available
