"""Let onnxruntime rewrite the graph of a voice before running it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext, GraphLevel
from harness.optimizations.witness import Witness
from harness.worker.probes import Probe, calls

RUN = "onnxruntime.capi.onnxruntime_inference_collection:Session.run"
RUN_BOUND = "onnxruntime.capi.onnxruntime_inference_collection:Session.run_with_iobinding"
NAMES = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
"""Level -> what onnxruntime calls it."""


def runs_at(level: GraphLevel = "all") -> Probe:
    """Counts runs of sessions that themselves say that their graph was rewritten to `level`."""
    return calls(
        RUN, RUN_BOUND,
        where=lambda session, *_, **__: session.get_session_options().graph_optimization_level.name == NAMES[level],
    )  # fmt: skip


def run_at(level: Callable[[], GraphLevel], network: Callable[[GraphLevel], Callable[[], Any]]) -> Callable[[], Any]:
    """The place: a run of a session at this level."""
    return network(level())


def as_written(context: BindContext) -> Callable[[], GraphLevel]:
    """Run the graph as its file has it."""
    return lambda: "disabled"


@optimization(
    title="Let onnxruntime rewrite the graph",
    sites=("voice.graph_level",),
    before=as_written,
    witness=Witness(unit="runs at this level of optimization", probe=runs_at, before="none", after="every request"),
    check=Check(grade="tolerance", bound=1e-3, reason="fused operations round differently"),
    place=run_at,
)
def graph_optimization(context: BindContext, *, level: GraphLevel = "all") -> Callable[[], GraphLevel]:
    """Let onnxruntime fold constants, fuse operations and choose layouts (`graph_optimization_level`).

    `basic` removes what is redundant and folds constants, `extended` also fuses operations, `all` (onnxruntime's own
    default) also changes layouts of tensors. Before is `disabled`: the graph as it was exported. A session takes longer to
    build the more is rewritten, which a session that is kept pays once and one that is built in each request every time.
    """
    return lambda: level
