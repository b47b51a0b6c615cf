"""Keep the language model in numbers of 16 bits."""

from __future__ import annotations

from typing import Literal

from harness.optimizations.process import as_it_starts, probe_of
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext, ProcessStart
from harness.optimizations.witness import Witness


def kept_in(context: BindContext, *, dtype: Literal["bfloat16", "float16"] = "bfloat16") -> ProcessStart:
    """A process whose model is loaded so."""
    loaded = {"llm_dtype": dtype}
    return ProcessStart(model=loaded, holds=(".settings:is_described_by", {"facts": loaded}))


@optimization(
    title="Run the language model in bfloat16",
    sites=("process.start",),
    before=as_it_starts,
    witness=Witness(
        unit="requests of a process whose language model is of this type",
        probe=probe_of(kept_in),
        before="none",
        after="every request",
    ),
    check=Check(
        grade="spectral",
        bound=1.0,
        reason="likelihoods are rounded to 8 bits of mantissa (bfloat16) or 11 (float16); sound is made of tokens in float32",
        other_tokens=True,
    ),
    isolation="process",
)
def bf16_llm(context: BindContext, *, dtype: Literal["bfloat16", "float16"] = "bfloat16") -> ProcessStart:
    """Weights, key-value cache and arithmetic of the language model in `dtype`; tokens are drawn from likelihoods in float32.

    Flow and vocoder stay in float32. It halves what the language model holds and reads of memory. Tokens that are drawn may become
    others; then sound is compared from the same tokens. Voice conversion runs no language model: there it changes what is held, and no time.
    """
    return kept_in(context, dtype=dtype)
