"""Sample without reading scores one by one (upstream: `utils/common.py`, `nucleus_sampling`)."""

from __future__ import annotations

from harness.optimizations.foreign import Replacing, as_it_stands, counted_there
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.checkout.toggles.fused_sampling import fused


@optimization(
    title="Sample without reading scores one by one",
    sites=("llm.nucleus",),
    before=as_it_stands,
    witness=Witness(
        unit="values read and lists copied while sampling",
        probe=counted_there,
        before="every request",
        after="fewer",
    ),
)
def fused_sampling(context: BindContext) -> Replacing:
    """Read the likeliest scores of a token together, and draw from the sorted scores where they are.

    The public code compares a running sum of tensor elements with `top_p` for each of up to 25 candidates, and makes tensors
    of lists of tensor elements: each waits for the device. With the toggle one read tells how many candidates there are, another what was
    drawn. Sums are rounded as the public code rounds them, and the draw is made from the same numbers by the same generator:
    the same tokens. Its test for repetition, one copy and one read a token, stays as it stands.
    """
    return fused
