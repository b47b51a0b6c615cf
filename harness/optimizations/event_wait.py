"""Wake up for tokens instead of polling for them (upstream: `cli/model.py`, `time.sleep(0.1)` in `tts`)."""

from __future__ import annotations

from harness.optimizations.foreign import Replacing, as_it_stands, counted_there
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.checkout.toggles.event_wait import Told


@optimization(
    title="Wake up for tokens instead of polling",
    sites=("engine.wait",),
    before=as_it_stands,
    witness=Witness(
        unit="milliseconds slept while polling",
        probe=counted_there,
        before="every request",
        after="none",
    ),
)
def event_wait(context: BindContext) -> Replacing:
    """Have the streaming loop woken up by the thread that makes the tokens.

    The public engines sleep for 0.1 s, look whether there are enough tokens for a chunk, and sleep again, so that each chunk, and
    the first audio with it, comes up to 0.1 s late. With the toggle the loop looks whenever a token was put down or the
    thread has ended; chunks are cut at the same tokens. Requests that do not stream do not poll: for them it is inert.
    """
    return Told().waiting
