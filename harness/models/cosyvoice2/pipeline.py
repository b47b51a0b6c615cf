"""The engine's facade: a request in, audio and speech tokens out, over weights that are in memory already.

Building a `Pipeline` is what `init` times: it does what upstream's constructors do besides reading weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.errors import UsageError
from harness.models.cosyvoice2 import weights
from harness.models.cosyvoice2.config import CosyVoice2Config
from harness.models.cosyvoice2.frontend import FrontEnd, FrontEndModels, ModelInputs, Recordings, random_front_end
from harness.models.cosyvoice2.model_dir import ModelDir
from harness.models.cosyvoice2.synthesis import Session, Synthesiser
from harness.models.cosyvoice2.text import PATTERNS
from harness.worker.requests import Output, Request, Speaker
from harness.worker.spans import span


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Everything that is loaded once and shared by all pipelines of a process."""

    config: CosyVoice2Config
    device: str
    acoustic: weights.AcousticModel
    front_end: FrontEndModels
    recordings: Recordings


def random_networks(
    config: CosyVoice2Config, device: str, seed: int, llm_dtype: torch.dtype = torch.float32
) -> Networks:
    """All networks of the model with weights from `seed`, on `device`, the language model's of `llm_dtype`."""
    return Networks(
        config=config,
        device=device,
        acoustic=weights.random_model(config, device, seed, llm_dtype),
        front_end=random_front_end(config, device, seed),
        recordings=Recordings(config.prompt_rate_hz),
    )


def loaded_networks(directory: ModelDir, device: str, llm_dtype: torch.dtype = torch.float32) -> Networks:
    """All networks of a model directory, on `device`, the language model's of `llm_dtype`. Raises CheckpointError."""
    from harness.models.cosyvoice2 import checkpoint, onnx_networks

    return Networks(
        config=directory.config,
        device=device,
        acoustic=checkpoint.load_acoustic(directory, device, llm_dtype),
        front_end=onnx_networks.load_front_end(directory, device),
        recordings=Recordings(directory.config.prompt_rate_hz),
    )


def site_arguments(networks: Networks, sites: Mapping[str, Any], request: Request) -> Mapping[str, tuple[Any, ...]]:
    """What a pipeline calls each of its sites with when it speaks `request`: one example, for timing a site alone.

    `sites` are those of the front end that extracts the speaker's features.
    """
    config = networks.config
    front_end = FrontEnd(config, networks.front_end, networks.recordings, sites)
    recording = networks.recordings.audio(request.speaker.audio)
    return {
        "model.cuda_available": (),
        "frontend.device": (),
        "facade.device": (),
        "frontend.resample": (recording, config.prompt_rate_hz, config.sample_rate_hz),
        "text.patterns": (PATTERNS, request.text),
        "frontend.speaker": (request.speaker, front_end.extract),
        "engine.cleanup": (),
    }


class Pipeline:
    """Speaks requests. `sites` says how each place that a toggle can change is done (`optimizations.sites`).

    `held` counts what the caches among them hold.
    """

    @torch.inference_mode()
    def __init__(
        self, networks: Networks, sites: Mapping[str, Any], speakers: Sequence[Speaker],
        held: Callable[[], Mapping[str, tuple[int, int]]] = dict,
    ) -> None:  # fmt: skip
        self.held = held
        self._sample_rate_hz = networks.config.sample_rate_hz
        self._device = sites["facade.device"]
        self._cleanup = sites["engine.cleanup"]
        self._front_end = FrontEnd(networks.config, networks.front_end, networks.recordings, sites)
        self._synthesiser = Synthesiser(
            networks.config, networks.acoustic, networks.device, sites["model.cuda_available"]
        )
        self._front_end.register(tuple(speakers))
        self._modes: Mapping[str, Callable[[str, Speaker], ModelInputs]] = {
            "zero_shot": self._front_end.zero_shot,
            "cross_lingual": self._front_end.cross_lingual,
            "sft": self._front_end.sft,
        }

    @torch.inference_mode()
    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        """Speak `request`. `on_chunk(samples)` is called as each piece of audio reaches the host.

        Equal requests give equal tokens and audio. Raises UsageError for a request without anything to speak.
        """
        session = self._synthesiser.start(request.seed, request.tokens)
        pieces: list[Tensor] = []
        for piece in self._pieces(request, session):
            pieces.append(piece)
            on_chunk(len(piece))
        with span("cleanup"):
            self._cleanup.after_request()
        return Output(
            audio=np.concatenate([piece.numpy() for piece in pieces]),
            sample_rate_hz=self._sample_rate_hz,
            tokens=tuple(session.tokens),
            hit_cap=session.hit_cap,
            segments=tuple(session.segments),
        )

    def _pieces(self, request: Request, session: Session) -> Iterator[Tensor]:
        if request.mode == "voice_conversion":
            return self._convert(request, session)
        return self._speak(request, session)

    def _speak(self, request: Request, session: Session) -> Iterator[Tensor]:
        """Segment by segment; as upstream, each asks for the speaker's features anew."""
        inputs_of = self._modes[request.mode]
        with span("frontend"):
            segments = self._front_end.segments(request.text)
        for segment in segments:
            with span("frontend"):
                inputs = inputs_of(segment, request.speaker).to(self._device())
            yield from self._segment(inputs, session, stream=request.stream)

    def _convert(self, request: Request, session: Session) -> Iterator[Tensor]:
        """The words of the source recording, in the speaker's voice; one segment."""
        if request.source is None:
            message = f"request {request.id!r} is for voice conversion and names no source recording"
            raise UsageError(message)
        with span("frontend"):
            inputs = self._front_end.voice_conversion(request.source, request.speaker).to(self._device())
        yield from self._segment(inputs, session, stream=request.stream)

    def _segment(self, inputs: ModelInputs, session: Session, *, stream: bool) -> Iterator[Tensor]:
        yield from self._synthesiser.speech(inputs, session, stream=stream)
        with span("cleanup"):
            self._synthesiser.end_segment()
            self._cleanup.after_segment()
