"""The toggles of a target: how each is put in place, or its before put back, in code that is not ours.

A toggle's words, what its witness must count and how much the output may change stand in its file of
`harness/optimizations/`; here is what happens beside the target, one file for each, under the same name.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..code import Code
from .toggle import Toggle

NAMES = (
    "cached_cuda_check", "cached_device", "resample_cache", "prebuilt_resample", "precompiled_regex",
    "speaker_preregistration", "batched_cleanup", "skipped_text_head", "mask_reuse", "folded_weight_norm", "hop_reset",
    "frontend_threads", "event_wait", "fused_sampling",
)  # fmt: skip


def toggles(code: Code, device: str) -> dict[str, Toggle]:
    """Every toggle that this adapter knows, of this code on this device ("cpu", "cuda:0")."""
    return {name: _kind(name)(code, device) for name in NAMES}


def _kind(name: str) -> Any:
    return importlib.import_module("." + name, __package__).TOGGLE
