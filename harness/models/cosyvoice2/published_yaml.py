"""`cosyvoice2.yaml` for given dimensions, with the tags that the public code constructs its modules from.

It holds what speaking needs; the published file says how to train as well.
"""

from __future__ import annotations

from harness.models.cosyvoice2 import audio
from harness.models.cosyvoice2.config import CosyVoice2Config

SIGMA_MIN, TRAINING_CFG_RATE = "1e-06", 0.2
"""Constructor arguments of the public code that only training uses."""

_TEMPLATE = """\
# Written by `harness make-checkpoint --size {config.size}`. The weights beside it are random.
sample_rate: {config.sample_rate_hz}
spk_embed_dim: {config.speaker_encoder.embedding}
qwen_pretrain_path: ''  # the public code sets it on loading
token_frame_rate: {config.tokens_per_second}
token_mel_ratio: {flow.mel_per_token}
chunk_size: {flow.chunk_tokens}

llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: {llm.hidden}
    llm_output_size: {llm.hidden}
    speech_token_size: {llm.speech_vocab}
    length_normalized_loss: True
    lsm_weight: 0
    mix_ratio: [5, 15]
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: {llm.top_p}
        top_k: {llm.top_k}
        win_size: {llm.win_size}
        tau_r: {llm.tau_r}

flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: {flow.width}
    output_size: {config.mels}
    spk_embed_dim: !ref <spk_embed_dim>
    output_type: 'mel'
    vocab_size: {llm.speech_vocab}
    input_frame_rate: !ref <token_frame_rate>
    only_mask_loss: True
    token_mel_ratio: !ref <token_mel_ratio>
    pre_lookahead_len: {flow.lookahead}
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder
        input_size: {flow.width}
        output_size: {flow.width}
        attention_heads: {flow.heads}
        linear_units: {flow.ffn}
        num_blocks: {flow.blocks}
        dropout_rate: 0.1
        positional_dropout_rate: 0.1
        attention_dropout_rate: 0.1
        normalize_before: True
        input_layer: 'linear'
        pos_enc_layer_type: 'rel_pos_espnet'
        selfattention_layer_type: 'rel_selfattn'
        use_cnn_module: False
        macaron_style: False
        static_chunk_size: !ref <chunk_size>
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        in_channels: {three_mels}
        n_spks: 1
        spk_emb_dim: {config.mels}
        cfm_params: !new:omegaconf.DictConfig
            content:
                sigma_min: {sigma_min}
                solver: 'euler'
                t_scheduler: 'cosine'
                training_cfg_rate: {training_cfg_rate}
                inference_cfg_rate: {flow.guidance}
                reg_loss_type: 'l1'
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder
            in_channels: {four_mels}
            out_channels: {config.mels}
            channels: [{flow.estimator_channels}]
            dropout: 0.0
            attention_head_dim: {flow.estimator_head_dim}
            n_blocks: {flow.estimator_blocks}
            num_mid_blocks: {flow.estimator_mid_blocks}
            num_heads: {flow.estimator_heads}
            act_fn: 'gelu'
            static_chunk_size: !ref <chunk_size> * <token_mel_ratio>
            num_decoding_left_chunks: -1

hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: {config.mels}
    base_channels: {vocoder.base_channels}
    nb_harmonics: {vocoder.harmonics}
    sampling_rate: !ref <sample_rate>
    nsf_alpha: {vocoder.nsf_alpha}
    nsf_sigma: {vocoder.nsf_sigma}
    nsf_voiced_threshold: {vocoder.nsf_voiced_threshold}
    upsample_rates: {upsample_rates}
    upsample_kernel_sizes: {upsample_kernels}
    istft_params:
        n_fft: {vocoder.istft_n_fft}
        hop_len: {vocoder.istft_hop}
    resblock_kernel_sizes: {resblock_kernels}
    resblock_dilation_sizes: {resblock_dilations}
    source_resblock_kernel_sizes: {source_resblock_kernels}
    source_resblock_dilation_sizes: {source_resblock_dilations}
    lrelu_slope: {vocoder.lrelu_slope}
    audio_limit: {vocoder.audio_limit}
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor
        num_class: 1
        in_channels: {config.mels}
        cond_channels: {vocoder.f0_channels}

get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_qwen_tokenizer
    token_path: !ref <qwen_pretrain_path>
    skip_special_tokens: True
allowed_special: 'all'
feat_extractor: !name:matcha.utils.audio.mel_spectrogram
    n_fft: {audio.MEL_FFT}
    num_mels: {config.mels}
    sampling_rate: !ref <sample_rate>
    hop_size: {audio.MEL_HOP}
    win_size: {audio.MEL_FFT}
    fmin: 0
    fmax: {fmax}
    center: False
"""

_LISTS = (
    "upsample_rates", "upsample_kernels", "resblock_kernels", "resblock_dilations", "source_resblock_kernels",
    "source_resblock_dilations",
)  # fmt: skip


def yaml_text(config: CosyVoice2Config) -> str:
    """The file's text for `config`."""
    return _TEMPLATE.format(
        config=config,
        llm=config.llm,
        flow=config.flow,
        vocoder=config.vocoder,
        audio=audio,
        fmax=int(audio.MEL_MAX_HZ),
        three_mels=3 * config.mels,
        four_mels=4 * config.mels,
        sigma_min=SIGMA_MIN,
        training_cfg_rate=TRAINING_CFG_RATE,
        **{name: _nested(getattr(config.vocoder, name)) for name in _LISTS},
    )


def _nested(value: object) -> object:
    return [_nested(each) for each in value] if isinstance(value, tuple) else value
