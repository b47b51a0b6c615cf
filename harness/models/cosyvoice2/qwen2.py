"""Qwen2 layers in this project's own code, with parameters named as in Hugging Face's `Qwen2ForCausalLM`.

The arithmetic is that of `transformers` (a test compares the two); the class is our own because importing that module
costs every worker 1.9 of 3.1 s, and leaves 220,000 objects for each garbage collection to walk, which then drowns
what is measured (docs/decisions/0005).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.models.cosyvoice2.config import LlmConfig


class KeyValueCache:
    """Keys and values of each layer so far, [1, KV heads, length, head size]; grows by concatenation."""

    def __init__(self, layers: int) -> None:
        self._held: list[tuple[Tensor, Tensor] | None] = [None] * layers

    @property
    def length(self) -> int:
        """How many positions are held."""
        return 0 if self._held[0] is None else self._held[0][0].shape[2]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append to a layer and return all that it holds."""
        held = self._held[layer]
        if held is not None:
            keys, values = torch.cat([held[0], keys], dim=2), torch.cat([held[1], values], dim=2)
        self._held[layer] = keys, values
        return keys, values


class RmsNorm(nn.Module):
    """Scale to root mean square one, computed in float32 (Zhang and Sennrich, 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self._eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """X [..., width] -> the same shape."""
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self._eps)
        return self.weight * scaled.to(x.dtype)


class Attention(nn.Module):
    """Causal attention with rotary positions and fewer key-value heads than query heads."""

    def __init__(self, config: LlmConfig, layer: int) -> None:
        super().__init__()
        self._layer = layer
        self._size = config.hidden // config.heads
        self._repeats = config.heads // config.kv_heads
        self.q_proj = nn.Linear(config.hidden, config.heads * self._size)
        self.k_proj = nn.Linear(config.hidden, config.kv_heads * self._size)
        self.v_proj = nn.Linear(config.hidden, config.kv_heads * self._size)
        self.o_proj = nn.Linear(config.heads * self._size, config.hidden, bias=False)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: KeyValueCache) -> Tensor:
        """X [1, L, hidden] -> the same shape; `cache` holds what was before and takes what is new."""
        query, key, value = (self._split(layer(x)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        key, value = cache.extend(self._layer, _rotate(key, rotation), value)
        key, value = (part.repeat_interleave(self._repeats, dim=1) for part in (key, value))
        mask = _causal(query.shape[2], key.shape[2], x.device) if query.shape[2] > 1 else None
        mixed = functional.scaled_dot_product_attention(_rotate(query, rotation), key, value, attn_mask=mask)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self._size).transpose(1, 2)


class FeedForward(nn.Module):
    """Gated feed-forward: down(silu(gate(x)) * up(x))."""

    def __init__(self, config: LlmConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.down_proj = nn.Linear(config.ffn, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """X [..., hidden] -> the same shape."""
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """Attention and feed-forward, each on normalised input and added to it."""

    def __init__(self, config: LlmConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = FeedForward(config)
        self.input_layernorm = RmsNorm(config.hidden, config.rms_norm_eps)
        self.post_attention_layernorm = RmsNorm(config.hidden, config.rms_norm_eps)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: KeyValueCache) -> Tensor:
        """X [1, L, hidden] -> the same shape."""
        x = x + self.self_attn(self.input_layernorm(x), rotation, cache)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Qwen2(nn.Module):
    """Embedded tokens in, hidden states out (`model` in the checkpoint's names)."""

    def __init__(self, config: LlmConfig) -> None:
        super().__init__()
        self._size = config.hidden // config.heads
        self._theta = config.rope_theta
        self.embed_tokens = nn.Embedding(config.text_vocab, config.hidden)
        self.layers = nn.ModuleList(Layer(config, layer) for layer in range(config.layers))
        self.norm = RmsNorm(config.hidden, config.rms_norm_eps)

    def forward(self, embedded: Tensor, cache: KeyValueCache) -> Tensor:
        """Embedded [1, L, hidden], which follows what `cache` holds -> hidden states [1, L, hidden]."""
        rotation = self._rotation(cache.length, embedded)
        x = embedded
        for layer in self.layers:
            x = layer(x, rotation, cache)
        out: Tensor = self.norm(x)
        return out

    def _rotation(self, start: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of rotary positions (Su et al., 2021) from `start` on, [L, head size] each."""
        steps = torch.arange(0, self._size, 2, dtype=torch.float32, device=like.device) / self._size
        places = torch.arange(start, start + like.shape[1], dtype=torch.float32, device=like.device)
        angles = torch.outer(places, 1.0 / (self._theta**steps))
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


class Qwen2WithHead(nn.Module):
    """`Qwen2` with the text head that the checkpoint has, tied to the embedding; nothing here computes it."""

    def __init__(self, config: LlmConfig) -> None:
        super().__init__()
        self.model = Qwen2(config)
        self.lm_head = nn.Linear(config.hidden, config.text_vocab, bias=False)
        self.lm_head.weight = self.model.embed_tokens.weight


def _rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cosines, sines = rotation
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines


def _causal(queries: int, keys: int, device: torch.device) -> Tensor:
    """Which keys each query may see, [queries, keys]: its own position and those before it."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)
