"""onnxruntime sessions of a voice, as the toggles want them. Imported when a voice is loaded, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime

from harness.errors import CheckpointError
from harness.optimizations.sites import GraphLevel

INPUTS = ("input", "input_lengths", "scales")
VERSION: str = onnxruntime.__version__
_LEVELS = {
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_ERRORS_ALONE = 3


def build(file: Path, threads: int, level: GraphLevel) -> Any:
    """A session over `file` on the CPU. Raises CheckpointError where it cannot be read or is no voice.

    Its threads sleep while it does nothing. By default they spin for a while after a run, and so would take a core from
    whichever arm is timed next.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = _LEVELS[level]
    options.log_severity_level = _ERRORS_ALONE
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        message = f"{file.name} cannot be read by onnxruntime: {error}"
        raise CheckpointError(message) from error
    found = tuple(each.name for each in session.get_inputs())
    if found != INPUTS:
        message = f"{file.name} takes {', '.join(found)}; a voice of one speaker takes {', '.join(INPUTS)}"
        raise CheckpointError(message)
    return session
