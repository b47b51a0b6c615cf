"""Let float32 matrices be multiplied less exactly (TF32 on an NVIDIA GPU)."""

from __future__ import annotations

from typing import Literal

from harness.optimizations.process import as_it_starts, probe_of
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext, ProcessStart
from harness.optimizations.witness import Witness


def multiplied(context: BindContext, *, precision: Literal["high", "medium"] = "high") -> ProcessStart:
    """A process that multiplies matrices so."""
    told = {"precision": precision}
    return ProcessStart(
        call=(".settings:set_matmul_precision", told),
        holds=(".settings:has_matmul_precision", told),
    )


@optimization(
    title="Multiply float32 matrices by TF32",
    sites=("process.start",),
    before=as_it_starts,
    witness=Witness(
        unit="requests of a process with this precision",
        probe=probe_of(multiplied),
        before="none",
        after="every request",
    ),
    check=Check(grade="spectral", bound=1.0, reason="factors are rounded to 10 bits of mantissa", other_tokens=True),
    isolation="process",
)
def matmul_precision(context: BindContext, *, precision: Literal["high", "medium"] = "high") -> ProcessStart:
    """`torch.set_float32_matmul_precision("high")`: on a GPU with tensor cores, TF32; `medium` allows bfloat16 inside.

    Where no unit of the device multiplies so, nothing changes but the setting. Tokens that are drawn by likelihood may become others; then
    sound is compared from the same tokens.
    """
    return multiplied(context, precision=precision)
