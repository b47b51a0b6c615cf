"""The ONNX files of our front-end networks say what the networks say, at lengths that they were not traced with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from harness.models.cosyvoice2 import onnx_export
from harness.models.cosyvoice2.config import NANO
from harness.models.cosyvoice2.frontend import random_front_end_networks

LENGTHS = (4, 7, 99, 100, 200, 201, 352, 398, 399, 400, 401, 997, 3000)
"""Frames: on either side of the stretches that are pooled (200 of them), multiples of four and odd ones."""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, onnxruntime.InferenceSession]:
    tokenizer, encoder = random_front_end_networks(NANO, 1)
    folder = tmp_path_factory.mktemp("onnx")
    files = {"tokenizer": folder / "tokenizer.onnx", "encoder": folder / "encoder.onnx"}
    onnx_export.export_speech_tokenizer(tokenizer, NANO, files["tokenizer"])
    onnx_export.export_speaker_encoder(encoder, NANO, files["encoder"])
    return {name: _session(file) for name, file in files.items()}


def _session(file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("frames", LENGTHS)
def test_the_file_hears_a_voice_as_the_network_does(
    frames: int, sessions: dict[str, onnxruntime.InferenceSession]
) -> None:
    fbank = torch.randn(1, frames, NANO.speaker_encoder.mels, generator=torch.Generator().manual_seed(frames))
    expected = random_front_end_networks(NANO, 1)[1].eval().embed(fbank).numpy()
    (heard,) = sessions["encoder"].run(None, {"input": fbank.numpy()})
    assert np.abs(heard - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("frames", LENGTHS)
def test_the_file_makes_the_tokens_of_the_network(
    frames: int, sessions: dict[str, onnxruntime.InferenceSession]
) -> None:
    feats = torch.randn(1, NANO.speech_tokenizer.mels, frames, generator=torch.Generator().manual_seed(frames))
    network = random_front_end_networks(NANO, 1)[0].eval()
    with torch.inference_mode():
        expected = network.quantizer(network.encoder(feats)).numpy()
    length = np.array([frames], dtype=np.int32)
    (tokens,) = sessions["tokenizer"].run(None, {"feats": feats.numpy(), "feats_length": length})
    assert tokens.shape == (1, -(-frames // 4))
    assert (
        tokens == expected
    ).mean() > 0.98  # a value within rounding of a step of the quantizer may fall to either side
