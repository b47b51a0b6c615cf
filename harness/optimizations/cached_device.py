"""Decide once where tensors go (seed document: `cli/frontend.py` and the engine facade `cli/cosyvoice.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.optimizations.cache import Cache
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.probes import calls

if TYPE_CHECKING:
    import torch


def decide_each_time(context: BindContext) -> Callable[[], torch.device]:
    """Derive the device anew for each tensor that is moved."""
    import torch

    wanted = context.device

    def device() -> torch.device:
        return torch.device(wanted if torch.cuda.is_available() else "cpu")

    return device


@optimization(
    title="Cache the device",
    sites=("frontend.device", "facade.device"),
    before=decide_each_time,
    witness=Witness(
        unit="device decisions by front end and facade",
        probe=lambda: calls("torch.cuda:is_available", caller=__name__),
        before="every request",
        after="none",
    ),
    seed_section="other 1",
    cache=Cache(
        entry="the device of tensors",
        key="none: there is one device for each pipeline",
        misses="never",
        bounded="there is one device for each pipeline",
    ),
)
def cached_device(context: BindContext) -> Callable[[], torch.device]:
    """Decide the device once, when the front end and the engine facade are built, and keep it.

    Without the cache each tensor that the front end moves, and each public method of the facade, asks whether there is a
    GPU and makes a `torch.device`.
    """
    import torch

    kept = torch.device(context.device if torch.cuda.is_available() else "cpu")

    def device() -> torch.device:
        return kept

    return device
