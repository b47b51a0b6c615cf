"""HiFT: mel frames (50 a second) -> audio at 24 kHz, by a neural source filter and an inverse STFT.

The pitch is predicted from the mel, a bank of sines sings it, and a stack of upsampling convolutions filters that source
into the spectrum of the speech. Parameters are named as in the public `hift.pt`, weight norm included.
"""

from __future__ import annotations

import math
from functools import lru_cache, reduce

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from harness.models.cosyvoice2.config import VocoderConfig
from harness.models.cosyvoice2.vocoder_source import F0Predictor, HarmonicSource
from harness.worker.spans import span

MAGNITUDE_LIMIT = 100.0
FINAL_SLOPE = 0.01


@lru_cache(maxsize=8)
def _hann(length: int, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):
        return torch.hann_window(length, device=device, dtype=torch.float64).float()


class Snake(nn.Module):
    """x + sin(a x)^2 / a, with one learnt a per channel: [B, C, L] -> [B, C, L]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha[:, None]
        return x + (1.0 / (alpha + 1e-9)) * torch.sin(x * alpha).square()


class ResBlock(nn.Module):
    """Pairs of convolutions, the first of each dilated, each pair added to its input: [B, C, L] -> [B, C, L]."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()

        self.convs1 = nn.ModuleList(_same_conv(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_same_conv(channels, kernel, 1) for _ in dilations)
        self.activations1 = nn.ModuleList(Snake(channels) for _ in dilations)
        self.activations2 = nn.ModuleList(Snake(channels) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for snake1, dilated, snake2, plain in zip(
            self.activations1, self.convs1, self.activations2, self.convs2, strict=True
        ):
            x = x + plain(snake2(dilated(snake1(x))))
        return x


class HiFT(nn.Module):
    """Mel [1, mels, T] -> audio [1, 480*T] in -0.99..0.99, and the source [1, 1, 480*T] that it was made from."""

    def __init__(self, config: VocoderConfig, sample_rate_hz: int = 24_000, mels: int = 80) -> None:
        super().__init__()
        self.config = config
        self.samples_per_frame = math.prod(config.upsample_rates) * config.istft_hop
        bins = config.istft_n_fft + 2
        self.m_source = HarmonicSource(config, sample_rate_hz, self.samples_per_frame)
        self.conv_pre = weight_norm(nn.Conv1d(mels, config.base_channels, 7, padding=3))
        widths = [config.base_channels // 2 ** (stage + 1) for stage in range(len(config.upsample_rates))]
        self.ups = nn.ModuleList(
            weight_norm(nn.ConvTranspose1d(2 * width, width, kernel, rate, padding=(kernel - rate) // 2))
            for width, rate, kernel in zip(widths, config.upsample_rates, config.upsample_kernels, strict=True)
        )
        self.source_downs = nn.ModuleList(
            _source_down(bins, width, math.prod(config.upsample_rates[stage + 1 :]))
            for stage, width in enumerate(widths)
        )
        self.source_resblocks = nn.ModuleList(
            ResBlock(width, kernel, dilations)
            for width, kernel, dilations in zip(
                widths, config.source_resblock_kernels, config.source_resblock_dilations, strict=True
            )
        )
        self.resblocks = nn.ModuleList(
            ResBlock(width, kernel, dilations)
            for width in widths
            for kernel, dilations in zip(config.resblock_kernels, config.resblock_dilations, strict=True)
        )
        self.conv_post = weight_norm(nn.Conv1d(widths[-1], bins, 7, padding=3))
        self.f0_predictor = F0Predictor(config, mels)

    @torch.inference_mode()
    def inference(
        self, mel: Tensor, cache_source: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Audio [1, 480*T] and source [1, 1, 480*T] of `mel` [1, mels, T].

        `cache_source` [1, 1, S] replaces the start of the source, so that a chunk goes on where the last one ended.
        The source's random phases and noise come from `generator`, or from torch's global one.
        """
        with span("vocoder.f0"):
            f0 = self.f0_predictor(mel)
        with span("vocoder.source"):
            source: Tensor = self.m_source(f0, generator)
            if cache_source is not None and cache_source.shape[2] > 0:
                source[:, :, : cache_source.shape[2]] = cache_source
        with span("vocoder.filter"):
            return self.decode(mel, source), source

    def decode(self, mel: Tensor, source: Tensor) -> Tensor:
        """Filter `source` [1, 1, 480*T] by `mel` [1, mels, T] into audio [1, 480*T]."""
        harmonics = self._spectrum(source[:, 0])
        last = len(self.ups) - 1
        each = len(self.config.resblock_kernels)
        x = self.conv_pre(mel)
        for stage, up in enumerate(self.ups):
            x = up(F.leaky_relu(x, self.config.lrelu_slope))
            if stage == last:
                x = F.pad(x, (1, 0), mode="reflect")
            x = x + self.source_resblocks[stage](self.source_downs[stage](harmonics))
            blocks = self.resblocks[stage * each : (stage + 1) * each]
            x = reduce(torch.add, [block(x) for block in blocks]) / each
        return self._audio(self.conv_post(F.leaky_relu(x, FINAL_SLOPE)))

    def _spectrum(self, source: Tensor) -> Tensor:
        """[1, samples] -> real and imaginary parts [1, n_fft + 2, samples / hop + 1]."""
        size = self.config.istft_n_fft
        spectrum = torch.stft(
            source, size, self.config.istft_hop, window=_hann(size, source.device), return_complex=True
        )
        return torch.cat([spectrum.real, spectrum.imag], dim=1)

    def _audio(self, spectrum: Tensor) -> Tensor:
        """Log-magnitudes and phases [1, n_fft + 2, frames] -> [1, samples]."""
        size = self.config.istft_n_fft
        magnitude = spectrum[:, : size // 2 + 1].exp().clip(max=MAGNITUDE_LIMIT)
        phase = spectrum[:, size // 2 + 1 :].sin()
        bins = torch.complex(magnitude * phase.cos(), magnitude * phase.sin())
        audio = torch.istft(bins, size, self.config.istft_hop, window=_hann(size, spectrum.device))
        return audio.clamp(-self.config.audio_limit, self.config.audio_limit)


def _same_conv(channels: int, kernel: int, dilation: int) -> nn.Module:
    """A convolution that keeps the length, with weight norm."""
    conv = nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2)
    normed: nn.Module = weight_norm(conv)
    return normed


def _source_down(bins: int, width: int, rate: int) -> nn.Conv1d:
    """Bring the source's spectrum down to the rate of a stage, `rate` times below the last one's."""
    if rate == 1:
        return nn.Conv1d(bins, width, 1)
    return nn.Conv1d(bins, width, 2 * rate, rate, padding=rate // 2)
