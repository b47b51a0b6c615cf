"""What a user's function returned, as something that can be compared: sound, or numbers and all else.

    output = Returned((samples, 24_000))     # sound: one channel of floats, int16 or uint8, and a rate
    output = Returned({"mel": tensor})       # anything else that is made of the following

Tensors, arrays, numbers, text, bytes, None, and lists, tuples, mappings and dataclasses of these; of the path of a file, what is in it. Numbers are compared one by
one, with the tolerance that a toggle declares; everything else (text, bytes, keys, shapes, kinds of numbers) is the same or not.
Whole numbers too large for a float64 are among the latter. Looking at what was returned takes time, so that it is done when
it is asked for, and never while a request is timed.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.adapters.answers import (
    LARGEST_WHOLE,
    ZERO_AND_SCALE,
    Answer,
    Leaf,
    incomparable,
    on_the_host,
)
from harness.worker import audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OF_MP3 = frozenset((".mp3", ".mp2", ".mp1", ".mpga", ".mpeg", ".mpg"))


class Returned(Answer):
    """An output whose numbers are arrays of numpy."""

    __slots__ = ()

    def _samples(self, samples: Any) -> NDArray[np.float32]:
        return samples_of(samples)

    def _numbers(self, value: Any, path: str) -> Leaf:
        return _numbers(value, path)

    def _joined(self, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.concatenate([np.zeros(0), *parts])

    def _recording(self, file: Path) -> tuple[Any, int]:
        return recording(file)

    def _copied(self, numbers: NDArray[Any]) -> NDArray[Any]:
        return numbers.copy()

    def _save(self, file: Path, numbers: NDArray[Any]) -> None:
        np.save(file, numbers)


def recording(file: Path) -> tuple[NDArray[np.float32], int]:
    """The samples of a recording, float32 [samples] or [samples, channels], and its rate in Hz. Raises ValueError for other files."""
    try:
        import soundfile
    except (ImportError, OSError):  # not installed, or without its library
        samples, rate_hz = audio.read(file)
        return np.asarray(samples), rate_hz
    try:
        with soundfile.SoundFile(str(file)) as opened:
            if opened.format == "MP3" and file.suffix.lower() not in _OF_MP3:
                message = f"{file} is called MP3 by a few of its bits, as any samples without a header may be"
                raise ValueError(message)
            return np.asarray(opened.read(dtype="float32")), int(opened.samplerate)
    except (RuntimeError, TypeError) as error:  # no recording, or one without a header
        message = f"{file} cannot be read: {error}"
        raise ValueError(message) from error


def samples_of(samples: Any) -> NDArray[np.float32]:
    """One channel of a tensor or array that `is_sound`, as float32 [samples]; of whole numbers, full scale is 1."""
    found = _array(samples).reshape(-1)
    zero, scale = ZERO_AND_SCALE.get(found.dtype.name, (0, 1))
    return (found.astype(np.float32) - np.float32(zero)) / np.float32(scale) if scale != 1 else found.astype(np.float32)


def joined(chunks: Sequence[tuple[Any, int]]) -> tuple[NDArray[np.float32], int]:
    """Chunks of sound of one rate as one sound."""
    return np.concatenate([samples_of(samples) for samples, _ in chunks]), chunks[0][1]


def seed() -> None:
    """Start numpy's own random numbers anew."""
    np.random.seed(0)  # noqa: NPY002  what the user's code draws from, if it draws from numpy's own


def prompt(samples: Any) -> NDArray[np.float32]:
    """Samples of a recording as a function is given them: a copy."""
    return np.array(samples, dtype=np.float32)


def _numbers(value: Any, path: str) -> Leaf:
    plain = isinstance(value, bool | int | float | complex | np.generic | array)
    if not plain and getattr(value, "shape", None) is None:
        raise incomparable(value, path)
    found = _array(value)
    dtype = str(getattr(value, "dtype", found.dtype)).removeprefix(
        "torch."
    )  # bfloat16, which is read as float32, is told
    kind = f"{dtype} {list(found.shape)} ".encode()
    if found.dtype.kind == "c" and found.dtype.itemsize <= np.dtype(complex).itemsize:
        return kind, found.astype(complex).reshape(-1).view(np.float64)
    is_float = found.dtype.kind == "f" and found.dtype.itemsize <= np.dtype(float).itemsize
    largest = max(-int(found.min()), int(found.max())) if found.dtype.kind in "iu" and found.size else 0
    is_whole = found.dtype.kind in "iu" and largest <= LARGEST_WHOLE
    if is_float or is_whole or found.dtype.kind == "b":
        return kind, found.astype(np.float64).reshape(-1)
    return kind + (repr(found.tolist()).encode() if found.dtype.hasobject else found.tobytes()), None


def _array(value: Any) -> NDArray[Any]:
    """A tensor of any device, or anything array-like, as an array on the host."""
    if hasattr(value, "detach"):
        return np.asarray(on_the_host(value).numpy())
    return np.asarray(value)
