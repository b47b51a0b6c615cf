"""A voice as one vector: the CAM++ speaker encoder (Wang et al., 2023).

A 2-D convolutional head shortens the frequency axis, blocks of densely connected time-delay layers with context-aware
masks follow, and the mean and deviation over time are projected to the embedding. Parameters are named as in the
published PyTorch model.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn

from harness.models.cosyvoice2.config import SpeakerEncoderConfig


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; `stride` applies to frequency alone: [B, C, F, T] -> [B, C, F/s, T]."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut.append(nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class Head(nn.Module):
    """Filter banks as an image: [B, mels, T] -> [B, head_channels * mels / 8, T]."""

    def __init__(self, config: SpeakerEncoderConfig) -> None:
        super().__init__()
        channels = config.head_channels
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = _residual_blocks(channels, config.head_blocks[0])
        self.layer2 = _residual_blocks(channels, config.head_blocks[1])
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, fbank: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(fbank.unsqueeze(1))))
        x = F.relu(self.bn2(self.conv2(self.layer2(self.layer1(x)))))
        return x.flatten(1, 2)


class ContextMask(nn.Module):
    """A local convolution, scaled by a mask that sees the means of the recording and of each stretch of it."""

    def __init__(self, config: SpeakerEncoderConfig, dilation: int) -> None:
        super().__init__()
        width = config.bottleneck * config.growth
        self.context_frames = config.context_frames
        self.linear_local = nn.Conv1d(width, config.growth, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(width, width // 2, 1)
        self.linear2 = nn.Conv1d(width // 2, config.growth, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, bottleneck * growth, T] -> [B, growth, T]."""
        context = x.mean(dim=-1, keepdim=True) + self._stretch_means(x)
        mask = torch.sigmoid(self.linear2(F.relu(self.linear1(context))))
        local: Tensor = self.linear_local(x)
        return local * mask

    def _stretch_means(self, x: Tensor) -> Tensor:
        frames = self.context_frames
        means = F.avg_pool1d(x, frames, frames, ceil_mode=True)
        return means.repeat_interleave(frames, dim=-1)[..., : x.shape[-1]]


class DenseLayer(nn.Module):
    """One time-delay layer, whose output is appended to its input: [B, C, T] -> [B, C + growth, T]."""

    def __init__(self, config: SpeakerEncoderConfig, channels: int, dilation: int) -> None:
        super().__init__()
        width = config.bottleneck * config.growth
        self.nonlinear1 = _norm_relu(channels)
        self.linear1 = nn.Conv1d(channels, width, 1, bias=False)
        self.nonlinear2 = _norm_relu(width)
        self.cam_layer = ContextMask(config, dilation)

    def forward(self, x: Tensor) -> Tensor:
        grown = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))
        return torch.cat((x, grown), dim=1)


class DenseBlock(nn.Module):
    """`layers` dense layers of one dilation, named `tdnnd1`, `tdnnd2` and so on."""

    def __init__(self, config: SpeakerEncoderConfig, channels: int, layers: int, dilation: int) -> None:
        super().__init__()
        for index in range(layers):
            self.add_module(f"tdnnd{index + 1}", DenseLayer(config, channels + index * config.growth, dilation))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = layer(x)
        return x


class Projection(nn.Module):
    """A 1x1 (or time-delay) convolution with its norm behind it (`first`) or in front."""

    def __init__(self, convolution: nn.Conv1d, *, first: bool) -> None:
        super().__init__()
        self.linear = convolution
        self.nonlinear = _norm_relu(convolution.out_channels if first else convolution.in_channels)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.nonlinear(self.linear(x)) if self.first else self.linear(self.nonlinear(x))
        return projected


class SpeakerEncoder(nn.Module):
    """A recording's filter banks as a speaker embedding."""

    def __init__(self, config: SpeakerEncoderConfig) -> None:
        super().__init__()
        self.head = Head(config)
        self.xvector = nn.Sequential(_time_delay_layers(config))
        channels = _channels(config)[-1] // 2
        self.dense = nn.Conv1d(2 * channels, config.embedding, 1, bias=False)
        self.norm = nn.BatchNorm1d(config.embedding, affine=False)

    @torch.inference_mode()
    def embed(self, fbank: Tensor) -> Tensor:
        """Filter banks float32 [1, T, mels], mean subtracted -> embedding float32 [1, embedding]."""
        return self.embedding(fbank)

    def embedding(self, fbank: Tensor) -> Tensor:
        """As `embed`, in whatever mode torch is in."""
        x = self.xvector(self.head(fbank.transpose(1, 2)))
        statistics = torch.cat((x.mean(dim=-1), x.std(dim=-1)), dim=-1)
        embedding: Tensor = self.norm(self.dense(statistics.unsqueeze(-1)).squeeze(-1))
        return embedding


def _time_delay_layers(config: SpeakerEncoderConfig) -> OrderedDict[str, nn.Module]:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = config.init_channels
    head_width = config.head_channels * config.mels // 8
    layers["tdnn"] = Projection(nn.Conv1d(head_width, channels, 5, stride=2, padding=2, bias=False), first=True)
    stages = zip(config.block_layers, config.block_dilations, _channels(config), strict=True)
    for number, (depth, dilation, grown) in enumerate(stages, start=1):
        layers[f"block{number}"] = DenseBlock(config, channels, depth, dilation)
        channels = grown // 2
        layers[f"transit{number}"] = Projection(nn.Conv1d(grown, channels, 1, bias=False), first=False)
    layers["out_nonlinear"] = _norm_relu(channels)
    return layers


def _channels(config: SpeakerEncoderConfig) -> list[int]:
    """Channels at the end of each dense block; a transit halves them."""
    ends: list[int] = []
    channels = config.init_channels
    for depth in config.block_layers:
        ends.append(channels + depth * config.growth)
        channels = ends[-1] // 2
    return ends


def _residual_blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, stride=2 if index == 0 else 1) for index in range(count)))


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU()))
