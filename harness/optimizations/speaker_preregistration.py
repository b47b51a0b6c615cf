"""Compute speaker features once, at registration (seed document: `TTS.py` and `app.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import get_ident
from typing import Any

from harness.optimizations.cache import Cache, Held, tensor_bytes
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext, SpeakerFeatures
from harness.optimizations.witness import Witness
from harness.worker.probes import counter

Extract = Callable[[Any], Mapping[str, Any]]


class ExtractedEachTime:
    """Runs the speech tokenizer and the speaker encoder over the prompt in every request."""

    def register(self, prompts: Sequence[Any], extract: Extract) -> None:
        pass

    def features(self, prompt: Any, extract: Extract) -> Mapping[str, Any]:
        return extract(prompt)


class Registered:
    """Keeps features in memory and in a folder that survives a restart: one safetensors file per speaker and model."""

    def __init__(self, store_dir: Path, model_fingerprint: str, device: str) -> None:
        self._dir = store_dir
        self._model = model_fingerprint
        self._device = device
        self._known: dict[str, Mapping[str, Any]] = {}

    def register(self, prompts: Sequence[Any], extract: Extract) -> None:
        for prompt in prompts:
            self.features(prompt, extract)

    def features(self, prompt: Any, extract: Extract) -> Mapping[str, Any]:
        if prompt.digest not in self._known:
            self._known[prompt.digest] = self._stored(prompt) or self._extracted(prompt, extract)
        return self._known[prompt.digest]

    def held(self) -> Held:
        """The speakers known, and the bytes of their features in memory; the folder holds as much again."""
        return len(self._known), sum(tensor_bytes(features.values()) for features in self._known.values())

    def _stored(self, prompt: Any) -> Mapping[str, Any] | None:
        from safetensors.torch import load_file

        path = self._path(prompt)
        return load_file(path, device=self._device) if path.exists() else None

    def _extracted(self, prompt: Any, extract: Extract) -> Mapping[str, Any]:
        from safetensors.torch import save_file

        features = extract(prompt)
        self._dir.mkdir(parents=True, exist_ok=True)
        partial = self._path(prompt).with_suffix(f".{get_ident()}.partial")
        save_file({name: tensor.contiguous() for name, tensor in features.items()}, partial)
        partial.replace(self._path(prompt))
        return features

    def _path(self, prompt: Any) -> Path:
        return self._dir / f"{self._model}-{prompt.digest}.safetensors"


def extract_each_time(context: BindContext) -> SpeakerFeatures:
    """Extract the speaker's features anew in every request."""
    return ExtractedEachTime()


def features_of_one(speakers: SpeakerFeatures, prompt: Any, extract: Extract) -> Callable[[], Mapping[str, Any]]:
    """The features of a speaker whom the pipeline was told of when it was built."""
    speakers.register([prompt], extract)
    return partial(speakers.features, prompt, extract)


@optimization(
    title="Preregister speaker features",
    sites=("frontend.speaker",),
    before=extract_each_time,
    witness=Witness(
        unit="speaker extractions",
        probe=lambda: counter("speaker.extracted"),
        before="every request",
        after="none",
    ),
    seed_section="other 3",
    place=features_of_one,
    cache=Cache(
        entry="the features of a speaker: speech tokens, mel frames, embedding",
        key="a digest of the speaker's recording and its words, and the model",
        misses="new speaker",
        size=Registered.held,
    ),
)
def speaker_preregistration(context: BindContext) -> SpeakerFeatures:
    """Compute a speaker's features (speech tokens, mel frames, embedding) when the speaker is registered.

    Requests then take them from memory. They are kept in a folder as well, so that a restart reads them instead of
    computing them. A speaker that was not registered is extracted in its first request and kept.
    """
    return Registered(context.store_dir, context.model_fingerprint, context.device)
