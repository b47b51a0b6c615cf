"""A model directory with random weights, laid out as CosyVoice2-0.5B is published, so that the public code loads it.

The weights are those of `weights: random` with the same size and seed. Everything is written beside the wanted place and
renamed at the end: a run that is killed leaves a folder ending in `.partial`, never one that looks complete.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from harness.errors import UsageError
from harness.models.cosyvoice2 import model_dir, onnx_export, weights
from harness.models.cosyvoice2.config import CosyVoice2Config, LlmConfig
from harness.models.cosyvoice2.flow import Flow
from harness.models.cosyvoice2.frontend import random_front_end_networks
from harness.models.cosyvoice2.llm import SpeechLM
from harness.models.cosyvoice2.published_config import CONFIG_FILE, QWEN_CONFIG_FILE
from harness.models.cosyvoice2.published_yaml import yaml_text
from harness.models.cosyvoice2.speaker_encoder import SpeakerEncoder
from harness.models.cosyvoice2.speech_tokenizer import SpeechTokenizer
from harness.models.cosyvoice2.tokenizer import QWEN_SPECIALS, special_ids, trained
from harness.models.cosyvoice2.vocoder import HiFT

Told = Callable[[str], None]
"""Called with what is done next."""

HEADROOM = 1.05
_QWEN_PREFIX = "llm.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    config: CosyVoice2Config
    seed: int
    folder: Path


def make(folder: Path, config: CosyVoice2Config, seed: int, tell: Told) -> int:
    """Write the directory `folder` and return its bytes. `tell` hears of each step.

    Raises UsageError for a folder that holds something, or where disk or packages are lacking; nothing is left then.
    """
    folder = folder.absolute()
    _check_place(folder)
    onnx_export.require_packages()
    partial = folder.with_name(f"{folder.name}.partial")
    _check_partial(partial)
    (partial / model_dir.TOKENIZER_FOLDER).mkdir(parents=True)
    job = _Job(config=config, seed=seed, folder=partial)
    try:
        for title, step in STEPS.items():
            tell(title)
            step(job)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return size_on_disk(folder)


def check_disk(folder: Path, config: CosyVoice2Config) -> int:
    """About how many bytes the directory will take. Raises UsageError where the disk has no room for them."""
    wanted = expected_bytes(config)
    parent = folder.absolute().parent
    while not parent.exists():
        parent = parent.parent
    free = shutil.disk_usage(parent).free
    if free < wanted * HEADROOM:
        message = f"{folder} needs about {wanted} bytes and the disk has {free} free; choose another place or size"
        raise UsageError(message)
    return wanted


def expected_bytes(config: CosyVoice2Config) -> int:
    """The weights' bytes: float32 for our networks, and the Qwen folder's copy in bfloat16."""
    with torch.device("meta"):
        llm = SpeechLM(config.llm)
        rest = [
            Flow(config.flow, config.llm.speech_vocab, config.speaker_encoder.embedding, config.mels),
            HiFT(config.vocoder, config.sample_rate_hz, config.mels),
            SpeechTokenizer(config.speech_tokenizer),
            SpeakerEncoder(config.speaker_encoder),
        ]
    qwen = sum(parameter.numel() for parameter in llm.llm.parameters())
    return 2 * qwen + 4 * sum(parameter.numel() for module in (llm, *rest) for parameter in module.parameters())


def size_on_disk(folder: Path) -> int:
    """Bytes of all files in `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _check_place(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        message = f"{folder} is not empty; name a folder that does not exist yet"
        raise UsageError(message)
    if folder.exists() and not folder.is_dir():
        message = f"{folder} is a file; name a folder that does not exist yet"
        raise UsageError(message)


def _check_partial(partial: Path) -> None:
    if partial.exists():
        message = (
            f"{partial} is there, left by a run that was killed or that is still writing; delete it if it is the former"
        )
        raise UsageError(message)


def _acoustic(job: _Job) -> None:
    model = weights.random_model(job.config, "cpu", job.seed)
    torch.save(model.llm.state_dict(), job.folder / model_dir.LLM_FILE)
    torch.save(model.flow.state_dict(), job.folder / model_dir.FLOW_FILE)
    torch.save(model.vocoder.state_dict(), job.folder / model_dir.VOCODER_FILE)
    qwen = {
        name.removeprefix(_QWEN_PREFIX): tensor.to(torch.bfloat16)
        for name, tensor in model.llm.state_dict().items()
        if name.startswith(_QWEN_PREFIX) and not name.endswith("lm_head.weight")
    }
    save_file(qwen, job.folder / model_dir.QWEN_WEIGHTS_FILE, metadata={"format": "pt"})


def _front_end(job: _Job) -> None:
    tokenizer, encoder = random_front_end_networks(job.config, job.seed)
    onnx_export.export_speech_tokenizer(tokenizer, job.config, job.folder / model_dir.SPEECH_TOKENIZER_FILE)
    onnx_export.export_speaker_encoder(encoder, job.config, job.folder / model_dir.SPEAKER_FILE)


def _tokenizer(job: _Job) -> None:
    folder = job.folder / model_dir.TOKENIZER_FOLDER
    bpe = trained()
    bpe.model.save(str(folder))
    _write_json(folder / "tokenizer_config.json", _tokenizer_settings(special_ids(bpe)))


def _configuration(job: _Job) -> None:
    (job.folder / CONFIG_FILE).write_text(yaml_text(job.config), encoding="utf-8")
    _write_json(job.folder / QWEN_CONFIG_FILE, _qwen_settings(job.config.llm, special_ids(trained())[QWEN_SPECIALS[0]]))
    mark = {"size": job.config.size, "seed": job.seed, "scheme": weights.SCHEME}
    _write_json(job.folder / model_dir.RANDOM_MARK, mark)


STEPS: dict[str, Callable[[_Job], None]] = {
    "weights of the language model, flow and vocoder": _acoustic,
    "speech tokenizer and speaker encoder, as ONNX": _front_end,
    "text tokenizer": _tokenizer,
    "configuration": _configuration,
}


def _tokenizer_settings(ids: dict[str, int]) -> dict[str, Any]:
    end = QWEN_SPECIALS[0]
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        "tokenizer_class": "Qwen2Tokenizer",
        "added_tokens_decoder": {str(number): {"content": name, **flags} for name, number in ids.items()},
        "additional_special_tokens": list(QWEN_SPECIALS[1:]),
        "add_prefix_space": False,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": end,
        "errors": "replace",
        "model_max_length": 32_768,
        "pad_token": end,
        "split_special_tokens": False,
        "unk_token": None,
    }


def _qwen_settings(llm: LlmConfig, end_id: int) -> dict[str, Any]:
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": end_id,
        "eos_token_id": end_id,
        "hidden_act": "silu",
        "hidden_size": llm.hidden,
        "initializer_range": 0.02,
        "intermediate_size": llm.ffn,
        "max_position_embeddings": 32_768,
        "max_window_layers": llm.layers,
        "model_type": "qwen2",
        "num_attention_heads": llm.heads,
        "num_hidden_layers": llm.layers,
        "num_key_value_heads": llm.kv_heads,
        "rms_norm_eps": llm.rms_norm_eps,
        "rope_theta": llm.rope_theta,
        "sliding_window": 32_768,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": llm.text_vocab,
    }


def _write_json(file: Path, data: Any) -> None:
    file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
