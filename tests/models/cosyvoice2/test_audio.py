from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from harness.models.cosyvoice2 import audio


def tone(hz: float, rate_hz: int, seconds: float = 1.0) -> Tensor:
    time = torch.arange(int(seconds * rate_hz)) / rate_hz
    return 0.5 * torch.sin(2 * torch.pi * hz * time).unsqueeze(0)


def test_a_stereo_recording_at_another_rate_comes_as_mono_at_the_wanted_one(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([np.full(22_050, 0.2), np.full(22_050, 0.4)], axis=1), 22_050)
    loaded = audio.load_recording(path, 16_000)
    assert loaded.shape == (1, 16_000)
    assert loaded.dtype == torch.float32
    assert loaded[0, 8_000].item() == pytest.approx(0.3, abs=1e-3)


def test_mel_frames_come_fifty_a_second_and_never_below_the_floor() -> None:
    mel = audio.mel_spectrogram(torch.cat([tone(440, 24_000), torch.zeros(1, 24_000)], dim=1))
    assert mel.shape == (1, 80, 100)
    assert mel.min().item() == pytest.approx(np.log(1e-5), abs=1e-4)


@pytest.mark.parametrize("hz", [300.0, 1_000.0, 4_000.0])
def test_a_higher_tone_lights_a_higher_mel_band(hz: float) -> None:
    lower = audio.mel_spectrogram(tone(hz, 24_000))[0, :, 25].argmax()
    higher = audio.mel_spectrogram(tone(1.5 * hz, 24_000))[0, :, 25].argmax()
    assert higher > lower


def test_log_mel_frames_come_hundred_a_second_within_eighty_decibels() -> None:
    heard = audio.log_mel(tone(440, 16_000))
    assert heard.shape == (1, 128, 100)
    assert (heard.max() - heard.min()).item() <= 2.0 + 1e-5


def test_filter_banks_have_no_mean_and_ignore_loudness() -> None:
    voice = tone(200, 16_000) + 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    banks = audio.filter_banks(voice)
    assert banks.shape == (1, 98, 80)
    assert banks.mean(dim=1).abs().max() < 1e-4
    assert torch.allclose(banks, audio.filter_banks(0.5 * voice), atol=1e-3)
