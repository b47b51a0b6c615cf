"""Share each operation of PyTorch among several threads of the process."""

from __future__ import annotations

from typing import Annotated

from harness.optimizations.allowed import Field
from harness.optimizations.process import as_it_starts, probe_of
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext, ProcessStart
from harness.optimizations.witness import Witness


def on_threads(context: BindContext, *, threads: Annotated[int, Field(ge=1, le=1024)] = 2) -> ProcessStart:
    """A process whose PyTorch has so many threads."""
    return ProcessStart(threads=threads, holds=(".settings:has_threads", {"threads": threads}))


@optimization(
    title="Run PyTorch's operations on several threads",
    sites=("process.start",),
    before=as_it_starts,
    witness=Witness(
        unit="requests of a process with this number of threads",
        probe=probe_of(on_threads),
        before="none",
        after="every request",
    ),
    check=Check(
        grade="tolerance",
        bound=1e-3,
        reason="sums are cut otherwise among threads, and round differently",
        other_tokens=True,
    ),
    isolation="process",
)
def torch_threads(context: BindContext, *, threads: Annotated[int, Field(ge=1, le=1024)] = 2) -> ProcessStart:
    """Share each operation among `threads` threads (`torch.set_num_threads`, `OMP_NUM_THREADS`); before are the scenario's own (`measure.threads`).

    What it gives depends on the cores that are free: where the machine does other work, or more requests at the same
    moment, threads wait for each other. On a GPU it changes what is left to the host.
    """
    return on_threads(context, threads=threads)
