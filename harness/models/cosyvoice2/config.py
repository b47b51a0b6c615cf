"""Dimensions of the model, in three sizes, one place for each number.

`FULL` has the dimensions of the published CosyVoice2-0.5B. `NANO` keeps every part and every connection and shrinks the
widths and depths until a short request takes about 50 ms on two cores. `REDUCED` is the smallest that the public code
can load: the width of the flow's encoder and its four upsampled blocks are constants there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmConfig:
    """Qwen2 layers over text, with an embedding and a head for speech tokens.

    `tokens_per_text_token` sets how many speech tokens a text token is spoken with, where random weights cannot decide
    it or all arms shall do the same work; None lets the model stop by itself. Sampling is repetition-aware (`top_p`, `top_k`, window `win_size`, threshold `tau_r`).
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    text_vocab: int
    speech_vocab: int
    rope_theta: float = 1e6
    rms_norm_eps: float = 1e-6
    tokens_per_text_token: float | None = 4.0
    min_ratio: float = 2.0
    max_ratio: float = 20.0
    top_p: float = 0.8
    top_k: int = 25
    win_size: int = 10
    tau_r: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowConfig:
    """Conformer encoder with x2 upsampling, then a conditional U-Net solved with Euler steps."""

    width: int
    heads: int
    ffn: int
    blocks: int
    upsample_blocks: int
    estimator_channels: int
    estimator_blocks: int
    estimator_mid_blocks: int
    estimator_heads: int
    estimator_head_dim: int
    euler_steps: int = 10
    guidance: float = 0.7
    lookahead: int = 3
    chunk_tokens: int = 25
    mel_per_token: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VocoderConfig:
    """HiFT: neural source filter and inverse STFT; `upsample_rates` x `istft_hop` = 480 samples a mel frame."""

    base_channels: int
    f0_channels: int
    harmonics: int = 8
    upsample_rates: tuple[int, ...] = (8, 5, 3)
    upsample_kernels: tuple[int, ...] = (16, 11, 7)
    istft_n_fft: int = 16
    istft_hop: int = 4
    resblock_kernels: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    source_resblock_kernels: tuple[int, ...] = (7, 7, 11)
    source_resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    lrelu_slope: float = 0.1
    audio_limit: float = 0.99
    nsf_alpha: float = 0.1
    nsf_sigma: float = 0.003
    nsf_voiced_threshold: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTokenizerConfig:
    """Speech tokens from a recording: two strided convolutions, FSMN-attention layers, finite scalar quantisation."""

    mels: int
    width: int
    heads: int
    layers: int
    levels: int = 3
    code_dims: int = 8
    fsmn_kernel: int = 31
    rope_theta: float = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerEncoderConfig:
    """A speaker embedding from fbank features (CAM++: densely connected TDNN with context-aware masking).

    `bottleneck` is in units of `growth`; `context_frames` is the length of the stretches whose means a mask sees beside
    the mean of the whole recording.
    """

    mels: int
    embedding: int
    growth: int
    init_channels: int
    block_layers: tuple[int, ...]
    block_dilations: tuple[int, ...] = (1, 2, 2)
    head_channels: int = 32
    head_blocks: tuple[int, ...] = (2, 2)
    bottleneck: int = 4
    context_frames: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConfig:
    """How a text is split, in characters (Chinese) or tokens (English).

    Sentences are joined while the segment stays within `target`, or is no longer than `shortest`; a last segment below
    `merge_below` joins the one before; a sentence above `longest` is broken.
    """

    target: int
    shortest: int
    merge_below: int
    longest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CosyVoice2Config:
    """The whole model. Speech tokens come at 25 a second, mel frames at 50, audio at `sample_rate_hz`."""

    size: str
    llm: LlmConfig
    flow: FlowConfig
    vocoder: VocoderConfig
    speech_tokenizer: SpeechTokenizerConfig
    speaker_encoder: SpeakerEncoderConfig
    text: TextConfig
    sample_rate_hz: int = 24_000
    prompt_rate_hz: int = 16_000
    mels: int = 80
    tokens_per_second: int = 25


FULL = CosyVoice2Config(
    size="full",
    llm=LlmConfig(hidden=896, layers=24, heads=14, kv_heads=2, ffn=4864, text_vocab=151_936, speech_vocab=6561),
    flow=FlowConfig(
        width=512, heads=8, ffn=2048, blocks=6, upsample_blocks=4,
        estimator_channels=256, estimator_blocks=4, estimator_mid_blocks=12, estimator_heads=8, estimator_head_dim=64,
    ),
    vocoder=VocoderConfig(base_channels=512, f0_channels=512),
    speech_tokenizer=SpeechTokenizerConfig(mels=128, width=1280, heads=20, layers=6),
    speaker_encoder=SpeakerEncoderConfig(
        mels=80, embedding=192, growth=32, init_channels=128, block_layers=(12, 24, 16)
    ),
    text=TextConfig(target=80, shortest=60, merge_below=20, longest=160),
)  # fmt: skip

NANO = CosyVoice2Config(
    size="nano",
    llm=LlmConfig(hidden=64, layers=1, heads=4, kv_heads=2, ffn=128, text_vocab=4096, speech_vocab=6561,
                  tokens_per_text_token=2.0),
    flow=FlowConfig(
        width=32, heads=2, ffn=64, blocks=1, upsample_blocks=1,
        estimator_channels=16, estimator_blocks=1, estimator_mid_blocks=1, estimator_heads=2, estimator_head_dim=8,
    ),
    vocoder=VocoderConfig(
        base_channels=32, f0_channels=32, resblock_kernels=(3, 7), resblock_dilations=((1, 3), (1, 3)),
        source_resblock_dilations=((1,), (1,), (1,)),
    ),
    speech_tokenizer=SpeechTokenizerConfig(mels=128, width=64, heads=4, layers=2),
    speaker_encoder=SpeakerEncoderConfig(
        mels=80, embedding=192, growth=8, init_channels=16, block_layers=(1, 2, 1), head_channels=2, head_blocks=(1, 1)
    ),
    text=TextConfig(target=8, shortest=3, merge_below=4, longest=60),
)  # fmt: skip

REDUCED = replace(NANO, size="reduced", flow=replace(NANO.flow, width=512, upsample_blocks=4))

SIZES = {config.size: config for config in (NANO, REDUCED, FULL)}
"""The sizes that a scenario can name."""
