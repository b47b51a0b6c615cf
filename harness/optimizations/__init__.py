"""The optimizations that can be toggled: a registry, and one file per toggle beside this one.

A toggle is a pair of *builders*, before and after. Each is called when a pipeline is bound (`bind`, part of `init`) with
a `BindContext` and the parameters that the scenario gives, and returns what goes into the toggle's sites: places of the
pipeline where the code asks instead of deciding (`sites.SITES`). No toggle changes global state, but for those of isolation
"process": the runner starts a process for each of their arms (`process`).

    from harness.optimizations import registry, bind
    registry()["resample_cache"].witness.unit         # "Resample kernels built"
    sites = bind({"resample_cache": True}, context)   # site name -> implementation, for every site
"""

from __future__ import annotations

from harness.optimizations.cache import Cache, Held, Misses
from harness.optimizations.registry import (
    BITWISE,
    Check,
    Optimization,
    bind,
    held,
    lacking,
    named,
    optimization,
    registry,
)
from harness.optimizations.replacing import original, patched, replaces
from harness.optimizations.sites import (
    CHECKOUT_SITES,
    PLANTED_SITES,
    PROCESS_SITES,
    SITES,
    SPEECH_SITES,
    VOICE_SITES,
    BindContext,
)
from harness.optimizations.witness import Witness
from harness.worker.probes import Probe, calls, counter

__all__ = [
    "BITWISE", "CHECKOUT_SITES", "PLANTED_SITES", "PROCESS_SITES", "SITES", "SPEECH_SITES", "VOICE_SITES", "BindContext", "Cache", "Check", "Held",
    "Misses", "Optimization", "Probe", "Witness", "bind", "calls", "counter", "held", "lacking", "named", "optimization", "original",
    "patched", "registry", "replaces",
]  # fmt: skip
