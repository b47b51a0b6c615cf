"""The vocoder's source: the pitch of a mel, and the sines and noise that sing it."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from harness.models.cosyvoice2.config import VocoderConfig

F0_LAYERS = 5


class F0Predictor(nn.Module):
    """Mel [B, mels, T] -> fundamental frequency [B, T] in Hz, never negative; near 0 where there is no voice."""

    def __init__(self, config: VocoderConfig, mels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(F0_LAYERS):
            channels_in = config.f0_channels if index else mels
            layers += [weight_norm(nn.Conv1d(channels_in, config.f0_channels, 3, padding=1)), nn.ELU()]
        self.condnet = nn.Sequential(*layers)
        self.classifier = nn.Linear(config.f0_channels, 1)

    def forward(self, mel: Tensor) -> Tensor:
        pitch: Tensor = self.classifier(self.condnet(mel).transpose(1, 2))
        return pitch.squeeze(-1).abs()


class HarmonicSource(nn.Module):
    """Pitch [1, T] in Hz -> source signal [1, 1, samples_per_frame * T]: harmonics where voiced, noise elsewhere."""

    def __init__(self, config: VocoderConfig, sample_rate_hz: int, samples_per_frame: int) -> None:
        super().__init__()
        self.config = config
        self.sample_rate_hz = sample_rate_hz
        self.samples_per_frame = samples_per_frame
        self.tones = config.harmonics + 1
        self.l_linear = nn.Linear(self.tones, 1)

    def forward(self, f0: Tensor, generator: torch.Generator | None = None) -> Tensor:
        pitch = f0[:, None].repeat_interleave(self.samples_per_frame, dim=2)
        sines = self.config.nsf_alpha * self._sines(pitch, generator)
        voiced = (pitch > self.config.nsf_voiced_threshold).to(pitch.dtype)
        loudness = voiced * self.config.nsf_sigma + (1 - voiced) * self.config.nsf_alpha / 3
        tones = sines * voiced + loudness * _draw(torch.randn, sines, generator)
        source: Tensor = torch.tanh(self.l_linear(tones.transpose(1, 2)))
        return source.transpose(1, 2)

    def _sines(self, pitch: Tensor, generator: torch.Generator | None) -> Tensor:
        """Pitch [1, 1, samples] -> unit sines of its multiples [1, tones, samples].

        The phase is summed at the frame rate and interpolated, as upstream does: at the sample rate, float32 would
        lose it. The overtones start at random phases.
        """
        multiples = pitch * torch.arange(1, self.tones + 1, device=pitch.device, dtype=pitch.dtype)[:, None]
        cycles = (multiples / self.sample_rate_hz) % 1
        start = _draw(torch.rand, cycles[:, :, 0], generator)
        start[:, 0] = 0
        cycles[:, :, 0] += start
        per_frame = F.interpolate(cycles, scale_factor=1 / self.samples_per_frame, mode="linear")
        phase = per_frame.cumsum(dim=2) * (2 * torch.pi) * self.samples_per_frame
        return torch.sin(F.interpolate(phase, scale_factor=float(self.samples_per_frame), mode="linear"))


def _draw(draw: Callable[..., Tensor], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """`draw` (torch.rand or torch.randn) in the shape of `like`, on the generator's own device, then moved."""
    device = like.device if generator is None else generator.device
    return draw(like.shape, generator=generator, device=device, dtype=like.dtype).to(like.device)
