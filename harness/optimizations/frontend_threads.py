"""Share the front end's networks among several threads (upstream: `cli/frontend.py`, `intra_op_num_threads = 1`)."""

from __future__ import annotations

from typing import Annotated

from harness.optimizations.allowed import Field
from harness.optimizations.foreign import Replacing, as_it_stands, counted_there
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.checkout.toggles.frontend_threads import with_threads


@optimization(
    title="Run the front end's networks on several threads",
    sites=("frontend.sessions",),
    before=as_it_stands,
    witness=Witness(
        unit="runs of the front end's sessions on this number of threads",
        probe=counted_there,
        before="none",
        after="every request",
    ),
    check=Check(grade="tolerance", bound=1e-4, reason="sums are cut otherwise among threads, and round differently"),
)
def frontend_threads(context: BindContext, *, threads: Annotated[int, Field(ge=2, le=256)] = 2) -> Replacing:
    """Give the sessions of speech tokenizer and speaker encoder `threads` threads; the public code gives them one.

    They run whenever a request hands over a recording, so that with registered speakers there is nothing to gain. What it gives
    depends on the cores that are free. Sessions are built anew when the pipeline is built, from what the target's own were
    made of; the price is their memory, twice. Sessions on a GPU, and those with several threads, are left alone.
    """

    def more(session: object) -> object:
        return with_threads(session, threads)

    return more
