"""Begin each text with the chunk length that the engine chose (upstream: `cli/model.py`, `token_hop_len`)."""

from __future__ import annotations

from harness.optimizations.foreign import Replacing, as_it_stands, counted_there
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.checkout.toggles.hop_reset import resetting


@optimization(
    title="Reset the chunk length for each text",
    sites=("engine.hop",),
    before=as_it_stands,
    witness=Witness(
        unit="tokens left over in the chunk length when a text begins",
        probe=counted_there,
        before="fewer",
        after="none",
    ),
    check=Check(
        grade="words",
        bound=0.05,
        reason="chunks are cut where a first request would cut them, so that their seams lie elsewhere",
    ),
)
def hop_reset(context: BindContext) -> Replacing:
    """Set the number of tokens to wait for before a chunk back, whenever the engine begins to speak.

    The public engine of CosyVoice 2 doubles it after every chunk, up to four times what its constructor chose, and keeps it: from the
    third request on, "streaming" waits for a hundred tokens, and what a request sounds like depends on those before it. With
    the toggle first audio comes early in every request; the price is more chunks, each of which computes the whole prefix
    again. Requests that do not stream are not changed.
    """
    return resetting
