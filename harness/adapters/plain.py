"""What a function returned in an interpreter without numpy: numbers of Python, `array.array`, and what is made of them.

Sound is `(array("f", ...), 24_000)`; `array("h")` are 16-bit samples, scaled so that their largest is 1. There are no tensors
where there is no numpy.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.adapters.answers import (
    HIGHEST_HZ,
    LARGEST_WHOLE,
    LOWEST_HZ,
    PAIR,
    Answer,
    Leaf,
    incomparable,
    taken_apart,
)

_SAMPLES = "fdh"
_LARGEST_16_BIT = 32_768
_MAGIC = b"\x93NUMPY\x01\x00"
_BEFORE_HEADER = len(_MAGIC) + 2
_ALIGNED = 64


class Returned(Answer):
    """An output whose numbers are arrays of the standard library."""

    __slots__ = ()

    def _is_sound(self) -> bool:
        return is_sound(self._value)

    def _look(self) -> tuple[Any, str]:
        return (samples_of(self._value[0]), "") if is_sound(self._value) else flattened(self._value)

    def _copied(self, numbers: Any) -> Any:
        return numbers[:]

    def _save(self, file: Path, numbers: Any) -> None:
        file.write_bytes(as_numpy_file(numbers))


def is_sound(value: Any) -> bool:
    """Whether a value is (samples of one channel, samples a second)."""
    if not isinstance(value, tuple) or len(value) != PAIR:
        return False
    samples, rate_hz = value
    whole = isinstance(rate_hz, int) and not isinstance(rate_hz, bool)
    return whole and LOWEST_HZ <= rate_hz <= HIGHEST_HZ and isinstance(samples, array) and samples.typecode in _SAMPLES


def samples_of(samples: array[Any]) -> array[float]:
    """Samples as `array("f")`."""
    return array("f", (value / _LARGEST_16_BIT for value in samples) if samples.typecode == "h" else samples)


def joined(chunks: Sequence[tuple[array[Any], int]]) -> tuple[array[float], int]:
    """Chunks of sound of one rate as one sound."""
    whole: array[float] = array("f")
    for samples, _ in chunks:
        whole.extend(samples_of(samples))
    return whole, chunks[0][1]


def seed() -> None:
    """There is no generator beside Python's own."""


def prompt(samples: array[float]) -> array[float]:
    """Samples of a recording as a function is given them: a copy."""
    return samples[:]


def flattened(value: Any) -> tuple[array[float], str]:
    """All numbers in `value` in the order in which they stand, `array("d")`, and a digest of everything else.

    Raises UsageError for a value that is made of other things.
    """
    parts, digest = taken_apart(value, _numbers)
    whole: array[float] = array("d")
    for part in parts:
        whole.extend(part)
    return whole, digest


def as_numpy_file(numbers: array[float]) -> bytes:
    """float64 [numbers] in numpy's file format, version 1.0, which the side that compares reads with numpy."""
    order = "<" if sys.byteorder == "little" else ">"
    header = f"{{'descr': '{order}f8', 'fortran_order': False, 'shape': ({len(numbers)},), }}".encode()
    header += b" " * (-(_BEFORE_HEADER + len(header) + 1) % _ALIGNED) + b"\n"
    return _MAGIC + struct.pack("<H", len(header)) + header + numbers.tobytes()


def _numbers(value: Any, path: str) -> Leaf:
    if isinstance(value, array):
        kind = f"array {value.typecode} {len(value)}".encode()
        if value.typecode in "fd" or (value.typecode != "u" and all(abs(item) <= LARGEST_WHOLE for item in value)):
            return kind, array("d", value)
        return kind + value.tobytes(), None
    kind = type(value).__name__.encode()
    if isinstance(value, complex):
        return kind, array("d", (value.real, value.imag))
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= LARGEST_WHOLE):
        return kind, array("d", (value,))
    if isinstance(value, int):
        return kind + repr(value).encode(), None
    raise incomparable(value, path)
