"""The weights of a model directory: tensors only, and every one of them accounted for.

Read as the public code reads them, and as tolerant: the vocoder's names may stand under `generator.`, weight norm may
have its old names, numbers may be of another floating type. More tolerant in one place: the text head, which is tied to
the embedding, may be left out.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from harness.errors import CheckpointError
from harness.models.cosyvoice2 import weights
from harness.models.cosyvoice2.flow import Flow
from harness.models.cosyvoice2.llm import SpeechLM
from harness.models.cosyvoice2.model_dir import FLOW_FILE, LLM_FILE, VOCODER_FILE, ModelDir
from harness.models.cosyvoice2.vocoder import HiFT
from harness.models.cosyvoice2.weights import AcousticModel

LISTED = 8
"""How many names of each kind an error lists; the number of all is given."""

EMBEDDING, HEAD = "llm.model.model.embed_tokens.weight", "llm.model.lm_head.weight"
_OLD_WEIGHT_NORM = {
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}


def load_acoustic(
    directory: ModelDir, device: torch.device | str, llm_dtype: torch.dtype = torch.float32
) -> AcousticModel:
    """The three networks of `directory`, float32 on `device`, in eval mode; the language model rounded to `llm_dtype` before it gets there.

    Raises one CheckpointError for all three files, which names what is missing, left over or of another shape.
    """
    config = directory.config
    llm = weights.construct(lambda: SpeechLM(config.llm))
    flow = weights.construct(
        lambda: Flow(config.flow, config.llm.speech_vocab, config.speaker_encoder.embedding, config.mels)
    )
    vocoder = weights.construct(lambda: HiFT(config.vocoder, config.sample_rate_hz, config.mels))
    problems: list[str] = []
    for file, module in ((LLM_FILE, llm), (FLOW_FILE, flow), (VOCODER_FILE, vocoder)):
        problems += [f"{directory.name}/{file}: {line}" for line in _fill(module, directory.path / file)]
    if problems:
        message = "\n".join([*problems, "the dimensions come from cosyvoice2.yaml and CosyVoice-BlankEN/config.json"])
        raise CheckpointError(message)
    return AcousticModel(llm=llm.to(llm_dtype).to(device), flow=flow.to(device), vocoder=vocoder.to(device))


def _fill(module: nn.Module, file: Path) -> list[str]:
    """Copy the tensors of `file` into `module`, or return what does not fit."""
    tensors = named_as_here(read_tensors(file), file.name)
    problems = disagreements(module, tensors)
    if not problems:
        module.load_state_dict(tensors, strict=True)
    return problems


def read_tensors(file: Path) -> dict[str, Any]:
    """What `torch.save` put into `file`, mapped from disk. Raises CheckpointError; code in the file is never run."""
    name = f"{file.parent.name}/{file.name}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are refused just afterwards
            found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  damaged files make torch raise whatever the damage leads to
        why = " ".join(str(error).split())[:200] or type(error).__name__
        what = "holds more than tensors, or is damaged" if isinstance(error, pickle.UnpicklingError) else "is damaged"
        message = f"{name} ({file.stat().st_size} bytes) {what}, and was not loaded: {why}; download it again"
        raise CheckpointError(message) from None
    if not isinstance(found, Mapping):
        message = f"{name} holds a {type(found).__name__} instead of named tensors; download it again"
        raise CheckpointError(message)
    return dict(found)


def named_as_here(tensors: Mapping[str, Any], file: str) -> dict[str, Any]:
    """`tensors` under the names of our modules."""
    named = {_name_here(name, file): tensor for name, tensor in tensors.items()}
    if file == LLM_FILE and HEAD not in named and EMBEDDING in named:
        named[HEAD] = named[EMBEDDING]
    return named


def _name_here(name: str, file: str) -> str:
    if file == VOCODER_FILE:
        name = name.replace("generator.", "")
    for old, new in _OLD_WEIGHT_NORM.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def disagreements(module: nn.Module, tensors: Mapping[str, Any]) -> list[str]:
    """One line each for what is missing in `tensors`, what is left over, misshapen, not a number, or not tied."""
    wanted = module.state_dict()
    is_tensor = {name: isinstance(tensor, Tensor) for name, tensor in tensors.items()}
    shapes = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if is_tensor.get(name) and tensors[name].shape != tensor.shape
    ]
    kinds = {
        "missing": [name for name in wanted if name not in tensors],
        "left over": [name for name in tensors if name not in wanted],
        "of another shape": shapes,
        "not floating-point tensors": [
            name for name in wanted if name in tensors and not (is_tensor[name] and tensors[name].is_floating_point())
        ],
    }
    lines = [_listed(kind, names) for kind, names in kinds.items() if names]
    if not lines and HEAD in wanted and not _tied(tensors[EMBEDDING], tensors[HEAD]):
        lines.append(f"{HEAD} differs from {EMBEDDING}, but the model has them tied")
    return lines


def _listed(kind: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{len(names)} {kind}: {', '.join(names[:LISTED])}{more}"


def _tied(embedding: Tensor, head: Tensor) -> bool:
    return embedding.data_ptr() == head.data_ptr() or torch.equal(embedding, head)
