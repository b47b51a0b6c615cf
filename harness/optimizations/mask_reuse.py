"""Build the estimator's attention masks once (upstream: `flow/decoder.py`, `utils/mask.py`)."""

from __future__ import annotations

from harness.optimizations.foreign import Replacing, as_it_stands, counted_there
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.checkout.toggles.mask_reuse import Masks


@optimization(
    title="Reuse the estimator's attention masks",
    sites=("estimator.masks",),
    before=as_it_stands,
    witness=Witness(
        unit="attention masks built for the estimator and read on the host",
        probe=counted_there,
        before="every request",
        after="fewer",
    ),
)
def mask_reuse(context: BindContext) -> Replacing:
    """Keep the attention masks that the flow's estimator builds, one for each length and kind.

    The public code builds a mask for every block in every step of the solver, looks with `.item()` whether it hides a
    whole row (which waits for the device), and makes a bias of it. As long as the solver's own mask hides nothing, which
    is looked up once in each run of the solver, a mask depends on nothing but the length and the block's arguments: it is
    built when a length is first met. The 64 newest masks are kept; their memory is the price.
    """
    return Masks().building
