"""Fold weight norm into the vocoder's weights (upstream: `hifigan/`)."""

from __future__ import annotations

from harness.optimizations.foreign import Replacing, as_it_stands, counted_there
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.checkout.toggles.folded_weight_norm import folded


@optimization(
    title="Fold weight norm into the weights",
    sites=("vocoder.weights",),
    before=as_it_stands,
    witness=Witness(
        unit="weights computed from direction and length",
        probe=counted_there,
        before="every request",
        after="none",
    ),
)
def folded_weight_norm(context: BindContext) -> Replacing:
    """Compute each weight of the vocoder that has weight norm once, when the pipeline is built.

    A convolution with weight norm computes its weight from a direction and a length in each call. Only training needs
    that: while speaking both stand still, and so does the weight that they give. The public code has a remover, which is of
    torch's older kind and raises where weight norm is of the newer one. The price is a copy of the weights.
    """
    return folded
