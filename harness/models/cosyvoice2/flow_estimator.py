"""The flow's estimator: which way the mel moves at a time of the flow. A 1-D U-Net of one level, causal in its
convolutions, with transformer blocks; when streaming, these see their own chunk and all before it.

Parameters are named as in the public `flow.pt`, under `decoder.estimator`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn

from harness.models.cosyvoice2.config import FlowConfig
from harness.models.cosyvoice2.flow_encoder import chunk_mask

KERNEL = 3
TIME_SCALE = 1000.0


class _CausalConv(nn.Conv1d):
    """A convolution of three over the past and present."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, KERNEL)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (KERNEL - 1, 0)))


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, L]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class _ConvBlock(nn.Module):
    """Causal convolution, norm, Mish. The gaps keep the checkpoint's numbering, where two transpositions stand."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            _CausalConv(channels_in, channels_out), nn.Identity(), _ChannelNorm(channels_out), nn.Identity(), nn.Mish()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return out


class _ResNet(nn.Module):
    """Two convolution blocks with the flow's time added between them, beside a pointwise one."""

    def __init__(self, channels_in: int, channels_out: int, time_width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Mish(), nn.Linear(time_width, channels_out))
        self.block1 = _ConvBlock(channels_in, channels_out)
        self.block2 = _ConvBlock(channels_out, channels_out)
        self.res_conv = nn.Conv1d(channels_in, channels_out, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        hidden = self.block1(x) + self.mlp(time)[:, :, None]
        out: Tensor = self.block2(hidden) + self.res_conv(x)
        return out


class _Attention(nn.Module):
    def __init__(self, channels: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, heads * head_dim, bias=False)
        self.to_k = nn.Linear(channels, heads * head_dim, bias=False)
        self.to_v = nn.Linear(channels, heads * head_dim, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(heads * head_dim, channels)])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for project in (self.to_q, self.to_k, self.to_v)
        )
        heard = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out: Tensor = self.to_out[0](heard.transpose(1, 2).flatten(2))
        return out


class _GeluProjection(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.proj(x))


class _FeedForward(nn.Module):
    """Four times wider inside. The gap keeps the checkpoint's numbering, where a dropout stands."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            _GeluProjection(channels, 4 * channels), nn.Identity(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class _TransformerBlock(nn.Module):
    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        channels = config.estimator_channels
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = _Attention(channels, config.estimator_heads, config.estimator_head_dim)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = _FeedForward(channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn1(self.norm1(x), mask)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class _TimeEmbedding(nn.Module):
    def __init__(self, channels_in: int, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(channels_in, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, time: Tensor) -> Tensor:
        """Flow times [B] in 0..1 -> [B, width]."""
        half = self.linear_1.in_features // 2
        index = torch.arange(half, device=time.device, dtype=torch.float32)
        rate = torch.exp(index * -(math.log(10_000.0) / (half - 1)))
        angle = TIME_SCALE * time[:, None] * rate
        out: Tensor = self.linear_2(F.silu(self.linear_1(torch.cat([angle.sin(), angle.cos()], dim=-1).to(time.dtype))))
        return out


class _Stage(nn.ModuleList):
    """A residual block, transformer blocks and, in the outer stages, a convolution: [B, C, L] -> [B, channels, L]."""

    def __init__(self, config: FlowConfig, channels_in: int, *, outer: bool) -> None:
        channels = config.estimator_channels
        super().__init__(
            [
                _ResNet(channels_in, channels, _time_width(config)),
                nn.ModuleList(_TransformerBlock(config) for _ in range(config.estimator_blocks)),
                *([_CausalConv(channels, channels)] if outer else []),
            ]
        )

    def forward(self, x: Tensor, at: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the blocks make of `x` at the embedded time `at`, and the same after the convolution, if any."""
        resnet, transformer, *after = self
        frames: Tensor = resnet(x, at).transpose(1, 2).contiguous()
        for block in transformer.children():
            frames = block(frames, mask)
        made = frames.transpose(1, 2).contiguous()
        return made, after[0](made) if after else made


class FlowEstimator(nn.Module):
    """Noisy mel and its conditions, each [B, mels, L] -> direction [B, mels, L] at flow times [B]."""

    def __init__(self, config: FlowConfig, mels: int) -> None:
        super().__init__()
        channels, conditioned = config.estimator_channels, 4 * mels
        self.chunk = config.chunk_tokens * config.mel_per_token
        self.time_mlp = _TimeEmbedding(conditioned, _time_width(config))
        self.down_blocks = nn.ModuleList([_Stage(config, conditioned, outer=True)])
        self.mid_blocks = nn.ModuleList(
            _Stage(config, channels, outer=False) for _ in range(config.estimator_mid_blocks)
        )
        self.up_blocks = nn.ModuleList([_Stage(config, 2 * channels, outer=True)])
        self.final_block = _ConvBlock(channels, channels)
        self.final_proj = nn.Conv1d(channels, mels, 1)

    def forward(
        self, x: Tensor, mu: Tensor, time: Tensor, speaker: Tensor, prompt: Tensor, *, streaming: bool = False
    ) -> Tensor:
        """Noisy mel `x`, encoder output `mu` and `prompt` mel, each [B, mels, L]; `speaker` [B, mels]; `time` [B]."""
        at = self.time_mlp(time)
        mask = chunk_mask(x.shape[-1], self.chunk, x.device) if streaming else None
        x = torch.cat([x, mu, speaker[:, :, None].expand_as(mu), prompt], dim=1)
        skip, x = self.down_blocks[0](x, at, mask)
        for stage in self.mid_blocks:
            x, _ = stage(x, at, mask)
        _, x = self.up_blocks[0](torch.cat([x, skip], dim=1), at, mask)
        out: Tensor = self.final_proj(self.final_block(x))
        return out


def _time_width(config: FlowConfig) -> int:
    return 4 * config.estimator_channels
