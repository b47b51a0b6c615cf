"""What a function returned in an interpreter without numpy: numbers of Python, `array.array`, tensors, and what is made of them.

Sound is `(array("f", ...), 24_000)`, or `array("d")`, `array("h")` and `array("B")`, or a tensor of such numbers: see `is_sound`.
Tensors are read as lists, because torch has no other way to hand numbers over where there is no numpy.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.adapters.answers import (
    LARGEST_WHOLE,
    ZERO_AND_SCALE,
    Answer,
    Leaf,
    incomparable,
    kind_of,
    on_the_host,
)
from harness.worker import audio

_MAGIC = b"\x93NUMPY\x01\x00"
_BEFORE_HEADER = len(_MAGIC) + 2
_ALIGNED = 64


class Returned(Answer):
    """An output whose numbers are arrays of the standard library."""

    __slots__ = ()

    def _samples(self, samples: Any) -> array[float]:
        return samples_of(samples)

    def _numbers(self, value: Any, path: str) -> Leaf:
        return _numbers(value, path)

    def _joined(self, parts: list[Any]) -> array[float]:
        whole: array[float] = array("d")
        for part in parts:
            whole.extend(part)
        return whole

    def _recording(self, file: Path) -> tuple[Any, int]:
        return recording(file)

    def _copied(self, numbers: Any) -> Any:
        return numbers[:]

    def _save(self, file: Path, numbers: Any) -> None:
        file.write_bytes(as_numpy_file(numbers))


def recording(file: Path) -> tuple[array[float], int]:
    """The samples of a mono WAV file, and its rate in Hz. Raises ValueError for other files."""
    return audio.read(file)


def samples_of(samples: Any) -> array[float]:
    """One channel of an array or tensor that `is_sound`, as `array("f")`; of whole numbers, full scale is 1."""
    numbers = samples if isinstance(samples, array) else _listed(samples)
    if (kind := kind_of(samples)) not in ZERO_AND_SCALE:
        return array("f", numbers)
    zero, scale = ZERO_AND_SCALE[kind]
    return array("f", ((value - zero) / scale for value in numbers))


def joined(chunks: Sequence[tuple[Any, int]]) -> tuple[array[float], int]:
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
    if hasattr(value, "detach"):
        return _of_tensor(value)
    kind = type(value).__name__.encode()
    if isinstance(value, complex):
        return kind, array("d", (value.real, value.imag))
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= LARGEST_WHOLE):
        return kind, array("d", (value,))
    if isinstance(value, int):
        return kind + repr(value).encode(), None
    raise incomparable(value, path)


def _of_tensor(tensor: Any) -> Leaf:
    """The leaf of a tensor of torch."""
    kind = f"{kind_of(tensor)} {list(tensor.shape)} ".encode()
    numbers = _listed(tensor)
    if tensor.is_complex():
        return kind, array("d", (part for number in numbers for part in (number.real, number.imag)))
    if tensor.is_floating_point() or all(abs(number) <= LARGEST_WHOLE for number in numbers):
        return kind, array("d", numbers)
    return kind + repr(numbers).encode(), None


def _listed(tensor: Any) -> list[Any]:
    """The numbers of a tensor, in the order in which they stand."""
    found: list[Any] = on_the_host(tensor).reshape(-1).tolist()
    return found
