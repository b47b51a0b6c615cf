"""What the networks do in a request that is not timed: their calls are watched, and each declares its work (`work`).

Watching puts a function in front of a network's method on the one object, and takes it away again; nothing of it is there
while requests are timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from torch import Tensor, nn

from harness.models.cosyvoice2 import work
from harness.models.cosyvoice2.pipeline import Networks
from harness.models.cosyvoice2.speaker_encoder import SpeakerEncoder
from harness.models.cosyvoice2.speech_tokenizer import SpeechTokenizer
from harness.models.cosyvoice2.work import Work

Told = tuple[str, Work]
"""The part of a stage that was called, and its work."""


@contextmanager
def declaring(networks: Networks) -> Iterator[list[dict[str, Any]]]:
    """A list that holds, when the block ends, what each part did in it: items with the fields of `results.PartWork`.

    Networks of a model directory that are ONNX graphs declare nothing.
    """
    parts: dict[str, dict[str, Any]] = {}
    declared: list[dict[str, Any]] = []
    watched: list[tuple[nn.Module, str]] = []
    try:
        for network, method, declare in _watched(networks):
            _watch(network, method, declare, parts)
            watched.append((network, method))
        yield declared
    finally:
        for network, method in watched:
            delattr(network, method)
        declared += parts.values()


def _watched(networks: Networks) -> Iterator[tuple[nn.Module, str, Callable[..., Told]]]:
    """Which methods are watched, and how the arguments of a call become what it declares."""
    config, mels, acoustic = networks.config, networks.config.mels, networks.acoustic
    estimator = acoustic.flow.decoder.estimator

    def step(embedded: Tensor, cache: Any) -> Told:
        new, held = embedded.shape[1], cache.length
        return "llm.step" if held else "llm.prefix", work.llm(config.llm, new=new, held=held)

    def encode(x: Tensor, coming: Tensor | None = None, **_: Any) -> Told:
        ahead = 0 if coming is None else coming.shape[1]
        return "flow.encoder", work.flow_encoder(config.flow, tokens=x.shape[1], coming=ahead, mels=mels)

    def estimate(x: Tensor, *_: Any, **__: Any) -> Told:
        return "flow.estimator", work.flow_estimator(config.flow, frames=x.shape[2], mels=mels, batch=x.shape[0])

    def sing(mel: Tensor, *_: Any, **__: Any) -> Told:
        return "vocoder", work.vocoder(config.vocoder, frames=mel.shape[2], mels=mels)

    def hear(log_mel: Tensor) -> Told:
        return "frontend.speech_tokens", work.speech_tokens(config.speech_tokenizer, frames=log_mel.shape[2])

    def embed(fbank: Tensor) -> Told:
        return "frontend.embedding", work.speaker_embedding(config.speaker_encoder, frames=fbank.shape[1])

    yield acoustic.llm, "step", step
    yield acoustic.flow.encoder, "forward", encode
    yield estimator, "forward", estimate
    yield acoustic.vocoder, "inference", sing
    heard = networks.front_end
    if isinstance(heard.speech_tokenizer, SpeechTokenizer):
        yield heard.speech_tokenizer, "encode", hear
    if isinstance(heard.speaker_encoder, SpeakerEncoder):
        yield heard.speaker_encoder, "embed", embed


def _watch(network: nn.Module, method: str, declare: Callable[..., Told], parts: dict[str, dict[str, Any]]) -> None:
    original = getattr(network, method)
    weight = next(network.parameters())
    on_host, precision, size = weight.device.type == "cpu", str(weight.dtype).removeprefix("torch."), weight.itemsize

    @wraps(original)
    def watching(*arguments: Any, **options: Any) -> Any:
        part, done = declare(*arguments, **options)
        told = parts.setdefault(part, {**_EMPTY, "part": part, "on_host": on_host, "precision": precision})
        told["calls"] += 1
        told["matrix"] += done.matrix
        told["convolution"] += done.convolution
        for name, numbers in (("parameter", done.parameters), ("state", done.state), ("data", done.data)):
            told[f"{name}_bytes"] += size * numbers
        told["working_bytes"] = max(told["working_bytes"], size * (done.parameters + done.state))
        return original(*arguments, **options)

    setattr(network, method, watching)


_EMPTY = dict.fromkeys(
    ("calls", "matrix", "convolution", "parameter_bytes", "state_bytes", "data_bytes", "working_bytes"), 0
)
