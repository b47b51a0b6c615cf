"""The public code, where it is at hand: COSYVOICE_HOME names a checkout of FunAudioLLM/CosyVoice, or an installed copy."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.inspecting import Inspection, inspect

STANDS_THERE = {
    "cached_cuda_check": r"torch\.cuda\.is_available\(\)",
    "cached_device": r"torch\.cuda\.is_available\(\)",
    "resample_cache": r"Resample\(",
    "prebuilt_resample": r"Resample\(",
    "precompiled_regex": r"re(gex)?\.(sub|fullmatch|compile)\(",
    "speaker_preregistration": r"self\._extract_sp",
    "batched_cleanup": r"empty_cache\(\)|gc\.collect\(\)",
    "unused_text_head": r"self\.model\(",
    "hop_never_reset": r"hop_len = .*hop_len \*",
    "prefix_recomputed": r"offset|token_hop_len:\]",
    "sampling_on_host": r"\.item\(\)|torch\.tensor\(|cum_prob|def |not in top_ids|\.multinomial\(",
    "masks_rebuilt": r"add_optional_chunk_mask\(|\.item\(\)|def forward\(",
    "sleeping_to_wait": r"time\.sleep\(",
    "cache_grows": r"torch\.cat\(\[(key|value)_cache|self\.model\(",
    "onnx_on_one_thread": r"intra_op_num_threads = 1|InferenceSession\(",
    "weight_norm_kept": r"weight_norm\(",
    "host_round_trips": r"np\.hamming\(|\.cpu\(\)|self\.\w+.*\.to\(",
    "float32_weights": r"\.to\(self\.device\)|\.half\(\)",
}
"""What a line that a rule reports must have in it: written for this test, and read by a search instead of a parser."""
SEED_LINES = {
    ("cached_cuda_check", "cosyvoice/cli/model.py"): {36, 58, 86, 235, 247, 263, 384},
    ("batched_cleanup", "cosyvoice/cli/model.py"): {236, 385},
    ("resample_cache", "cosyvoice/cli/frontend.py"): {161, 207, 220},
    ("cached_device", "cosyvoice/cli/frontend.py"): {50, 56},
    ("precompiled_regex", "cosyvoice/utils/frontend_utils.py"): {17, 136},
}
"""Lines of the release that the seed document was written about (cosyvoice-minicpmo 0.1.0), counted by hand."""


@pytest.fixture(scope="module")
def home() -> Path:
    if not os.environ.get("COSYVOICE_HOME"):
        pytest.skip("COSYVOICE_HOME names no checkout of CosyVoice: rules are tried on this project's own samples only")
    return Path(os.environ["COSYVOICE_HOME"])


@pytest.fixture(scope="module")
def inspection(home: Path) -> Inspection:
    return inspect(home)


def test_every_reported_line_is_what_the_rule_is_about(home: Path, inspection: Inspection) -> None:
    for finding in inspection.findings:
        for evidence in (*finding.costs, *finding.avoided):
            line = (home / evidence.place.file).read_text(encoding="utf-8").splitlines()[evidence.place.line - 1]
            assert line.strip() == evidence.place.code
            assert re.search(STANDS_THERE[finding.id], line), f"{finding.id}: {evidence.place}: {line}"


def test_everything_is_read(inspection: Inspection) -> None:
    assert inspection.unread == ()
    assert {"engine", "front end", "facade", "prompt"} <= {fact.about for fact in inspection.facts}


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [("cached_cuda_check", "torch.cuda.is_available()"), ("batched_cleanup", "torch.cuda.empty_cache()")],
)
def test_a_search_through_the_engines_file_finds_no_more_than_the_rule(
    rule: str, wanted: str, home: Path, inspection: Inspection
) -> None:
    files = {fact.places[0].file for fact in inspection.facts if fact.about == "engine"}
    searched = {
        (file, number)
        for file in files
        for number, line in enumerate((home / file).read_text(encoding="utf-8").splitlines(), 1)
        if wanted in line.partition("#")[0]
    }
    (finding,) = [finding for finding in inspection.findings if finding.id == rule]
    told = {(evidence.place.file, evidence.place.line) for evidence in (*finding.costs, *finding.avoided)}
    assert told == searched


def test_the_lines_that_the_seed_document_speaks_of_come_out(inspection: Inspection) -> None:
    if not any(fact.about == "Resample" and "frontend_token2wav" in fact.found for fact in inspection.facts):
        pytest.skip("COSYVOICE_HOME is not the release that the seed document was written about")
    for (rule, file), lines in SEED_LINES.items():
        (finding,) = [finding for finding in inspection.findings if finding.id == rule]
        evidence = (*finding.costs, *finding.avoided)
        assert {each.place.line for each in evidence if each.place.file == file} == lines
