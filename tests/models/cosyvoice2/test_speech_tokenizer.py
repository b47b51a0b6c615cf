from __future__ import annotations

import pytest
import torch

from harness.models.cosyvoice2.config import FULL, NANO
from harness.models.cosyvoice2.speech_tokenizer import Codebook, SpeechTokenizer
from harness.models.cosyvoice2.weights import build, generator_for


def tokenizer() -> SpeechTokenizer:
    return build(lambda: SpeechTokenizer(NANO.speech_tokenizer), generator_for(0, "speech_tokenizer"))


def heard(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 128, frames, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("frames", "tokens"), [(100, 25), (101, 26), (104, 26), (3, 1)])
def test_four_frames_make_a_token_and_a_rest_makes_one_more(frames: int, tokens: int) -> None:
    assert tokenizer().encode(heard(frames)).shape == (1, tokens)


def test_tokens_are_ids_that_the_models_embed() -> None:
    tokens = tokenizer().encode(heard(400))
    assert tokens.dtype == torch.int64
    assert tokens.min() >= 0
    assert tokens.max() < NANO.llm.speech_vocab == 3**8


def test_different_recordings_get_different_tokens() -> None:
    assert not torch.equal(tokenizer().encode(heard(400, seed=1)), tokenizer().encode(heard(400, seed=2)))


def test_codes_count_in_threes_from_the_first_dimension() -> None:
    codebook = Codebook(NANO.speech_tokenizer)
    with torch.no_grad():
        codebook.project_down.weight.zero_()
        codebook.project_down.bias.copy_(torch.tensor([9.0, 0, -9, -9, -9, -9, -9, 9]))
        assert codebook(torch.zeros(1, 1, 64)).item() == 2 + 1 * 3 + 2 * 3**7


def test_the_full_size_is_that_of_the_published_model() -> None:
    with torch.device("meta"):
        network = SpeechTokenizer(FULL.speech_tokenizer)
    assert sum(parameter.numel() for parameter in network.parameters()) == 123_714_568
