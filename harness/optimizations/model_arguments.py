"""Give the model other arguments, such as those that the public code has for speed."""

from __future__ import annotations

import re
from typing import Annotated

from harness.optimizations.allowed import Field
from harness.optimizations.process import as_it_starts, probe_of
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext, ProcessStart
from harness.optimizations.witness import Witness

_ONE = r"[A-Za-z_][A-Za-z0-9_]*=[^\s,]+"
_SEVERAL = rf"^{_ONE}( {_ONE})*$"
_HALF = "fp16=true"
_WORDS = {"true": True, "false": False}
_WHOLE, _FRACTION = re.compile(r"-?(0|[1-9][0-9]{0,17})"), re.compile(r"-?[0-9]+\.[0-9]+(e[+-]?[0-9]{1,2})?")


_Arguments = Annotated[str, Field(pattern=_SEVERAL, description="NAME=VALUE, several separated by a space")]


def made_with(context: BindContext, *, arguments: _Arguments = _HALF) -> ProcessStart:
    """A process whose model is given these arguments, over those of the scenario's `model.arguments`."""
    split = (word.partition("=") for word in arguments.split(" "))
    given = {"arguments": {name: _value(text) for name, _, text in split}}
    return ProcessStart(model=given, holds=(".settings:is_made_with", given))


def _value(text: str) -> bool | int | float | str:
    """`true`, a number as it is commonly written, or else text, which stands in quotes where it looks like one of these."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text):
        return float(text)
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


@optimization(
    title="Give the model other arguments",
    sites=("process.start",),
    before=as_it_starts,
    witness=Witness(
        unit="requests of a process whose model was given these arguments, and kept them",
        probe=probe_of(made_with),
        before="none",
        after="every request",
    ),
    check=Check(
        grade="spectral",
        bound=1.0,
        reason="such arguments choose other arithmetic, as fp16 does: sums are rounded otherwise",
        other_tokens=True,
    ),
    isolation="process",
)
def model_arguments(context: BindContext, *, arguments: _Arguments = _HALF) -> ProcessStart:
    """Arguments of a checkout's facade or of your own function as NAME=VALUE, by default `fp16=true`; several are separated by a space.

    For what a code offers by itself: the public code has fp16, load_jit, load_trt and load_vllm. A value is true, false, a number or a
    text, in double quotes where it looks like one of these. An argument counts where a constructor, or your function, has a parameter of that name, and no
    constructor sets it aside, as the public code does with fp16 where there is no GPU: then the toggle is inert. What other code makes of it is not
    seen. Tokens that are drawn may become others; then sound is compared from the same tokens.
    """
    return made_with(context, arguments=arguments)
