"""Our front-end networks as ONNX files with the interface of the published ones.

Needs the packages `onnx` and `onnxscript`, which nothing else does.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import UsageError
from harness.models.cosyvoice2.config import CosyVoice2Config
from harness.models.cosyvoice2.speaker_encoder import SpeakerEncoder
from harness.models.cosyvoice2.speech_tokenizer import SpeechTokenizer

OPSET = 18
EXAMPLE_FRAMES = 352
"""The length that the graphs are traced with; it then may be any."""


class _SpeechTokens(nn.Module):
    """Feats float32 [1, mels, T], length int32 [1] -> tokens int32 [1, ceil(T / 4)]."""

    def __init__(self, network: SpeechTokenizer) -> None:
        super().__init__()
        self.network = network

    def forward(self, feats: Tensor, feats_length: Tensor) -> Tensor:
        heard = torch.arange(feats.shape[2])[None, None] < feats_length[:, None, None]
        tokens: Tensor = self.network.quantizer(self.network.encoder(feats * heard.to(feats.dtype)))
        return tokens.to(torch.int32)


class _Embedding(nn.Module):
    """Filter banks float32 [1, T, mels] -> float32 [1, embedding]."""

    def __init__(self, network: SpeakerEncoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, fbank: Tensor) -> Tensor:
        return self.network.embedding(fbank)


def require_packages() -> None:
    """Raise UsageError where what exporting needs is not installed."""
    try:
        import onnx  # noqa: F401  asked for before minutes are spent on weights
        import onnxscript  # noqa: F401
    except ImportError as error:
        message = f"writing ONNX files needs onnx and onnxscript ({error}): python -m pip install onnx onnxscript"
        raise UsageError(message) from None


def export_speech_tokenizer(network: SpeechTokenizer, config: CosyVoice2Config, file: Path) -> None:
    """Write `network` as `speech_tokenizer_v2.onnx`."""
    feats = torch.zeros(1, config.speech_tokenizer.mels, EXAMPLE_FRAMES)
    length = torch.tensor([EXAMPLE_FRAMES], dtype=torch.int32)
    names = ["feats", "feats_length"], ["indices"]
    _export(
        _SpeechTokens(network),
        (feats, length),
        file,
        names,
        {"feats": {2: torch.export.Dim.DYNAMIC}, "feats_length": {}},
    )


def export_speaker_encoder(network: SpeakerEncoder, config: CosyVoice2Config, file: Path) -> None:
    """Write `network` as `campplus.onnx`."""
    fbank = torch.zeros(1, EXAMPLE_FRAMES, config.speaker_encoder.mels)
    _export(_Embedding(network), (fbank,), file, (["input"], ["output"]), {"fbank": {1: torch.export.Dim.DYNAMIC}})


def _export(
    module: nn.Module, arguments: tuple[Tensor, ...], file: Path, names: tuple[list[str], list[str]], free: Any
) -> None:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of operators of packages that are not installed and not used
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own use of what it deprecates
            program = torch.export.export(
                module.eval(), arguments, dynamic_shapes=free,
                prefer_deferred_runtime_asserts_over_guards=True,  # without it torch 2.11 refuses lengths that divide evenly
            )  # fmt: skip
            torch.onnx.export(
                program, arguments, str(file), input_names=names[0], output_names=names[1], dynamo=True,
                external_data=False, opset_version=OPSET, verbose=False,
            )  # fmt: skip
    finally:
        logger.setLevel(level)
