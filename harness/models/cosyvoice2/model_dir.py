"""A model directory as CosyVoice2-0.5B is published: which files, and what can be told without torch.

`examine` is what is looked at before any process is started; `checkpoint` and `onnx_networks` read the weights.
Nothing in a directory is executed: the YAML is parsed as data, the pickles hold tensors only, ONNX graphs are data too.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError
from harness.models.cosyvoice2.config import SIZES, CosyVoice2Config
from harness.models.cosyvoice2.published_config import CONFIG_FILE, QWEN_CONFIG_FILE, read_config

LLM_FILE, FLOW_FILE, VOCODER_FILE = "llm.pt", "flow.pt", "hift.pt"
SPEAKER_FILE, SPEECH_TOKENIZER_FILE = "campplus.onnx", "speech_tokenizer_v2.onnx"
TOKENIZER_FOLDER = "CosyVoice-BlankEN"
QWEN_WEIGHTS_FILE = f"{TOKENIZER_FOLDER}/model.safetensors"
"""Read by the public code alone, which then replaces all of it by `llm.pt`."""

RANDOM_MARK = "random-weights.json"
"""Stands in directories that `harness make-checkpoint` wrote, and says with which size and seed; written last."""

_TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDir:
    """A directory whose files are there. `made` holds size and seed where `make-checkpoint` drew the weights."""

    path: Path
    config: CosyVoice2Config
    files: tuple[str, ...]
    made: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The directory's own name: what is published of where weights came from."""
        return self.path.resolve().name

    def fingerprint(self) -> str:
        """16 hexadecimal digits of SHA-256 over all files that are read, names included. Reads all of them."""
        with ThreadPoolExecutor() as pool:
            digests = list(pool.map(lambda name: _digest(self.path / name), self.files))
        lines = "".join(f"{name} {digest}\n" for name, digest in zip(self.files, digests, strict=True))
        return hashlib.sha256(lines.encode()).hexdigest()[:16]


def examine(path: Path, size: str | None = None) -> ModelDir:
    """The model directory at `path`, after a look at its small files.

    Raises CheckpointError that names all files that are missing or are not what they should be, or the value of the
    configuration that cannot be served, or a `size` that the directory does not have.
    """
    files = _files(path)
    made = _made(path)
    config = read_config(path)
    if made is not None:
        config = _as_made(path, config, made)
    if size is not None and size != config.size:
        message = f"size: {size} contradicts {path.name}, which is {config.size}; leave size away"
        raise CheckpointError(message)
    return ModelDir(path=path, config=config, files=files, made=made)


def _files(path: Path) -> tuple[str, ...]:
    if not path.is_dir():
        message = f"there is no folder {path}; give the folder of CosyVoice2-0.5B, or make one: harness make-checkpoint"
        raise CheckpointError(message)
    whole = f"{TOKENIZER_FOLDER}/tokenizer.json"
    tokenizer = [whole] if (path / whole).exists() else [f"{TOKENIZER_FOLDER}/{name}" for name in _TOKENIZER_FILES]
    wanted = (
        CONFIG_FILE, QWEN_CONFIG_FILE, *tokenizer, LLM_FILE, FLOW_FILE, VOCODER_FILE, SPEAKER_FILE, SPEECH_TOKENIZER_FILE,
    )  # fmt: skip
    missing = [name for name in wanted if not (path / name).is_file()]
    if missing:
        raise CheckpointError(_missing(path, missing))
    for name in wanted:
        _refuse_pointer(path, name)
    return wanted


def _missing(path: Path, missing: list[str]) -> str:
    message = f"{path.name} lacks {', '.join(missing)}; download CosyVoice2-0.5B again, completely"
    if CONFIG_FILE in missing and (path / "cosyvoice3.yaml").exists():
        return f"{path.name} is CosyVoice3, another model: what is read here is CosyVoice2-0.5B"
    if CONFIG_FILE in missing and (path / "cosyvoice.yaml").exists():
        return (
            f"{message}. It has cosyvoice.yaml, the name in CosyVoice 1 and in the first release of CosyVoice2: for the "
            "latter, copy it to cosyvoice2.yaml"
        )
    return message


def _refuse_pointer(path: Path, name: str) -> None:
    with (path / name).open("rb") as file:
        start = file.read(len(_LFS_POINTER))
    if not start:
        message = f"{path.name}/{name} is empty; download it again"
        raise CheckpointError(message)
    if start == _LFS_POINTER:
        message = f"{path.name}/{name} is a Git LFS pointer, not the file itself; run `git lfs pull` in that folder"
        raise CheckpointError(message)


def _made(path: Path) -> dict[str, Any] | None:
    mark = path / RANDOM_MARK
    if not mark.exists():
        return None
    try:
        made = json.loads(mark.read_text(encoding="utf-8"))
        known = {"size": str(made["size"]), "seed": int(made["seed"])}
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path.name}/{RANDOM_MARK} cannot be read ({error!r}); make the directory again"
        raise CheckpointError(message) from None
    if known["size"] not in SIZES:
        message = f"{path.name}/{RANDOM_MARK}: unknown size {known['size']!r}; allowed: {', '.join(SIZES)}"
        raise CheckpointError(message)
    return known


def _as_made(path: Path, read: CosyVoice2Config, made: dict[str, Any]) -> CosyVoice2Config:
    """The configuration of the size that the directory was made with, which its files must agree with.

    The published files do not say how texts are split, how long random weights speak and, the number being a constant
    in the public code, how many blocks follow the upsampling.
    """
    config = SIZES[made["size"]]
    says = replace(
        read,
        size=config.size,
        text=config.text,
        speech_tokenizer=config.speech_tokenizer,
        speaker_encoder=config.speaker_encoder,
        llm=replace(read.llm, tokens_per_text_token=config.llm.tokens_per_text_token),
        flow=replace(read.flow, upsample_blocks=config.flow.upsample_blocks),
    )
    if says != config:
        differing = [part for part in ("llm", "flow", "vocoder") if getattr(says, part) != getattr(config, part)]
        message = (
            f"{path.name}: {RANDOM_MARK} says size {config.size}, but {CONFIG_FILE} or {QWEN_CONFIG_FILE} has other "
            f"dimensions ({', '.join(differing) or 'rates'}); make the directory again, or delete {RANDOM_MARK}"
        )
        raise CheckpointError(message)
    return config


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
