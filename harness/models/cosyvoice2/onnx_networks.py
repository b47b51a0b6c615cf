"""The front end's networks of a model directory: ONNX graphs, run by onnxruntime as the public code does.

One thread each, all graph optimisations, the speaker encoder on the CPU, the speech tokenizer where the model is if this
onnxruntime can. Only this module imports onnxruntime, and only where a directory is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import CheckpointError
from harness.models.cosyvoice2.config import CosyVoice2Config
from harness.models.cosyvoice2.frontend import FrontEndModels
from harness.models.cosyvoice2.model_dir import SPEAKER_FILE, SPEECH_TOKENIZER_FILE, TOKENIZER_FOLDER, ModelDir
from harness.models.cosyvoice2.tokenizer import from_folder

THREADS = 1

_FLOATS = "tensor(float)"
_NUMBERS = ("tensor(int32)", "tensor(int64)", _FLOATS)
"""Of what type tokens may come out; the public code makes whole numbers of whatever it gets."""


class _Graph:
    """An ONNX graph in memory. `provider` says what runs it."""

    def __init__(self, file: Path, device: str) -> None:
        self.file = file
        self._session = _session(file, device)
        self.inputs = self._session.get_inputs()
        self.outputs = self._session.get_outputs()
        self.provider: str = self._session.get_providers()[0]

    def run(self, *values: Any) -> Any:
        names = [each.name for each in self.inputs]
        return self._session.run(None, dict(zip(names, values, strict=True)))[0]

    def expect(self, inputs: tuple[tuple[str, tuple[int | None, ...]], ...], output_types: tuple[str, ...]) -> None:
        """Check types, ranks and fixed sizes (None: any) of the inputs in their order, and the first output's type.

        Names are free: the public code goes by order too.
        """
        fits = len(self.inputs) == len(inputs) and all(
            found.type == kind and _fits(found.shape, shape)
            for found, (kind, shape) in zip(self.inputs, inputs, strict=True)
        )
        if fits and self.outputs and self.outputs[0].type in output_types:
            return
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in (*self.inputs, *self.outputs[:1]))
        wanted = ", ".join(f"{kind} {list(shape)}" for kind, shape in inputs)
        message = (
            f"{self.file.parent.name}/{self.file.name} has another interface: {found}; expected inputs {wanted} and an "
            f"output of {' or '.join(output_types)}; download it again"
        )
        raise CheckpointError(message)

    def describe(self) -> dict[str, Any]:
        return {"file": self.file.name, "bytes": self.file.stat().st_size, "runs_on": self.provider, "threads": THREADS}


class OnnxSpeechTokenizer:
    """`speech_tokenizer_v2.onnx`."""

    def __init__(self, file: Path, device: str, mels: int) -> None:
        self._graph = _Graph(file, device)
        self._graph.expect(((_FLOATS, (None, mels, None)), ("tensor(int32)", (None,))), _NUMBERS)
        self.describe = self._graph.describe

    def encode(self, log_mel: Tensor) -> Tensor:
        """Log-mel float32 [1, mels, T] (100 frames a second, on any device) -> tokens int64 [1, ceil(T / 4)], CPU."""
        frames = torch.tensor([log_mel.shape[2]], dtype=torch.int32)
        tokens = torch.from_numpy(self._graph.run(log_mel.cpu().numpy(), frames.numpy()))
        return tokens.long().reshape(1, -1)


class OnnxSpeakerEncoder:
    """`campplus.onnx`."""

    def __init__(self, file: Path, mels: int, embedding: int) -> None:
        self._graph = _Graph(file, "cpu")
        self._graph.expect(((_FLOATS, (None, None, mels)),), (_FLOATS,))
        self._embedding = embedding
        self.describe = self._graph.describe

    def embed(self, fbank: Tensor) -> Tensor:
        """Filter banks float32 [1, T, mels], mean subtracted -> embedding float32 [1, embedding], CPU."""
        return torch.from_numpy(self._graph.run(fbank.cpu().numpy())).reshape(1, self._embedding)


def load_front_end(directory: ModelDir, device: str) -> FrontEndModels:
    """The front end's networks and vocabulary of `directory`. Raises CheckpointError."""
    config: CosyVoice2Config = directory.config
    bpe = from_folder(directory.path / TOKENIZER_FOLDER)
    if bpe.get_vocab_size() > config.llm.text_vocab:
        message = (
            f"{directory.name}/{TOKENIZER_FOLDER} has {bpe.get_vocab_size()} tokens, but config.json there says "
            f"vocab_size {config.llm.text_vocab}: they are not of one model"
        )
        raise CheckpointError(message)
    return FrontEndModels(
        bpe=bpe,
        speech_tokenizer=OnnxSpeechTokenizer(
            directory.path / SPEECH_TOKENIZER_FILE, device, config.speech_tokenizer.mels
        ),
        speaker_encoder=OnnxSpeakerEncoder(
            directory.path / SPEAKER_FILE, config.speaker_encoder.mels, config.speaker_encoder.embedding
        ),
    )


def _session(file: Path, device: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        message = f"{file.name} needs onnxruntime; install it: python -m pip install onnxruntime"
        raise CheckpointError(message) from None
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    providers: list[Any] = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        index = int(device.partition(":")[2] or 0)
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": index}))
    try:
        return onnxruntime.InferenceSession(str(file), sess_options=options, providers=providers)
    except Exception as error:  # noqa: BLE001  onnxruntime's own exceptions share no base class
        why = " ".join(str(error).split())[:200]
        message = f"{file.parent.name}/{file.name} is not an ONNX graph that can be run: {why}; download it again"
        raise CheckpointError(message) from None


def _fits(found: Any, wanted: tuple[int | None, ...]) -> bool:
    """Symbolic sizes are text or None and fit anything."""
    return len(found) == len(wanted) and all(
        size is None or not isinstance(has, int) or has == size for has, size in zip(found, wanted, strict=True)
    )
