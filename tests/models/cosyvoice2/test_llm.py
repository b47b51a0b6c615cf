"""The speech language model at nano size: what its tokens depend on, and when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from harness.models.cosyvoice2 import sampling, weights
from harness.models.cosyvoice2.config import FULL, NANO
from harness.models.cosyvoice2.llm import SpeechLM


def make(layers: int = 2) -> SpeechLM:
    config = replace(NANO.llm, layers=layers)
    return weights.build(lambda: SpeechLM(config), weights.generator_for(0, "llm"))


@pytest.fixture(scope="module")
def llm() -> SpeechLM:
    return make()


def ids(*values: int) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.int64)


def speak(llm: SpeechLM, length: int | None = 12, seed: int = 3, text: torch.Tensor | None = None) -> list[int]:
    text = ids(5, 6, 7) if text is None else text
    return list(llm.generate(text, ids(1, 2), ids(40, 41, 42), length, torch.Generator().manual_seed(seed)))


def always_says(token: int) -> SpeechLM:
    """A model whose every step prefers one token by far."""
    llm = make(layers=1)
    with torch.no_grad():
        llm.llm_decoder.bias[token] += 1000.0
    return llm


def test_the_same_seed_gives_the_same_tokens(llm: SpeechLM) -> None:
    assert speak(llm) == speak(llm)


def test_another_seed_gives_other_tokens(llm: SpeechLM) -> None:
    assert speak(llm, seed=3) != speak(llm, seed=4)


def test_another_text_gives_other_tokens(llm: SpeechLM) -> None:
    assert speak(llm) != speak(llm, text=ids(8, 9, 10))


def test_sampling_leaves_the_global_random_state_alone(llm: SpeechLM) -> None:
    before = torch.random.get_rng_state()
    speak(llm)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("length", [0, 1, 17])
def test_a_forced_length_is_exact(llm: SpeechLM, length: int) -> None:
    assert len(speak(llm, length)) == length


def test_a_forced_length_is_exact_for_a_model_that_wants_to_stop() -> None:
    spoken = speak(always_says(NANO.llm.speech_vocab), length=9)
    assert len(spoken) == 9
    assert max(spoken) < NANO.llm.speech_vocab


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_model_that_wants_to_stop_does_so_at_the_least_length(stop: int) -> None:
    llm = always_says(NANO.llm.speech_vocab + stop)
    assert len(speak(llm, length=None)) == llm.length_bounds(3)[0] == 6


def test_a_model_that_never_stops_is_cut_at_the_greatest_length_and_says_so() -> None:
    llm = always_says(77)
    capped: list[bool] = []

    def listen() -> Iterator[int]:
        capped.append((yield from llm.generate(ids(5, 6, 7), ids(), ids(), None, torch.Generator().manual_seed(0))))

    assert len(list(listen())) == llm.length_bounds(3)[1] == 60
    assert capped == [True]


def test_one_step_with_the_cache_equals_reading_everything_again(llm: SpeechLM) -> None:
    prefix = llm.prefix(ids(5, 6, 7), ids(1), ids(40, 41))
    cache = llm.new_cache()
    stepwise = [llm.step(prefix, cache)]
    everything = prefix
    for token in (100, 200, 300):
        embedded = llm._embed(token)
        stepwise.append(llm.step(embedded, cache))
        everything = torch.cat([everything, embedded], dim=1)
        torch.testing.assert_close(stepwise[-1], llm.step(everything, llm.new_cache()), rtol=1e-4, atol=1e-5)


def test_generated_tokens_are_those_of_reading_everything_again_for_each(llm: SpeechLM) -> None:
    draws = torch.Generator().manual_seed(3)
    everything = llm.prefix(ids(5, 6, 7), ids(1, 2), ids(40, 41, 42))
    expected: list[int] = []
    for _ in range(6):
        logits = llm.step(everything, llm.new_cache())[: NANO.llm.speech_vocab]
        expected.append(sampling.repetition_aware(logits, expected, NANO.llm, draws))
        everything = torch.cat([everything, llm._embed(expected[-1])], dim=1)
    assert speak(llm, length=6, seed=3) == expected


def test_the_input_is_start_prompt_text_text_task_and_prompt_speech(llm: SpeechLM) -> None:
    prefix = llm.prefix(ids(5, 6), ids(1), ids(40))[0]
    text, special, speech = (
        llm.llm.model.model.embed_tokens.weight,
        llm.llm_embedding.weight,
        llm.speech_embedding.weight,
    )
    assert torch.equal(prefix, torch.stack([special[0], text[1], text[5], text[6], special[1], speech[40]]))


def test_without_a_prompt_the_input_is_start_text_and_task(llm: SpeechLM) -> None:
    assert llm.prefix(ids(5, 6), ids(), ids()).shape == (1, 4, NANO.llm.hidden)


def test_the_forced_length_follows_the_text_and_is_never_zero(llm: SpeechLM) -> None:
    assert llm.forced_length(10) == 10 * (NANO.llm.tokens_per_text_token or 0)
    assert llm.forced_length(0) == 1


def test_sampling_takes_only_the_likeliest_tokens_that_reach_top_p() -> None:
    scores = torch.tensor([0.5, 0.35, 0.1, 0.05]).log()
    generator = torch.Generator().manual_seed(0)
    drawn = {sampling.nucleus(scores, 0.8, 25, generator) for _ in range(200)}
    assert drawn == {0, 1}


def test_sampling_takes_at_most_top_k_tokens() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = {sampling.nucleus(torch.arange(100) / 100.0, 0.8, 3, generator) for _ in range(200)}
    assert drawn == {97, 98, 99}


def test_a_token_that_was_said_lately_is_not_said_again() -> None:
    scores = torch.zeros(50)
    scores[7] = 100.0
    generator = torch.Generator().manual_seed(0)
    assert sampling.repetition_aware(scores, [], NANO.llm, generator) == 7
    assert sampling.repetition_aware(scores, [7, 1, 2], NANO.llm, generator) != 7
    long_ago = [7, *range(8, 8 + NANO.llm.win_size)]
    assert sampling.repetition_aware(scores, long_ago, NANO.llm, generator) == 7


def test_the_text_head_is_the_text_embedding() -> None:
    inner = make().llm.model
    assert inner.lm_head.weight is inner.model.embed_tokens.weight


def test_full_size_has_the_published_parameter_names_and_count() -> None:
    with torch.device("meta"):
        llm = SpeechLM(FULL.llm)
    shapes = {name: tuple(tensor.shape) for name, tensor in llm.state_dict().items()}
    assert sum(parameter.numel() for parameter in llm.parameters()) == 505_803_812
    assert len(shapes) == 295
    assert shapes["llm.model.model.embed_tokens.weight"] == shapes["llm.model.lm_head.weight"] == (151_936, 896)
    assert shapes["llm_embedding.weight"] == (2, 896)
    assert shapes["speech_embedding.weight"] == shapes["llm_decoder.weight"] == (6564, 896)
    assert shapes["llm.model.model.layers.23.self_attn.k_proj.bias"] == (128,)
