"""The vocoder at nano size: lengths, levels, and where its randomness comes from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from harness.models.cosyvoice2 import weights
from harness.models.cosyvoice2.config import FULL, NANO
from harness.models.cosyvoice2.vocoder import HiFT
from harness.models.cosyvoice2.vocoder_source import HarmonicSource
from harness.worker.spans import Recorder, recording

FRAMES = 12


@pytest.fixture(scope="module")
def vocoder() -> HiFT:
    return weights.random_model(NANO, "cpu", 0).vocoder


def mel(seed: int = 0, frames: int = FRAMES) -> Tensor:
    return torch.randn(1, 80, frames, generator=torch.Generator().manual_seed(seed))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_each_mel_frame_becomes_480_samples(vocoder: HiFT, frames: int) -> None:
    speech, source = vocoder.inference(mel(frames=frames), None, seeded())
    assert speech.shape == (1, 480 * frames)
    assert source.shape == (1, 1, 480 * frames)


def test_the_audio_is_finite_heard_and_not_clipped(vocoder: HiFT) -> None:
    speech, _ = vocoder.inference(mel(), None, seeded())
    assert speech.isfinite().all()
    assert speech.std() > 1e-3
    assert speech.abs().max() < NANO.vocoder.audio_limit


def test_random_weights_give_voiced_and_unvoiced_pitches(vocoder: HiFT) -> None:
    f0 = vocoder.f0_predictor(mel(frames=100))
    voiced = (f0 > NANO.vocoder.nsf_voiced_threshold).float().mean()
    assert 0.5 < voiced < 1.0
    assert f0.max() < 1000


def test_the_same_seed_gives_the_same_audio(vocoder: HiFT) -> None:
    once, again, other = (vocoder.inference(mel(), None, seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_another_mel_gives_other_audio(vocoder: HiFT) -> None:
    one, other = (vocoder.inference(mel(seed), None, seeded())[0] for seed in (1, 2))
    assert (one - other).std() > 0.1 * one.std()


def test_with_a_generator_the_global_random_state_is_left_alone(vocoder: HiFT) -> None:
    before = torch.random.get_rng_state()
    vocoder.inference(mel(), None, seeded())
    assert torch.equal(before, torch.random.get_rng_state())


def test_without_a_generator_the_noise_is_torchs_global_one(vocoder: HiFT) -> None:
    torch.manual_seed(5)
    drawn, _ = vocoder.inference(mel())
    assert torch.equal(drawn, vocoder.inference(mel(), None, seeded(5))[0])


def test_the_cached_source_replaces_the_start_of_the_new_one(vocoder: HiFT) -> None:
    cached = torch.full((1, 1, 700), 0.05)
    _, free = vocoder.inference(mel(), torch.zeros(1, 1, 0), seeded())
    speech, source = vocoder.inference(mel(), cached, seeded())
    assert torch.equal(source[:, :, :700], cached)
    assert torch.equal(source[:, :, 700:], free[:, :, 700:])
    assert torch.equal(speech, vocoder.decode(mel(), source))


def test_a_voiced_source_repeats_at_its_pitch_and_an_unvoiced_one_does_not() -> None:
    harmonic = weights.build(lambda: HarmonicSource(NANO.vocoder, 24_000, 480), weights.generator_for(0, "source"))
    period = 120

    def repeats(pitch_hz: float) -> float:
        wave = harmonic(torch.full((1, 50), pitch_hz), seeded())[0, 0, 2400:-2400]
        wave = wave - wave.mean()
        return float((wave[period:] * wave[:-period]).mean() / wave.square().mean())

    assert repeats(24_000 / period) > 0.9
    assert abs(repeats(5.0)) < 0.1


def test_pitch_source_and_filter_are_spans(vocoder: HiFT) -> None:
    with recording(Recorder()) as recorder:
        vocoder.inference(mel(), None, seeded())
    assert [recorded[0] for recorded in recorder.spans] == ["vocoder.f0", "vocoder.source", "vocoder.filter"]


def test_full_size_has_the_published_parameter_names_and_counts() -> None:
    with torch.device("meta"):
        vocoder = HiFT(FULL.vocoder)
    shapes = {name: tuple(tensor.shape) for name, tensor in vocoder.state_dict().items()}
    assert sum(parameter.numel() for parameter in vocoder.parameters()) == 20_821_295
    assert sum(parameter.numel() for parameter in vocoder.f0_predictor.parameters()) == 3_274_241
    assert len(shapes) == 328
    assert vocoder.samples_per_frame == 480
    assert shapes["m_source.l_linear.weight"] == (1, 9)
    assert shapes["f0_predictor.condnet.0.parametrizations.weight.original1"] == (512, 80, 3)
    assert shapes["ups.0.parametrizations.weight.original0"] == (512, 1, 1)
    assert shapes["resblocks.8.convs1.2.parametrizations.weight.original1"] == (64, 64, 11)
