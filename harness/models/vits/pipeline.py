"""One request: text to phonemes, and sentence by sentence phonemes to ids to audio at the output rate.

The stages are spans: `text`, `ids`, `network`, `resample`, `output`. A session is asked for once a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.errors import UsageError
from harness.models.vits import sessions
from harness.models.vits.phonemes import numbers
from harness.models.vits.voice import Voice
from harness.optimizations.sites import GraphLevel
from harness.worker.requests import Output, Request
from harness.worker.spans import span

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOISE, DURATION_NOISE = 0.0, 0.0
"""What random numbers in the network are multiplied by. onnxruntime draws them from a state that moves on with each run of
a session, seeded or not, so that anything above 0 makes a request depend on those before it (decision 18). The work is the
same: they are drawn, and then count for nothing."""

Phonemes = Callable[[str], list[str]]


def feeds_of(ids: list[int], voice: Voice) -> dict[str, Any]:
    """What the network is given for the phonemes `ids` of a sentence: arrays by the names of its inputs."""
    return {
        "input": np.array([ids], dtype=np.int64),
        "input_lengths": np.array([len(ids)], dtype=np.int64),
        "scales": np.array([NOISE, voice.length_scale, DURATION_NOISE], dtype=np.float32),
    }


def site_arguments(voice: Voice, phonemes: Phonemes, rate_hz: int, request: Request) -> dict[str, tuple[Any, ...]]:
    """What each site is called with for the first sentence of `request`, by a pipeline with no toggle on.

    Numbers of threads and levels are no calls of their own: their sites get what makes a run of the network with them.
    """
    feeds = feeds_of(numbers(phonemes(request.text)[0], voice.ids), voice)

    def network(threads: int, level: GraphLevel) -> Callable[[], Any]:
        session = sessions.build(voice.file, threads, level)
        return lambda: session.run(None, feeds)

    session = sessions.build(voice.file, 1, "disabled")
    audio = torch.from_numpy(session.run(None, feeds)[0].reshape(1, -1))
    return {
        "voice.session": (partial(sessions.build, voice.file, 1, "disabled"),),
        "voice.threads": (partial(network, level="disabled"),),
        "voice.graph_level": (partial(network, 1),),
        "voice.run": (session, feeds),
        "frontend.resample": (audio, voice.rate_hz, rate_hz),
        "engine.cleanup": (),
    }


class Pipeline:
    """A voice with an arm's toggles bound: `sites` has an implementation for each of the adapter's sites."""

    def __init__(self, voice: Voice, phonemes: Phonemes, rate_hz: int, sites: Mapping[str, Any]) -> None:
        self._voice = voice
        self._phonemes = phonemes
        self._rate_hz = rate_hz
        self._session = sites["voice.session"]
        self._run = sites["voice.run"]
        self._resample = sites["frontend.resample"]
        self._cleanup = sites["engine.cleanup"]
        threads, level = sites["voice.threads"](), sites["voice.graph_level"]()
        self._build = partial(sessions.build, voice.file, threads, level)
        self._session.prepare(self._build)

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        """Speak the request's text. A streaming request hands over each sentence as it is made, any other the whole.

        The tokens are the phonemes' ids. Raises UsageError for voice conversion, which has no text.
        """
        if request.mode == "voice_conversion":
            message = "the adapter vits speaks texts; it has no voice conversion"
            raise UsageError(message)
        with span("text"):
            sentences = self._phonemes(request.text)
        tokens: list[int] = []
        made: list[NDArray[np.float32]] = []
        with span("network"):
            session = self._session.get(self._build)
        for sentence in sentences:
            with span("ids"):
                ids = numbers(sentence, self._voice.ids)
            tokens += ids
            made.append(self._speak(session, ids))
            if request.stream:
                on_chunk(len(made[-1]))
            self._cleanup.after_segment()
        with span("output"):
            audio = np.concatenate(made) if made else np.zeros(0, dtype=np.float32)
        if not request.stream:
            on_chunk(len(audio))
        self._cleanup.after_request()
        return Output(audio=audio, sample_rate_hz=self._rate_hz, tokens=tokens)

    def _speak(self, session: Any, ids: list[int]) -> NDArray[np.float32]:
        """Audio of one sentence at the output rate, float32 [samples]."""
        with span("network"):
            audio = self._run(session, feeds_of(ids, self._voice)).reshape(1, -1)
        with span("resample"), torch.inference_mode():
            resampled = self._resample(torch.from_numpy(audio), self._voice.rate_hz, self._rate_hz)
            found: NDArray[np.float32] = resampled[0].numpy()
        return found
