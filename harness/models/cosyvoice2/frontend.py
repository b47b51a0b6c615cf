"""From a request to what the networks take: text tokens, and the features of the speaker who is imitated.

As upstream, signals are computed on the CPU and every result is moved to the device that `frontend.device` names; the
speaker encoder stays on the CPU and the speech tokenizer runs where the model is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from tokenizers import Tokenizer as BpeTokenizer
from torch import Tensor

from harness.errors import UsageError
from harness.models.cosyvoice2 import audio, weights
from harness.models.cosyvoice2.config import CosyVoice2Config
from harness.models.cosyvoice2.speaker_encoder import SpeakerEncoder
from harness.models.cosyvoice2.speech_tokenizer import SpeechTokenizer
from harness.models.cosyvoice2.text import PATTERNS, TextFrontEnd
from harness.models.cosyvoice2.tokenizer import TextTokenizer, trained
from harness.worker.requests import Speaker
from harness.worker.spans import count, span

LONGEST_RECORDING_S = 30
"""The speech tokenizer was trained on no more."""


class Encodes(Protocol):
    """Log-mel float32 [1, mels, T] (100 frames a second) -> speech tokens int64 [1, ceil(T / 4)]."""

    def encode(self, log_mel: Tensor, /) -> Tensor: ...


class Embeds(Protocol):
    """Filter banks float32 [1, T, mels], mean subtracted -> speaker embedding float32 [1, embedding]."""

    def embed(self, fbank: Tensor, /) -> Tensor: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndModels:
    """The front end's own networks, and the vocabulary of its text tokens."""

    bpe: BpeTokenizer
    speech_tokenizer: Encodes
    speaker_encoder: Embeds


def random_front_end(config: CosyVoice2Config, device: torch.device | str, seed: int) -> FrontEndModels:
    """Front-end networks with weights from `seed`: the speech tokenizer on `device`, the speaker encoder on the CPU."""
    speech_tokenizer, speaker_encoder = random_front_end_networks(config, seed)
    return FrontEndModels(bpe=trained(), speech_tokenizer=speech_tokenizer.to(device), speaker_encoder=speaker_encoder)


def random_front_end_networks(config: CosyVoice2Config, seed: int) -> tuple[SpeechTokenizer, SpeakerEncoder]:
    """The front end's networks with weights from `seed`, on the CPU."""
    return (
        weights.build(
            lambda: SpeechTokenizer(config.speech_tokenizer), weights.generator_for(seed, "speech_tokenizer")
        ),
        weights.build(lambda: SpeakerEncoder(config.speaker_encoder), weights.generator_for(seed, "speaker_encoder")),
    )


class Recordings:
    """Recordings at one rate, each read from disk once: reading files is not what is measured."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._read: dict[Path, Tensor] = {}

    def audio(self, path: Path) -> Tensor:
        """Float32 [1, samples] at `rate_hz`, on the CPU. Raises UsageError for a recording that is too long."""
        if path not in self._read:
            recording = audio.load_recording(path, self.rate_hz)
            if recording.shape[1] > LONGEST_RECORDING_S * self.rate_hz:
                message = f"{path} lasts more than {LONGEST_RECORDING_S} s; cut the recording to at most that"
                raise UsageError(message)
            self._read[path] = recording
        return self._read[path]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInputs:
    """What one segment gives the networks; a length may be 0. `source` holds the tokens where no text is spoken.

    int64 `text` [1, T], `prompt_text` [1, P], `prompt_speech` [1, S] (heard by the LLM), `flow_prompt` [1, M] and
    `source` [1, N]; float32 `prompt_mel` [1, 2*M, mels] and `embedding` [1, 192].
    """

    text: Tensor
    prompt_text: Tensor
    prompt_speech: Tensor
    flow_prompt: Tensor
    prompt_mel: Tensor
    embedding: Tensor
    source: Tensor

    def to(self, device: torch.device) -> ModelInputs:
        """The same on `device`."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})


