"""What is looked for: one function per rule, whose docstring is the text for readers, in files by what they are about."""

from __future__ import annotations

from harness.inspecting.rules import (
    cleanup,
    device,
    llm,
    masks,
    onnx,
    precision,
    regexes,
    resample,
    sampling,
    speakers,
    streaming,
    transfers,
    vocoder,
)
from harness.inspecting.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    device.cached_cuda_check,
    resample.resample_cache,
    resample.prebuilt_resample,
    regexes.precompiled_regex,
    device.cached_device,
    speakers.speaker_preregistration,
    cleanup.batched_cleanup,
    llm.unused_text_head,
    streaming.hop_never_reset,
    streaming.prefix_recomputed,
    sampling.sampling_on_host,
    masks.masks_rebuilt,
    streaming.sleeping_to_wait,
    llm.cache_grows,
    onnx.onnx_on_one_thread,
    vocoder.weight_norm_kept,
    transfers.host_round_trips,
    precision.float32_weights,
)
"""Every rule, in the order in which reports have them: the toggles, then the losses by how much they were measured to cost."""
