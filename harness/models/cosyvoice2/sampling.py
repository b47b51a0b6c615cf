"""Repetition-aware sampling of one speech token (VALL-E 2), over log-probabilities or logits.

The draw happens on the generator's device. With a CPU generator, a seed therefore gives the same tokens for a model on a
GPU, and the scores cross to the host in one copy instead of one for each question asked of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.models.cosyvoice2.config import LlmConfig


def nucleus(scores: Tensor, top_p: float, top_k: int, generator: torch.Generator | None) -> int:
    """Draw from the likeliest entries of `scores` [V]: as many as reach `top_p` together, at most `top_k`."""
    likeliest, ids = scores.softmax(dim=0).topk(min(top_k, scores.shape[0]))
    before = likeliest.cumsum(dim=0) - likeliest
    kept = max(1, int((before < top_p).sum()))
    return int(ids[likeliest[:kept].multinomial(1, generator=generator)])


def repetition_aware(
    scores: Tensor, recent: Sequence[int], config: LlmConfig, generator: torch.Generator | None = None
) -> int:
    """One token id from `scores` [V] (logits or log-probabilities), given the `recent` tokens, oldest first.

    The nucleus proposes; a token that fills `tau_r` of the last `win_size` already is forbidden, and another one is
    drawn from all that is left.
    """
    if generator is not None:
        scores = scores.to(generator.device)
    token = nucleus(scores, config.top_p, config.top_k, generator)
    repeats = sum(1 for previous in recent[-config.win_size :] if previous == token)
    if repeats < config.win_size * config.tau_r:
        return token
    forbidden = scores.clone()
    forbidden[token] = -torch.inf
    return int(forbidden.softmax(dim=0).multinomial(1, generator=generator))
