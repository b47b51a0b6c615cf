"""Our Qwen2 layers against those of `transformers`: the same names, the same numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from harness.models.cosyvoice2 import weights
from harness.models.cosyvoice2.config import NANO, LlmConfig
from harness.models.cosyvoice2.qwen2 import KeyValueCache, Qwen2WithHead

CONFIG = replace(NANO.llm, layers=3)


def theirs(config: LlmConfig) -> Any:
    rotation: dict[str, Any] = {"rope_theta": config.rope_theta}
    model: Any = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=config.text_vocab,
            hidden_size=config.hidden,
            intermediate_size=config.ffn,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            rms_norm_eps=config.rms_norm_eps,
            tie_word_embeddings=True,
            **rotation,
        )
    )
    return model.eval()


@pytest.fixture(scope="module")
def ours() -> Qwen2WithHead:
    return weights.build(lambda: Qwen2WithHead(CONFIG), weights.generator_for(0, "llm"))


def test_parameters_have_the_same_names_and_shapes(ours: Qwen2WithHead) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in theirs(CONFIG).state_dict().items()}
    assert {name: tuple(tensor.shape) for name, tensor in ours.state_dict().items()} == expected


def test_hidden_states_are_the_same_in_one_pass_and_step_by_step(ours: Qwen2WithHead) -> None:
    other = theirs(CONFIG)
    other.load_state_dict(ours.state_dict())
    embedded = torch.randn(1, 12, CONFIG.hidden, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = other.model(inputs_embeds=embedded).last_hidden_state
        whole = ours.model(embedded, KeyValueCache(CONFIG.layers))
        cache = KeyValueCache(CONFIG.layers)
        steps = [ours.model(part, cache) for part in (embedded[:, :5], embedded[:, 5:8], *embedded[:, 8:].split(1, 1))]
    assert cache.length == 12
    for found in (whole, torch.cat(steps, dim=1)):
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
