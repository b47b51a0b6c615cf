"""Run the language model without its text head (upstream: `llm/llm.py`, `forward_one_step`)."""

from __future__ import annotations

from harness.optimizations.foreign import Replacing, as_it_stands, counted_there
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.checkout.toggles.skipped_text_head import without_head


@optimization(
    title="Skip the unused text head",
    sites=("llm.forward",),
    before=as_it_stands,
    witness=Witness(
        unit="text-head products",
        probe=counted_there,
        before="every request",
        after="none",
    ),
)
def skipped_text_head(context: BindContext) -> Replacing:
    """Decode with the language model's layers alone, without scores of the text vocabulary.

    The public code calls a text model with its head in each decoding step and reads the last hidden state: the head's
    product, a row of 151936 scores for every position, is thrown away, and the output of every layer is kept for nothing. What
    is read is the same tensor with and without it.
    """
    return without_head
