"""Bind the inputs and the output of a voice's network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.optimizations.graph_optimization import RUN_BOUND
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext, NetworkRun
from harness.optimizations.witness import Witness
from harness.worker.probes import calls


def run_with_feeds(context: BindContext) -> NetworkRun:
    """Hand the arrays to `session.run`."""

    def run(session: Any, feeds: Mapping[str, Any]) -> Any:
        return session.run(None, dict(feeds))[0]

    return run


@optimization(
    title="Bind the network's inputs and output",
    sites=("voice.run",),
    before=run_with_feeds,
    witness=Witness(
        unit="runs with bound inputs and output",
        probe=lambda: calls(RUN_BOUND),
        before="none",
        after="every request",
    ),
)
def io_binding(context: BindContext) -> NetworkRun:
    """Run the network through `io_binding`, which takes arrays where they lie and leaves the output where it was made.

    It is there to spare copies between host and device. On the CPU the arrays of a sentence are small beside the work of
    the network, and little is to be expected.
    """

    def run(session: Any, feeds: Mapping[str, Any]) -> Any:
        binding = session.io_binding()
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        (output,) = session.get_outputs()
        binding.bind_output(output.name, "cpu")
        session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()[0]

    return run
