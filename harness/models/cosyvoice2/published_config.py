"""The dimensions of a model directory: `cosyvoice2.yaml` and the Qwen folder's `config.json`, read as data.

The YAML is written for HyperPyYAML, whose tags construct and call whatever Python names they hold. Here a tag is a word
that stands beside the values, nothing is called, and references are looked up. What the published configuration could
say and our code does not compute is refused, so that no other model is measured under this name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from harness.errors import CheckpointError
from harness.models.cosyvoice2.config import FULL, CosyVoice2Config, FlowConfig, LlmConfig, VocoderConfig

CONFIG_FILE = "cosyvoice2.yaml"
QWEN_CONFIG_FILE = "CosyVoice-BlankEN/config.json"
LARGEST_CONFIG_BYTES = 2**20
UPSAMPLED_BLOCKS = 4
"""A constant in the public code, as are ten Euler steps and 15,000 frames of noise."""

TAG = "!"
"""The key under which a tag stands among the values of its mapping."""

_EXPECTED = {
    "llm.!": "!new:cosyvoice.llm.llm.Qwen2LM",
    "flow.!": "!new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec",
    "flow.encoder.!": "!new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder",
    "flow.encoder.input_layer": "linear",
    "flow.encoder.pos_enc_layer_type": "rel_pos_espnet",
    "flow.encoder.selfattention_layer_type": "rel_selfattn",
    "flow.encoder.normalize_before": True,
    "flow.encoder.use_cnn_module": False,
    "flow.encoder.macaron_style": False,
    "flow.decoder.!": "!new:cosyvoice.flow.flow_matching.CausalConditionalCFM",
    "flow.decoder.cfm_params.content.solver": "euler",
    "flow.decoder.cfm_params.content.t_scheduler": "cosine",
    "flow.decoder.estimator.!": "!new:cosyvoice.flow.decoder.CausalConditionalDecoder",
    "flow.decoder.estimator.act_fn": "gelu",
    "flow.decoder.estimator.num_decoding_left_chunks": -1,
    "flow.output_size": FULL.mels,
    "flow.input_frame_rate": FULL.tokens_per_second,
    "hift.!": "!new:cosyvoice.hifigan.generator.HiFTGenerator",
    "hift.f0_predictor.!": "!new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor",
    "hift.in_channels": FULL.mels,
    "sample_rate": FULL.sample_rate_hz,
    "spk_embed_dim": FULL.speaker_encoder.embedding,
}
_EXPECTED_OF_QWEN = {"model_type": "qwen2", "hidden_act": "silu", "tie_word_embeddings": True}


class _Data(SafeConstructor):
    """Constructs plain data; an unknown tag is kept as a word."""


def _tagged(constructor: _Data, _suffix: str, node: Node) -> Any:
    tag = str(node.tag)
    if isinstance(node, MappingNode):
        return {TAG: tag, **constructor.construct_mapping(node, deep=True)}
    if isinstance(node, SequenceNode):
        return {TAG: tag, "arguments": constructor.construct_sequence(node, deep=True)}
    return {TAG: tag, "value": constructor.construct_scalar(node)}


_Data.add_multi_constructor(TAG, _tagged)


class _Values:
    """A nested mapping that is asked by dotted path; references are followed."""

    def __init__(self, data: Any, file: str) -> None:
        self._data = data
        self._file = file

    def at(self, path: str) -> Any:
        """The value at `path`. Raises CheckpointError with the path where there is none."""
        found = self._data
        for key in path.split("."):
            if not isinstance(found, Mapping) or key not in found:
                raise self.error(path, "this value is missing")
            found = self._resolved(found[key], path)
        return found

    def _resolved(self, value: Any, path: str) -> Any:
        if not isinstance(value, Mapping) or value.get(TAG) != "!ref":
            return value
        names = re.fullmatch(r"\s*(<\w+>|\d+)(\s*\*\s*(<\w+>|\d+))*\s*", str(value["value"]))
        if names is None:
            raise self.error(path, f"the expression {value['value']!r} is neither a reference nor a product of them")
        parts = [part.strip() for part in str(value["value"]).split("*")]
        factors = [self.at(part[1:-1]) if part.startswith("<") else int(part) for part in parts]
        return factors[0] if len(factors) == 1 else prod(factors)

    def whole(self, path: str) -> int:
        """The whole number at `path`."""
        value = self.at(path)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(path, f"found {value!r}; allowed: a whole number")
        return value

    def number(self, path: str) -> float:
        """The number at `path`."""
        value = self.at(path)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(path, f"found {value!r}; allowed: a number")
        return float(value)

    def wholes(self, path: str) -> tuple[int, ...]:
        """The list of whole numbers at `path`."""
        value = self.at(path)
        if not isinstance(value, list) or not all(type(entry) is int for entry in value):
            raise self.error(path, f"found {value!r}; allowed: a list of whole numbers")
        return tuple(value)

    def expect(self, path: str, wanted: Any) -> None:
        """Refuse another value than the one that our code computes."""
        value = self.at(path)
        if value != wanted:
            raise self.error(path, f"found {value!r}, but only {wanted!r} is computed here")

    def error(self, path: str, what: str) -> CheckpointError:
        return CheckpointError(f"{self._file}: {path}: {what}")


def read_config(folder: Path) -> CosyVoice2Config:
    """The dimensions that `folder` says. Raises CheckpointError with file and key for what cannot be served."""
    values = _Values(_yaml(folder / CONFIG_FILE), f"{folder.name}/{CONFIG_FILE}")
    qwen = _Values(_json(folder / QWEN_CONFIG_FILE), f"{folder.name}/{QWEN_CONFIG_FILE}")
    for path, wanted in _EXPECTED.items():
        values.expect(path, wanted)
    for path, wanted in _EXPECTED_OF_QWEN.items():
        qwen.expect(path, wanted)
    config = CosyVoice2Config(
        size="custom",
        llm=_llm(values, qwen),
        flow=_flow(values),
        vocoder=_vocoder(values),
        speech_tokenizer=FULL.speech_tokenizer,
        speaker_encoder=FULL.speaker_encoder,
        text=FULL.text,
    )
    return FULL if config == replace(FULL, size="custom") else config


def _llm(values: _Values, qwen: _Values) -> LlmConfig:
    hidden = qwen.whole("hidden_size")
    values.expect("llm.llm_input_size", hidden)
    values.expect("llm.llm_output_size", hidden)
    return LlmConfig(
        hidden=hidden,
        layers=qwen.whole("num_hidden_layers"),
        heads=qwen.whole("num_attention_heads"),
        kv_heads=qwen.whole("num_key_value_heads"),
        ffn=qwen.whole("intermediate_size"),
        text_vocab=qwen.whole("vocab_size"),
        speech_vocab=values.whole("llm.speech_token_size"),
        rope_theta=qwen.number("rope_theta"),
        rms_norm_eps=qwen.number("rms_norm_eps"),
        top_p=values.number("llm.sampling.top_p"),
        top_k=values.whole("llm.sampling.top_k"),
        win_size=values.whole("llm.sampling.win_size"),
        tau_r=values.number("llm.sampling.tau_r"),
    )


def _flow(values: _Values) -> FlowConfig:
    width = values.whole("flow.encoder.output_size")
    for path in ("flow.input_size", "flow.encoder.input_size"):
        values.expect(path, width)
    values.expect("flow.vocab_size", values.whole("llm.speech_token_size"))
    chunk, ratio = values.whole("flow.encoder.static_chunk_size"), values.whole("flow.token_mel_ratio")
    values.expect("flow.decoder.estimator.static_chunk_size", chunk * ratio)
    estimator = "flow.decoder.estimator"
    channels = values.wholes(f"{estimator}.channels")
    if len(channels) != 1:
        where = f"{estimator}.channels"
        raise values.error(where, f"found {list(channels)}; allowed: a list of one number")
    return FlowConfig(
        width=width,
        heads=values.whole("flow.encoder.attention_heads"),
        ffn=values.whole("flow.encoder.linear_units"),
        blocks=values.whole("flow.encoder.num_blocks"),
        upsample_blocks=UPSAMPLED_BLOCKS,
        estimator_channels=channels[0],
        estimator_blocks=values.whole(f"{estimator}.n_blocks"),
        estimator_mid_blocks=values.whole(f"{estimator}.num_mid_blocks"),
        estimator_heads=values.whole(f"{estimator}.num_heads"),
        estimator_head_dim=values.whole(f"{estimator}.attention_head_dim"),
        guidance=values.number("flow.decoder.cfm_params.content.inference_cfg_rate"),
        lookahead=values.whole("flow.pre_lookahead_len"),
        chunk_tokens=chunk,
        mel_per_token=ratio,
    )


def _vocoder(values: _Values) -> VocoderConfig:
    def lists(path: str) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(cast("list[int]", each)) for each in values.at(path))

    return VocoderConfig(
        base_channels=values.whole("hift.base_channels"),
        f0_channels=values.whole("hift.f0_predictor.cond_channels"),
        harmonics=values.whole("hift.nb_harmonics"),
        upsample_rates=values.wholes("hift.upsample_rates"),
        upsample_kernels=values.wholes("hift.upsample_kernel_sizes"),
        istft_n_fft=values.whole("hift.istft_params.n_fft"),
        istft_hop=values.whole("hift.istft_params.hop_len"),
        resblock_kernels=values.wholes("hift.resblock_kernel_sizes"),
        resblock_dilations=lists("hift.resblock_dilation_sizes"),
        source_resblock_kernels=values.wholes("hift.source_resblock_kernel_sizes"),
        source_resblock_dilations=lists("hift.source_resblock_dilation_sizes"),
        lrelu_slope=values.number("hift.lrelu_slope"),
        audio_limit=values.number("hift.audio_limit"),
        nsf_alpha=values.number("hift.nsf_alpha"),
        nsf_sigma=values.number("hift.nsf_sigma"),
        nsf_voiced_threshold=values.number("hift.nsf_voiced_threshold"),
    )


def _yaml(file: Path) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Data
    try:
        return yaml.load(_text(file))
    except YAMLError as error:
        message = f"{file.parent.name}/{file.name} is not YAML: {error}; download it again"
        raise CheckpointError(message) from None


def _json(file: Path) -> Any:
    try:
        return json.loads(_text(file))
    except ValueError as error:
        message = f"{file.parent.name}/{file.name} is not JSON: {error}; download it again"
        raise CheckpointError(message) from None


def _text(file: Path) -> str:
    if file.stat().st_size > LARGEST_CONFIG_BYTES:
        message = f"{file.parent.name}/{file.name} is larger than a configuration can be ({LARGEST_CONFIG_BYTES} bytes)"
        raise CheckpointError(message)
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        message = f"{file.parent.name}/{file.name} is not UTF-8 text; download it again"
        raise CheckpointError(message) from None