class FrontEnd:
    """Makes `ModelInputs`, one method per mode, as upstream's `CosyVoiceFrontEnd`."""

    def __init__(
        self, config: CosyVoice2Config, models: FrontEndModels, recordings: Recordings, sites: Mapping[str, Any]
    ) -> None:
        self._config = config
        self._models = models
        self._recordings = recordings
        self._device = sites["frontend.device"]
        self._resample = sites["frontend.resample"]
        self._speakers = sites["frontend.speaker"]
        self._tokenizer = TextTokenizer(models.bpe)
        self._text = TextFrontEnd(sites["text.patterns"](PATTERNS), config.text, self._count_tokens)

    def segments(self, text: str) -> list[str]:
        """`text` in words, split into the segments that are spoken one by one. Raises UsageError where there is none."""
        with span("frontend.text"):
            segments = self._text.segments(text)
        if not segments:
            message = f"there is nothing to speak in the text {text!r}"
            raise UsageError(message)
        return segments

    def zero_shot(self, text: str, speaker: Speaker) -> ModelInputs:
        """Speak a segment as a continuation of the speaker's recording and its words."""
        features = self._features(speaker)
        return ModelInputs(
            text=self._text_tokens(text),
            prompt_text=features["prompt_text_tokens"],
            prompt_speech=features["speech_tokens"],
            flow_prompt=features["speech_tokens"],
            prompt_mel=features["prompt_mel"],
            embedding=features["embedding"],
            source=self._no_tokens(),
        )

    def cross_lingual(self, text: str, speaker: Speaker) -> ModelInputs:
        """Speak a segment in another language than the recording's: the LLM hears none of it, the flow does."""
        inputs = self.zero_shot(text, speaker)
        return replace(inputs, prompt_text=self._no_tokens(), prompt_speech=self._no_tokens())

    def sft(self, text: str, speaker: Speaker) -> ModelInputs:
        """Speak a segment with a trained speaker's embedding alone."""
        return ModelInputs(
            text=self._text_tokens(text),
            prompt_text=self._no_tokens(),
            prompt_speech=self._no_tokens(),
            flow_prompt=self._no_tokens(),
            prompt_mel=torch.zeros(1, 0, self._config.mels).to(self._device()),
            embedding=self._features(speaker)["embedding"],
            source=self._no_tokens(),
        )

    def voice_conversion(self, source: Path, speaker: Speaker) -> ModelInputs:
        """Speak what is said in the recording `source` with the speaker's voice; no text and no LLM."""
        features = self._features(speaker)
        return ModelInputs(
            text=self._no_tokens(),
            prompt_text=self._no_tokens(),
            prompt_speech=self._no_tokens(),
            flow_prompt=features["speech_tokens"],
            prompt_mel=features["prompt_mel"],
            embedding=features["embedding"],
            source=self._speech_tokens(self._recordings.audio(source)),
        )

    def extract(self, speaker: Speaker) -> Mapping[str, Tensor]:
        """The features of a speaker's recording, on the device: what the site `frontend.speaker` keeps or asks for anew.

        `prompt_text_tokens` int64 [1, P], `speech_tokens` int64 [1, M], `prompt_mel` float32 [1, 2*M, mels] (cut so
        that both are of one length), `embedding` float32 [1, 192].
        """
        count("speaker.extracted")
        recording = self._recordings.audio(speaker.audio)
        words = self._text_tokens(self._text.normalise(speaker.text))
        mel = self._prompt_mel(recording)
        tokens = self._speech_tokens(recording)
        kept = min(mel.shape[1] // 2, tokens.shape[1])
        return {
            "prompt_text_tokens": words,
            "speech_tokens": tokens[:, :kept],
            "prompt_mel": mel[:, : 2 * kept],
            "embedding": self._embedding(recording),
        }

    def register(self, speakers: tuple[Speaker, ...]) -> None:
        """Make the speakers known to the site `frontend.speaker`."""
        self._speakers.register(speakers, self.extract)

    def _features(self, speaker: Speaker) -> Mapping[str, Tensor]:
        with span("frontend.speaker"):
            features: Mapping[str, Tensor] = self._speakers.features(speaker, self.extract)
            return features

    def _count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text))

    def _text_tokens(self, text: str) -> Tensor:
        with span("frontend.tokenize"):
            return torch.tensor([self._tokenizer.encode(text)], dtype=torch.long).to(self._device())

    def _no_tokens(self) -> Tensor:
        return torch.zeros(1, 0, dtype=torch.long).to(self._device())

    def _prompt_mel(self, recording: Tensor) -> Tensor:
        with span("frontend.resample"):
            resampled = self._resample(recording, self._config.prompt_rate_hz, self._config.sample_rate_hz)
        with span("frontend.mel"):
            return audio.mel_spectrogram(resampled, self._config.mels).transpose(1, 2).to(self._device())

    def _speech_tokens(self, recording: Tensor) -> Tensor:
        with span("frontend.speech_tokens"):
            heard = audio.log_mel(recording, self._config.speech_tokenizer.mels)
            return self._models.speech_tokenizer.encode(heard).to(self._device())

    def _embedding(self, recording: Tensor) -> Tensor:
        with span("frontend.embedding"):
            heard = audio.filter_banks(recording, self._config.speaker_encoder.mels)
            return self._models.speaker_encoder.embed(heard).to(self._device())
