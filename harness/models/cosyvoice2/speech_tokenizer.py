"""Speech tokens of a recording: a convolutional attention encoder and finite scalar quantisation (S3 tokenizer v2).

Parameters are named as in the PyTorch port of the published ONNX model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn

from harness.models.cosyvoice2.config import SpeechTokenizerConfig

SQUASH = 0.9990000128746033
"""Keeps tanh off its ends, so that rounding gives -1, 0 and 1 only; the float32 value that the published model has."""


class FsmnAttention(nn.Module):
    """Self-attention with rotary positions, beside a depthwise convolution over the values (the FSMN memory)."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.fsmn_block = nn.Conv1d(
            width, width, config.fsmn_kernel, padding=config.fsmn_kernel // 2, groups=width, bias=False
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """[B, T, width] -> the same; `cos`, `sin` are [T, width / heads]."""
        batch, frames, width = x.shape
        value = self.value(x)
        memory = self.fsmn_block(value.transpose(1, 2)).transpose(1, 2) + value
        query, key, heads = (
            part.view(batch, frames, self.heads, -1).transpose(1, 2) for part in (self.query(x), self.key(x), value)
        )
        attended = F.scaled_dot_product_attention(_rotate(query, cos, sin), _rotate(key, cos, sin), heads)
        heard: Tensor = memory + self.out(attended.transpose(1, 2).reshape(batch, frames, width))
        return heard


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a layer norm and added to its input."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        width = config.width
        self.attn = FsmnAttention(config)
        self.attn_ln = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.mlp_ln = nn.LayerNorm(width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attn(self.attn_ln(x), cos, sin)
        transformed: Tensor = self.mlp(self.mlp_ln(x))
        return x + transformed


class Encoder(nn.Module):
    """Log-mel frames (100 a second) -> hidden frames (25 a second): [B, mels, T] -> [B, ceil(T / 4), width]."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        self.head_dim = config.width // config.heads
        self.rope_theta = config.rope_theta
        self.conv1 = nn.Conv1d(config.mels, config.width, 3, stride=2, padding=1)
        self.conv2 = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))

    def forward(self, log_mel: Tensor) -> Tensor:
        x = F.gelu(self.conv2(F.gelu(self.conv1(log_mel)))).transpose(1, 2)
        cos, sin = _rotary(x.shape[1], self.head_dim, self.rope_theta, x.device)
        for block in self.blocks:
            x = block(x, cos, sin)
        return x


class Codebook(nn.Module):
    """Finite scalar quantisation: each of a few dimensions is rounded to one of `levels` values."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        self.levels = config.levels
        self.project_down = nn.Linear(config.width, config.code_dims)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, T, width] -> codes int64 [B, T], below levels ** code_dims."""
        rounded = (self.project_down(hidden).float().tanh() * SQUASH).round().long() + 1
        places = self.levels ** torch.arange(rounded.shape[-1], device=rounded.device)
        codes: Tensor = (rounded * places).sum(dim=-1)
        return codes


class Quantizer(nn.Module):
    """The level `quantizer` of the parameter names."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        self._codebook = Codebook(config)

    def forward(self, hidden: Tensor) -> Tensor:
        codes: Tensor = self._codebook(hidden)
        return codes


class SpeechTokenizer(nn.Module):
    """A recording as speech tokens, 25 a second."""

    def __init__(self, config: SpeechTokenizerConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.quantizer = Quantizer(config)

    @torch.inference_mode()
    def encode(self, log_mel: Tensor) -> Tensor:
        """Log-mel float32 [1, mels, T] (100 frames a second, on any device) -> tokens int64 [1, ceil(T / 4)]."""
        tokens: Tensor = self.quantizer(self.encoder(log_mel.to(self.encoder.conv1.weight.device)))
        return tokens


def _rotary(frames: int, head_dim: int, theta: float, device: torch.device) -> tuple[Tensor, Tensor]:
    frequencies = theta ** -(torch.arange(0, head_dim, 2, device=device).float() / head_dim)
    angles = torch.outer(torch.arange(frames, device=device).float(), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin
