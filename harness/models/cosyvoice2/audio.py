"""Recordings and what the networks hear of them: mel frames, log-mel frames, filter banks. All on the CPU, as upstream."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
import torchaudio
from numpy.typing import NDArray
from torch import Tensor

MEL_RATE_HZ, MEL_FFT, MEL_HOP, MEL_MAX_HZ = 24_000, 1920, 480, 8_000.0
TOKEN_RATE_HZ, TOKEN_FFT, TOKEN_HOP = 16_000, 400, 160
_MEL_FLOOR = 1e-5
_POWER_FLOOR = 1e-10
_DYNAMIC_RANGE = 8.0


def load_recording(path: Path, rate_hz: int) -> Tensor:
    """A recording, mixed to mono and brought to `rate_hz`: float32 [1, samples]."""
    samples, recorded_hz = soundfile.read(path, dtype="float32", always_2d=True)
    audio = torch.from_numpy(samples).mean(dim=1).unsqueeze(0)
    if recorded_hz != rate_hz:
        audio = torchaudio.functional.resample(audio, recorded_hz, rate_hz)
    return audio


def mel_spectrogram(audio: Tensor, mels: int = 80) -> Tensor:
    """What the flow continues: audio [1, samples] at 24 kHz -> natural-log mel magnitudes [1, mels, samples / 480]."""
    margin = (MEL_FFT - MEL_HOP) // 2
    padded = F.pad(audio.unsqueeze(1), (margin, margin), mode="reflect").squeeze(1)
    spectrum = torch.stft(padded, MEL_FFT, MEL_HOP, window=_hann(MEL_FFT), center=False, return_complex=True)
    magnitude = torch.sqrt(torch.view_as_real(spectrum).square().sum(-1) + 1e-9)
    filters = _mel_filters(MEL_RATE_HZ, MEL_FFT, mels, MEL_MAX_HZ)
    return torch.matmul(filters, magnitude).clamp(min=_MEL_FLOOR).log()


def log_mel(audio: Tensor, mels: int = 128) -> Tensor:
    """What the speech tokenizer hears: audio [1, samples] at 16 kHz -> scaled log10 mel power [1, mels, samples / 160].

    As Whisper's: the last frame is dropped, and what lies more than 80 dB below the loudest point is cut off.
    """
    spectrum = torch.stft(audio, TOKEN_FFT, TOKEN_HOP, window=_hann(TOKEN_FFT), return_complex=True)
    power = spectrum[..., :-1].abs().square()
    filters = _mel_filters(TOKEN_RATE_HZ, TOKEN_FFT, mels, TOKEN_RATE_HZ / 2)
    log = torch.matmul(filters, power).clamp(min=_POWER_FLOOR).log10()
    return (torch.maximum(log, log.max() - _DYNAMIC_RANGE) + 4.0) / 4.0


def filter_banks(audio: Tensor, mels: int = 80) -> Tensor:
    """What the speaker encoder hears: audio [1, samples] at 16 kHz -> Kaldi filter banks [1, T, mels], mean subtracted."""
    banks: Tensor = torchaudio.compliance.kaldi.fbank(
        audio, num_mel_bins=mels, dither=0.0, sample_frequency=TOKEN_RATE_HZ
    )
    return (banks - banks.mean(dim=0, keepdim=True)).unsqueeze(0)


@lru_cache(maxsize=8)
def _hann(length: int) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.hann_window(length)


@lru_cache(maxsize=8)
def _mel_filters(rate_hz: int, n_fft: int, mels: int, highest_hz: float) -> Tensor:
    """Slaney's triangles, float32 [mels, n_fft / 2 + 1]: each from one corner to the next but one, of equal area.

    Computed in float64 and rounded where librosa rounds, whose filters the public code uses: torchaudio's, computed in
    float32, differ in the last digit, which the vocoder's phases grow to 1e-4 of the audio.
    """
    bins_hz = np.fft.rfftfreq(n_fft, 1 / rate_hz)
    corners_hz = _hz(np.linspace(0.0, _slaney_mel(highest_hz), mels + 2))
    distance = corners_hz[:, None] - bins_hz
    width = np.diff(corners_hz)[:, None]
    rising, falling = -distance[:-2] / width[:-1], distance[2:] / width[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    area = 2.0 / (corners_hz[2:] - corners_hz[:-2])[:, None]
    with torch.inference_mode(mode=False):
        return torch.from_numpy((triangles * area).astype(np.float32))


_LINEAR_HZ, _LINEAR_STEP_HZ, _LOG_STEP = 1000.0, 200.0 / 3, np.log(6.4) / 27
"""Slaney's mel scale is linear up to 1 kHz and logarithmic above."""


def _slaney_mel(hz: float) -> float:
    linear = _LINEAR_HZ / _LINEAR_STEP_HZ
    return float(linear + np.log(hz / _LINEAR_HZ) / _LOG_STEP) if hz >= _LINEAR_HZ else hz / _LINEAR_STEP_HZ


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = _LINEAR_HZ / _LINEAR_STEP_HZ
    hz: NDArray[np.float64] = np.where(
        mel >= linear, _LINEAR_HZ * np.exp(_LOG_STEP * (mel - linear)), mel * _LINEAR_STEP_HZ
    )
    return hz
