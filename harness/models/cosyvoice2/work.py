"""What each stage must at least read, write and compute, from its shapes alone. Pure numbers: no torch.

    llm, flow_encoder, flow_estimator, vocoder, speech_tokens, speaker_embedding      one call of a part -> Work

Counted is what no implementation of the same arithmetic can leave out: parameters once a call, the key-value cache once,
what comes in and goes out once; of operations the products of matrices, attention and convolutions (a multiplication and
an addition are two). Not counted: what lies between layers, norms, activations, Fourier transforms, text.
`tests/models/cosyvoice2/test_work.py` compares with PyTorch's own counter and with the sums of the tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.models.cosyvoice2.config import (
    CosyVoice2Config,
    FlowConfig,
    LlmConfig,
    SpeakerEncoderConfig,
    SpeechTokenizerConfig,
    VocoderConfig,
)

F0_LAYERS, ESTIMATOR_KERNEL, UPSAMPLING = 5, 3, 2
"""As in `vocoder_source`, `flow_estimator` and `flow_encoder`, which import torch; a test compares them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Of one call: operations of matrix products and of convolutions, parameters that are read, and numbers of the state
    (the key-value cache) and of the data that are read or written.
    """

    matrix: int = 0
    convolution: int = 0
    parameters: int = 0
    state: int = 0
    data: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            matrix=self.matrix + other.matrix, convolution=self.convolution + other.convolution,
            parameters=self.parameters + other.parameters, state=self.state + other.state, data=self.data + other.data,
        )  # fmt: skip

    def times(self, count: int) -> Work:
        """`count` of the same, each with parameters of its own."""
        return Work(
            matrix=count * self.matrix, convolution=count * self.convolution, parameters=count * self.parameters,
            state=count * self.state, data=count * self.data,
        )  # fmt: skip


def _linear(rows: int, inward: int, outward: int, *, bias: bool = True) -> Work:
    return Work(matrix=2 * rows * inward * outward, parameters=inward * outward + bias * outward)


def _conv(
    places: int, inward: int, outward: int, kernel: int, *, bias: bool = True, normed: int = 0, groups: int = 1
) -> Work:
    """A convolution at so many places; `normed` are the lengths that a weight norm keeps beside it."""
    weights = inward // groups * outward * kernel
    return Work(convolution=2 * places * weights, parameters=weights + bias * outward + normed)


def _params(count: int) -> Work:
    return Work(parameters=count)


def _attended(queries: int, keys: int, width: int) -> Work:
    """Scores and the mixing of values, all heads together."""
    return Work(matrix=4 * queries * keys * width)


def llm(config: LlmConfig, *, new: int, held: int) -> Work:
    """A step over `new` positions after `held` ones in the cache: every layer, and the speech head at the last position.

    The text embedding is looked up, not read.
    """
    hidden, shared, ids = config.hidden, config.hidden // config.heads * config.kv_heads, config.speech_vocab + 3
    layer = (
        _linear(new, hidden, hidden) + _linear(new, hidden, shared).times(2) + _linear(new, hidden, hidden, bias=False)
        + _attended(new, held + new, hidden) + _linear(new, hidden, config.ffn, bias=False).times(3) + _params(2 * hidden)
    )  # fmt: skip
    state = 2 * config.layers * shared * (held + new)
    return (
        layer.times(config.layers) + _params(hidden) + _linear(1, hidden, ids)
        + Work(state=state, data=new * hidden + ids)
    )  # fmt: skip


def flow_encoder(config: FlowConfig, *, tokens: int, coming: int, mels: int) -> Work:
    """The conformer over `tokens` (and `coming` ones, which are only heard) up to its projection to mels."""
    width, frames = config.width, UPSAMPLING * tokens
    embed = Work(matrix=2 * (tokens + coming) * width * width) + _params(width * width + 3 * width)
    ahead = _conv(tokens, width, width, config.lookahead + 1) + _conv(tokens, width, width, 3)
    up = _conv(frames, width, width, 2 * UPSAMPLING + 1) + _linear(frames, width, width) + _params(2 * width)
    return (
        embed + ahead + _conformer(config, tokens).times(config.blocks)
        + up + _conformer(config, frames).times(config.upsample_blocks)
        + _params(2 * width) + _linear(frames, width, mels) + Work(data=(tokens + coming) * width + frames * mels)
    )  # fmt: skip


def _conformer(config: FlowConfig, length: int) -> Work:
    width, distances = config.width, 2 * length - 1
    return (
        _linear(length, width, width).times(4) + _linear(distances, width, width, bias=False)
        + _attended(length, length, width) + Work(matrix=2 * length * distances * width)
        + _linear(length, width, config.ffn) + _linear(length, config.ffn, width) + _params(6 * width)
    )  # fmt: skip


def flow_estimator(config: FlowConfig, *, frames: int, mels: int, batch: int = 2) -> Work:
    """One Euler step over `frames`; a `batch` of two is the guidance."""
    channels, given, time = config.estimator_channels, 4 * mels, 4 * config.estimator_channels
    rows = batch * frames
    outer = _conv(rows, channels, channels, ESTIMATOR_KERNEL)
    clock = _linear(batch, given, time) + _linear(batch, time, time)
    stages = (
        _unet_stage(config, given, frames, batch) + _unet_stage(config, channels, frames, batch).times(config.estimator_mid_blocks)
        + _unet_stage(config, 2 * channels, frames, batch) + outer.times(2)
    )  # fmt: skip
    end = outer + _params(2 * channels) + _conv(rows, channels, mels, 1)
    return clock + stages + end + Work(data=batch * frames * mels * 4)


def _unet_stage(config: FlowConfig, inward: int, frames: int, batch: int) -> Work:
    channels, heads, rows = (
        config.estimator_channels,
        config.estimator_heads * config.estimator_head_dim,
        batch * frames,
    )
    resnet = (
        _linear(batch, 4 * channels, channels) + _conv(rows, inward, channels, ESTIMATOR_KERNEL)
        + _conv(rows, channels, channels, ESTIMATOR_KERNEL) + _conv(rows, inward, channels, 1) + _params(4 * channels)
    )  # fmt: skip
    transformer = (
        _linear(rows, channels, heads, bias=False).times(3) + _linear(rows, heads, channels)
        + _attended(frames, frames, heads).times(batch)
        + _linear(rows, channels, 4 * channels) + _linear(rows, 4 * channels, channels) + _params(4 * channels)
    )  # fmt: skip
    return resnet + transformer.times(config.estimator_blocks)


def vocoder(config: VocoderConfig, *, frames: int, mels: int) -> Work:
    """Pitch, source and filter for so many mel frames."""
    pitch, hidden = Work(), config.f0_channels
    for layer in range(F0_LAYERS):
        pitch += _conv(frames, hidden if layer else mels, hidden, 3, normed=hidden)
    samples = frames * config.istft_hop
    for rate in config.upsample_rates:
        samples *= rate
    sung = _linear(frames, hidden, 1) + _linear(samples, config.harmonics + 1, 1)
    return pitch + sung + _filter(config, frames, samples, mels) + Work(data=frames * mels + samples)


def _filter(config: VocoderConfig, frames: int, samples: int, mels: int) -> Work:
    bins, base = config.istft_n_fft + 2, config.base_channels
    spectra, length, total = samples // config.istft_hop + 1, frames, _conv(frames, mels, base, 7, normed=base)
    stages = list(zip(config.upsample_rates, config.upsample_kernels, config.source_resblock_kernels,
                      config.source_resblock_dilations, strict=True))  # fmt: skip
    left = samples // config.istft_hop // frames
    for place, (rate, kernel, source_kernel, source_dilations) in enumerate(stages):
        width, left = base // 2 ** (place + 1), left // rate
        # A transposed convolution multiplies at each place that goes in, and keeps a length for each channel of those.
        total += Work(convolution=4 * length * width * width * kernel) + _params(2 * width * width * kernel + 3 * width)
        length = (length - 1) * rate - 2 * ((kernel - rate) // 2) + kernel + (place == len(stages) - 1)
        down = _conv(spectra, bins, width, 1) if left == 1 else _conv(
            (spectra + 2 * (left // 2) - 2 * left) // left + 1, bins, width, 2 * left)  # fmt: skip
        total += down + _resblock(length, width, source_kernel, len(source_dilations))
        for inner, dilations in zip(config.resblock_kernels, config.resblock_dilations, strict=True):
            total += _resblock(length, width, inner, len(dilations))
    return total + _conv(length, base // 2 ** len(stages), bins, 7, normed=bins)


def _resblock(length: int, width: int, kernel: int, dilations: int) -> Work:
    return (_conv(length, width, width, kernel, normed=width) + _params(width)).times(2 * dilations)


def speech_tokens(config: SpeechTokenizerConfig, *, frames: int) -> Work:
    """The speech tokenizer over a recording of so many log-mel frames."""
    width, half = config.width, _halved(frames)
    length = _halved(half)
    block = (
        _linear(length, width, width).times(3) + _linear(length, width, width, bias=False)
        + _conv(length, width, width, config.fsmn_kernel, bias=False, groups=width) + _attended(length, length, width)
        + _linear(length, width, 4 * width) + _linear(length, 4 * width, width) + _params(4 * width)
    )  # fmt: skip
    return (
        _conv(half, config.mels, width, 3) + _conv(length, width, width, 3) + block.times(config.layers)
        + _linear(length, width, config.code_dims) + Work(data=frames * config.mels + length)
    )  # fmt: skip


def speaker_embedding(config: SpeakerEncoderConfig, *, frames: int) -> Work:
    """The speaker encoder over a recording of so many frames of filter banks."""
    total, high = _image_head(config, frames)
    channels, width = config.init_channels, config.bottleneck * config.growth
    length = _halved(frames)
    total += _conv(length, config.head_channels * high, channels, 5, bias=False) + _params(2 * channels)
    for depth in config.block_layers:
        for _ in range(depth):
            total += (
                _params(2 * channels + 2 * width) + _conv(length, channels, width, 1, bias=False)
                + _conv(length, width, config.growth, 3, bias=False)
                + _conv(length, width, width // 2, 1) + _conv(length, width // 2, config.growth, 1)
            )  # fmt: skip
            channels += config.growth
        total += _params(2 * channels) + _conv(length, channels, channels // 2, 1, bias=False)
        channels //= 2
    total += _params(2 * channels) + _conv(1, 2 * channels, config.embedding, 1, bias=False)
    return total + Work(data=frames * config.mels + config.embedding)


def _image_head(config: SpeakerEncoderConfig, frames: int) -> tuple[Work, int]:
    """The 2-D convolutions in front, and how many rows of frequencies they leave."""
    channels, high = config.head_channels, config.mels
    norm = _params(2 * channels)
    total = _conv(frames * high, 1, channels, 9, bias=False) + norm
    for count in config.head_blocks:
        high = _halved(high)
        total += _conv(frames * high, channels, channels, 1, bias=False) + norm
        total += (_conv(frames * high, channels, channels, 9, bias=False) + norm).times(2 * count)
    high = _halved(high)
    return total + _conv(frames * high, channels, channels, 9, bias=False) + norm, high


def _halved(length: int) -> int:
    return (length - 1) // 2 + 1


def of_request(
    config: CosyVoice2Config, *, text_tokens: int, prompt_text_tokens: int, prompt_tokens: int, speech_tokens_made: int
) -> dict[str, Work]:
    """A whole offline request of one segment with a known speaker, by part: for reckoning without a model in memory."""
    prefix = 2 + text_tokens + prompt_text_tokens + prompt_tokens
    steps = Work()
    for index in range(1, speech_tokens_made):
        steps += llm(config.llm, new=1, held=prefix + index - 1)
    heard = prompt_tokens + speech_tokens_made
    frames = config.flow.mel_per_token * heard
    return {
        "llm.prefix": llm(config.llm, new=prefix, held=0),
        "llm.step": steps,
        "flow.encoder": flow_encoder(config.flow, tokens=heard, coming=0, mels=config.mels),
        "flow.estimator": flow_estimator(config.flow, frames=frames, mels=config.mels).times(config.flow.euler_steps),
        "vocoder": vocoder(config.vocoder, frames=config.flow.mel_per_token * speech_tokens_made, mels=config.mels),
    }
