from __future__ import annotations

import pytest
import torch

from harness.models.cosyvoice2.config import FULL, NANO
from harness.models.cosyvoice2.speaker_encoder import ContextMask, SpeakerEncoder
from harness.models.cosyvoice2.weights import build, generator_for


def encoder() -> SpeakerEncoder:
    return build(lambda: SpeakerEncoder(NANO.speaker_encoder), generator_for(0, "speaker_encoder"))


def heard(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, frames, 80, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("frames", [50, 200, 417])
def test_a_recording_of_any_length_gives_one_vector(frames: int) -> None:
    embedding = encoder().embed(heard(frames))
    assert embedding.shape == (1, 192)
    assert embedding.isfinite().all()


def test_different_voices_have_different_embeddings() -> None:
    assert not torch.allclose(encoder().embed(heard(200, seed=1)), encoder().embed(heard(200, seed=2)))


def test_a_mask_sees_the_mean_of_each_stretch() -> None:
    mask = build(lambda: ContextMask(FULL.speaker_encoder, 1), generator_for(0, "mask"))
    x = torch.cat([torch.zeros(1, 128, 100), torch.ones(1, 128, 50)], dim=2)
    means = mask._stretch_means(x)
    assert means.shape == x.shape
    assert torch.equal(means, x)


def test_the_full_size_is_that_of_the_published_model_with_an_embedding_of_192() -> None:
    with torch.device("meta"):
        network = SpeakerEncoder(FULL.speaker_encoder)
    assert sum(parameter.numel() for parameter in network.parameters()) == 6_848_544
