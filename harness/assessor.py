"""What recordings sound like: how good, as DistillMOS estimates it, and whose voice, as Resemblyzer's encoder hears it.

Both are published weights that packages ship, each used only if it has the SHA-256 that is written here. Of the encoder the
weights alone are used: its code needs librosa and webrtcvad, and nothing here does. `assess` starts a process of its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.listener import RATE_HZ, absent, answer, ask, known, sound_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUALITY = (
    "distillmos",
    "weights/distill_mos_v7.pt",
    "b18b3ac60227267cfb91e5d00ce22cc7b73716fd92f269484da1446e27031a40",
)
_SPEAKER = ("resemblyzer", "pretrained.pt", "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e")
_PACKAGES = (_QUALITY[0], "xls_r_sqa", _SPEAKER[0])
RELEASES = ("distillmos==0.9.1", "xls-r-sqa==0.1.0", "Resemblyzer==0.1.4")
"""What ships the weights, and the code of the first network; of what they ask for, nothing more is needed than is here."""

_FRAME, _HOP, _BANDS = 400, 160, 40
_PARTIAL, _STEP = 160, 77
"""Frames of 10 ms that the encoder hears at once, and between two such: 1.6 s, 1.3 times a second."""
_LEVEL_RMS = 10 ** (-30 / 20)
_WIDTH, _LAYERS = 256, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A recording: `quality` as an opinion score from 1 (bad) to 5 (excellent), `voice` as a vector of length 1."""

    quality: float
    voice: tuple[float, ...]


def missing() -> str:
    """Why nothing can be assessed here, in words; the empty string when it can."""
    names = absent(_PACKAGES)
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{', '.join(names)} {verb} not installed; install, without what they ask for: "
        f"python -m pip install --no-deps {' '.join(RELEASES)}"
    )


def assess(files: Sequence[Path]) -> list[Assessment]:
    """How each of the WAV `files` sounds. Raises MeasureError where they cannot be assessed."""
    answers = ask("harness.assessor", files, "what estimates quality and voice")
    return [Assessment(quality=float(quality), voice=tuple(voice)) for quality, voice in answers]


def similarity(first: Assessment, second: Assessment) -> float:
    """How alike two voices are: the cosine of their vectors, 1 for the same sound."""
    return float(np.dot(first.voice, second.voice))


def estimator_of_quality() -> Callable[[NDArray[np.float32]], float]:
    """From a recording at `RATE_HZ`, float32 [samples], to its opinion score from 1 to 5, whatever its level.

    Source: Stahl, Gamper, "Distillation and pruning for scalable self-supervised representation-based speech quality
    assessment" (ICASSP 2025), which the package is by the authors of.
    """
    known(*_QUALITY)
    import torch
    from distillmos import ConvTransformerSQAModel

    torch.set_num_threads(1)
    network = ConvTransformerSQAModel().eval()

    def estimate(audio: NDArray[np.float32]) -> float:
        with torch.inference_mode():
            return float(network(torch.from_numpy(audio)[None]))

    return estimate


def encoder_of_voices() -> Callable[[NDArray[np.float32]], list[float]]:
    """From a recording at `RATE_HZ`, float32 [samples], to its voice, 256 numbers of length 1.

    Source: Wan et al., "Generalized end-to-end loss for speaker verification" (ICASSP 2018), as Resemblyzer trained it:
    the mean over stretches of 1.6 s of an LSTM's last state. The level is the same for all recordings.
    """
    import torch
    from torchaudio.transforms import MelSpectrogram

    torch.set_num_threads(1)
    state = torch.load(io.BytesIO(known(*_SPEAKER)), map_location="cpu", weights_only=True)["model_state"]
    lstm, linear = torch.nn.LSTM(_BANDS, _WIDTH, _LAYERS, batch_first=True), torch.nn.Linear(_WIDTH, _WIDTH)
    for module, name in ((lstm, "lstm."), (linear, "linear.")):
        module.load_state_dict({key.removeprefix(name): item for key, item in state.items() if key.startswith(name)})
    mel = MelSpectrogram(
        RATE_HZ, n_fft=_FRAME, hop_length=_HOP, n_mels=_BANDS, norm="slaney", mel_scale="slaney", pad_mode="constant"
    )

    def encode(audio: NDArray[np.float32]) -> list[float]:
        rms = float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))
        level = torch.from_numpy(audio) * (_LEVEL_RMS / rms if rms else 1.0)
        frames = mel(torch.nn.functional.pad(level, (0, max(0, _PARTIAL * _HOP - len(level))))).T
        stretches = frames.unfold(0, _PARTIAL, _STEP).transpose(1, 2)
        hidden = torch.relu(linear(lstm(stretches)[1][0][-1]))
        whole = torch.nn.functional.normalize(hidden, dim=1).mean(dim=0)
        return [float(number) for number in torch.nn.functional.normalize(whole, dim=0)]

    def without_gradients(audio: NDArray[np.float32]) -> list[float]:
        with torch.inference_mode():
            return encode(audio)

    return without_gradients


def main() -> None:
    """Answer with quality and voice of each file."""
    estimate, encode = estimator_of_quality(), encoder_of_voices()

    def listen(file: Path) -> Any:
        audio = sound_of(file)
        return estimate(audio), encode(audio)

    answer(listen)


if __name__ == "__main__":
    main()
