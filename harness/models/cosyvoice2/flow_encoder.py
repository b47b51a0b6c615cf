"""The flow's encoder: conformer blocks over speech tokens, doubled in rate, conformer blocks over mel frames.

Self-attention sees relative positions (Transformer-XL). When streaming, a position sees its own chunk and all before it,
so that a chunk's output is final once its lookahead has arrived. Parameters are named as in the public `flow.pt`.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn

from harness.models.cosyvoice2.config import FlowConfig

UPSAMPLING = 2


def chunk_mask(length: int, chunk: int, device: torch.device) -> Tensor:
    """Bool [length, length]: may the row's position see the column's? Its own chunk and every earlier one."""
    position = torch.arange(length, device=device)
    chunk_end = (position // chunk + 1) * chunk
    return position[None, :] < chunk_end[:, None]


@lru_cache(maxsize=8)
def _position_table(length: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Sinusoids [1, 2*length-1, width] of the distances length-1 .. -(length-1), sine and cosine interleaved."""
    with torch.inference_mode(mode=False):
        distance = torch.arange(length - 1, -length, -1, dtype=torch.float32, device=device)
        rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32, device=device) * -(math.log(10_000.0) / width))
        angle = distance[:, None] * rate
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[None].to(dtype)


def relative_positions(length: int, like: Tensor) -> Tensor:
    """Encodings [1, 2*length-1, width] of every distance between two of `length` positions, farthest past first."""
    room = max(512, 1 << (length - 1).bit_length())
    table = _position_table(room, like.shape[-1], like.device, like.dtype)
    return table[:, room - length : room + length - 1]


class _Attention(nn.Module):
    """Multi-head self-attention with a content and a position bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(width, width)
        self.linear_k = nn.Linear(width, width)
        self.linear_v = nn.Linear(width, width)
        self.linear_out = nn.Linear(width, width)
        self.linear_pos = nn.Linear(width, width, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, width // heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, width // heads))

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        split = (batch, -1, self.heads, width // self.heads)
        query = self.linear_q(x).view(split)
        key = self.linear_k(x).view(split).transpose(1, 2)
        value = self.linear_v(x).view(split).transpose(1, 2)
        distance = self.linear_pos(positions).view(1, -1, *split[2:]).transpose(1, 2)
        by_content = (query + self.pos_bias_u).transpose(1, 2) @ key.transpose(-2, -1)
        by_distance = _by_position((query + self.pos_bias_v).transpose(1, 2) @ distance.transpose(-2, -1))
        scores = (by_content + by_distance) / math.sqrt(split[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        heard = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, length, width)
        out: Tensor = self.linear_out(heard)
        return out


def _by_position(by_distance: Tensor) -> Tensor:
    """Scores per distance [B, H, L, 2L-1] -> scores per key [B, H, L, L]: row i starts at distance i.

    One zero before each row makes the rows 2L long; read again 2L-1 at a time, each row begins one entry later.
    """
    batch, heads, length, distances = by_distance.shape
    padded = F.pad(by_distance, (1, 0)).view(batch, heads, distances + 1, length)
    return padded[:, :, 1:].reshape(batch, heads, length, distances)[..., :length]


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(width, hidden)
        self.w_2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w_2(F.silu(self.w_1(x)))
        return out


class _Block(nn.Module):
    """Attention, then feed-forward, each normalised before and added to its input."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.self_attn = _Attention(config.width, config.heads)
        self.feed_forward = _FeedForward(config.width, config.ffn)
        self.norm_ff = nn.LayerNorm(config.width, eps=1e-12)
        self.norm_mha = nn.LayerNorm(config.width, eps=1e-12)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.norm_mha(x), positions, mask)
        out: Tensor = x + self.feed_forward(self.norm_ff(x))
        return out


class _Embed(nn.Module):
    """Linear, normalise, and scale up so that content outweighs position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width, eps=1e-5))
        self.scale = math.sqrt(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(x) * self.scale
        return out


class _Lookahead(nn.Module):
    """Two convolutions that bring `lookahead` coming positions into each one; the only place that sees the future."""

    def __init__(self, width: int, lookahead: int) -> None:
        super().__init__()
        self.lookahead = lookahead
        self.conv1 = nn.Conv1d(width, width, lookahead + 1)
        self.conv2 = nn.Conv1d(width, width, 3)

    def forward(self, x: Tensor, coming: Tensor | None) -> Tensor:
        """`x` [B, L, width] and what comes after it [B, lookahead, width], or None at the end of the sentence."""
        ahead = x if coming is None else torch.cat([x, coming], dim=1)
        seen = F.pad(ahead.transpose(1, 2), (0, self.lookahead if coming is None else 0))
        hidden = F.leaky_relu(self.conv1(seen))
        smoothed: Tensor = self.conv2(F.pad(hidden, (2, 0)))
        return smoothed.transpose(1, 2) + x


class _Upsample(nn.Module):
    """Repeat each position and smooth over the past."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 2 * UPSAMPLING + 1)

    def forward(self, x: Tensor) -> Tensor:
        repeated = x.repeat_interleave(UPSAMPLING, dim=1).transpose(1, 2)
        smoothed: Tensor = self.conv(F.pad(repeated, (2 * UPSAMPLING, 0)))
        # Laid out as the public code has it, so that the next layer's sums round alike.
        return smoothed.transpose(1, 2).contiguous()


class FlowEncoder(nn.Module):
    """Embedded speech tokens [B, N, width] -> mel-rate features [B, 2*N, width]."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.chunk = config.chunk_tokens
        self.embed = _Embed(config.width)
        self.pre_lookahead_layer = _Lookahead(config.width, config.lookahead)
        self.encoders = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.up_layer = _Upsample(config.width)
        self.up_embed = _Embed(config.width)
        self.up_encoders = nn.ModuleList(_Block(config) for _ in range(config.upsample_blocks))
        self.after_norm = nn.LayerNorm(config.width, eps=1e-5)

    def forward(self, x: Tensor, coming: Tensor | None = None, *, streaming: bool = False) -> Tensor:
        """`coming` [B, lookahead, width] are the tokens after `x` where there are some; they are heard, not encoded."""
        heard = self.pre_lookahead_layer(self.embed(x), None if coming is None else self.embed(coming))
        encoded = self._blocks(self.encoders, heard, self.chunk if streaming else None)
        faster = self.up_embed(self.up_layer(encoded))
        frames = self._blocks(self.up_encoders, faster, self.chunk * UPSAMPLING if streaming else None)
        out: Tensor = self.after_norm(frames)
        return out

    def _blocks(self, blocks: nn.ModuleList, x: Tensor, chunk: int | None) -> Tensor:
        positions = relative_positions(x.shape[1], x)
        mask = None if chunk is None else chunk_mask(x.shape[1], chunk, x.device)
        for block in blocks:
            x = block(x, positions, mask)
        return x
