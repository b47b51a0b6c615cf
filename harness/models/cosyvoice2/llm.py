"""The speech language model: Qwen2 layers that read text and go on in speech tokens, one at a time.

Parameters are named as in the public `llm.pt`. The text head (`llm.model.lm_head`, tied to the text embedding) exists
so that the checkpoint loads; no step computes it.
"""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor, nn

from harness.models.cosyvoice2.config import LlmConfig
from harness.models.cosyvoice2.qwen2 import KeyValueCache, Qwen2WithHead
from harness.models.cosyvoice2.sampling import repetition_aware

START, TASK = 0, 1
"""Rows of `llm_embedding`: what stands before the text, and what stands between text and speech."""


class _TextModel(nn.Module):
    """The level `llm.model` of the checkpoint's parameter names."""

    def __init__(self, config: LlmConfig) -> None:
        super().__init__()
        self.model = Qwen2WithHead(config)


class SpeechLM(nn.Module):
    """Text tokens and a speech prompt in, speech tokens (25 a second) out.

    Token ids from `config.speech_vocab` on (three of them) end the speech; they are never given out.
    """

    def __init__(self, config: LlmConfig) -> None:
        super().__init__()
        self.config = config
        ids = config.speech_vocab + 3
        self.llm_embedding = nn.Embedding(2, config.hidden)
        self.llm = _TextModel(config)
        self.llm_decoder = nn.Linear(config.hidden, ids)
        self.speech_embedding = nn.Embedding(ids, config.hidden)

    def forced_length(self, text_tokens: int) -> int | None:
        """How many speech tokens `text_tokens` are spoken with, at least one; None where the model decides."""
        ratio = self.config.tokens_per_text_token
        return None if ratio is None else max(1, round(text_tokens * ratio))

    def length_bounds(self, text_tokens: int) -> tuple[int, int]:
        """The fewest and the most speech tokens for `text_tokens` when the model itself decides where to stop."""
        return int(text_tokens * self.config.min_ratio), int(text_tokens * self.config.max_ratio)

    def new_cache(self) -> KeyValueCache:
        """An empty key-value cache for `step`."""
        return KeyValueCache(self.config.layers)

    @torch.inference_mode()
    def prefix(self, text: Tensor, prompt_text: Tensor, prompt_speech: Tensor) -> Tensor:
        """Embed the input: start, prompt text + text, task, prompt speech -> float [1, 2+P+T+S, hidden]."""
        start, task = self.llm_embedding.weight[:, None, None, :].unbind(0)
        words = self.llm.model.model.embed_tokens(torch.cat([prompt_text, text], dim=1))
        return torch.cat([start, words, task, self.speech_embedding(prompt_speech)], dim=1)

    @torch.inference_mode()
    def step(self, embedded: Tensor, cache: KeyValueCache) -> Tensor:
        """The next token's logits [speech_vocab + 3] after `embedded` [1, L, hidden], which `cache` then also holds.

        In float32, whatever the weights are of: a token is drawn from them.
        """
        logits: Tensor = self.llm_decoder(self.llm.model.model(embedded, cache)[0, -1])
        return logits.float()

    @torch.inference_mode()
    def _embed(self, token: int) -> Tensor:
        return self.speech_embedding.weight[token].view(1, 1, -1)

    def generate(
        self,
        text: Tensor,
        prompt_text: Tensor,
        prompt_speech: Tensor,
        length: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Generator[int, None, bool]:
        """Speech token ids, one an iteration, for `text` [1, T] in the voice of `prompt_text` [1, P] and
        `prompt_speech` [1, S] (all int64; P and S may be 0).

        With `length`, exactly that many. Without, the model stops by itself between `length_bounds(T)`, and the
        generator's return value (`capped = yield from ...`) says whether it was cut off at the upper one; a caller
        that only iterates sees the same by counting.
        """
        fewest, most = self.length_bounds(text.shape[1]) if length is None else (length, length)
        cache = self.new_cache()
        embedded = self.prefix(text, prompt_text, prompt_speech)
        spoken: list[int] = []
        while len(spoken) < most:
            token = self._next(self.step(embedded, cache), spoken, generator, may_stop=len(spoken) >= fewest)
            if token >= self.config.speech_vocab:
                return False
            spoken.append(token)
            yield token
            embedded = self._embed(token)
        return length is None

    @torch.inference_mode()
    def _next(self, logits: Tensor, spoken: list[int], generator: torch.Generator | None, *, may_stop: bool) -> int:
        if not may_stop:
            logits[self.config.speech_vocab :] = -torch.inf
        return repetition_aware(logits, spoken, self.config, generator)
