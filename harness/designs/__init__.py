"""Which arms a design has, which share a block, and which pairs are compared (docs/decisions/0025)."""

from harness.designs.joint import MOST_FACTORIAL, MOST_FRACTIONAL, MOST_PERMUTED, advice, combination, smaller
from harness.designs.layouts import design
from harness.designs.parts import (
    CONFIRMATION,
    CONTROLS,
    DEVICE_DOSE,
    DOSES,
    EMPTY_CALL,
    EMPTY_TWIN,
    HEAD_DOSE,
    HOST_DOSE,
    INSTRUMENTATION,
    PLACEBO,
    PROCESS,
    SPANS_REPEATED,
    TWIN,
    UNINSTRUMENTED,
    Design,
    Pair,
    Toggle,
    control_name,
    times_device,
)

__all__ = [
    "CONFIRMATION", "CONTROLS", "DEVICE_DOSE", "DOSES", "EMPTY_CALL", "EMPTY_TWIN", "HEAD_DOSE", "HOST_DOSE", "INSTRUMENTATION",
    "MOST_FACTORIAL", "MOST_FRACTIONAL", "MOST_PERMUTED", "PLACEBO", "PROCESS", "SPANS_REPEATED", "TWIN", "UNINSTRUMENTED", "Design",
    "Pair", "Toggle", "advice", "combination", "control_name", "design", "smaller", "times_device",
]  # fmt: skip
