"""Start the process with environment variables, such as those of an allocator."""

from __future__ import annotations

from typing import Annotated

from harness.errors import UsageError
from harness.optimizations.allowed import Field
from harness.optimizations.process import as_it_starts, probe_of
from harness.optimizations.registry import Check, optimization
from harness.optimizations.sites import BindContext, ProcessStart
from harness.optimizations.witness import Witness

_ONE = r"[A-Za-z_][A-Za-z0-9_]*=\S*"
_SEVERAL = rf"^{_ONE}( {_ONE})*$"
_TAKEN = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "compare numbers of threads with torch_threads"),
    "PYTHONPATH": "it decides whose code is measured", "CUDA_VISIBLE_DEVICES": "choose the card with --device",
}  # fmt: skip
_SEGMENTS = "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"

_Variables = Annotated[str, Field(pattern=_SEVERAL, description="NAME=VALUE, several separated by a space")]


def started_with(context: BindContext, *, variables: _Variables = _SEGMENTS) -> ProcessStart:
    """A process with these variables."""
    split = (word.partition("=") for word in variables.split(" "))
    environment = {name: value for name, _, value in split}
    if taken := [name for name in environment if name in _TAKEN]:
        message = f"{taken[0]} is set by the harness: {_TAKEN[taken[0]]}"
        raise UsageError(message)
    return ProcessStart(environment=environment, holds=(".settings:has_environment", {"variables": environment}))


@optimization(
    title="Start the process with environment variables",
    sites=("process.start",),
    before=as_it_starts,
    witness=Witness(
        unit="requests of a process with these variables",
        probe=probe_of(started_with),
        before="none",
        after="every request",
    ),
    check=Check(grade="tolerance", bound=1e-3, reason="a library may do its sums in another order"),
    isolation="process",
)
def environment(context: BindContext, *, variables: _Variables = _SEGMENTS) -> ProcessStart:
    """Environment variables of the process, by default for an allocator on a GPU whose segments grow; several are separated by a space.

    For what is decided when a process starts: allocators (`PYTORCH_CUDA_ALLOC_CONF`, `LD_PRELOAD` of another malloc, `MALLOC_ARENA_MAX`), how idle threads wait
    (`OMP_WAIT_POLICY`), lazy loading of kernels (`CUDA_MODULE_LOADING`). The witness shows that the process has them, not
    that a library heeds them: of a name that is spelled wrong, "no material difference" is the truth.
    """
    return started_with(context, variables=variables)
