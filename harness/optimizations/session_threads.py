"""Share the operations of a voice among several threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from harness.optimizations.allowed import Field
from harness.optimizations.graph_optimization import RUN, RUN_BOUND
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Witness
from harness.worker.probes import Probe, calls


def runs_on(threads: int = 2) -> Probe:
    """Counts runs of sessions that themselves say that they have so many threads."""
    return calls(
        RUN, RUN_BOUND,
        where=lambda session, *_, **__: session.get_session_options().intra_op_num_threads == threads,
    )  # fmt: skip


def run_on(threads: Callable[[], int], network: Callable[[int], Callable[[], Any]]) -> Callable[[], Any]:
    """The place: a run of a session that has so many threads."""
    return network(threads())


def one_thread(context: BindContext) -> Callable[[], int]:
    """Run each operation on the thread that asks for it."""
    return lambda: 1


@optimization(
    title="Run the network on several threads",
    sites=("voice.threads",),
    before=one_thread,
    witness=Witness(unit="runs on this number of threads", probe=runs_on, before="none", after="every request"),
    check=Check(grade="tolerance", bound=1e-4, reason="sums are cut otherwise among threads, and round differently"),
    place=run_on,
)
def session_threads(context: BindContext, *, threads: Annotated[int, Field(ge=2, le=256)] = 2) -> Callable[[], int]:
    """Share each operation of the network among `threads` threads (`intra_op_num_threads`); before is one.

    What it gives depends on the cores that are free: where the machine does other work, or more requests at the same
    moment, threads wait for each other. Threads belong to a session, so that arms with different numbers share a process;
    they sleep between runs and take nothing from the arm that is timed next. Other threads of the worker
    (`measure.threads`) are not changed.
    """
    return lambda: threads
