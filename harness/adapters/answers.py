"""What a user's function returned, taken apart: what of it is numbers, and what is the same or not. Standard library alone.

`returned` does the rest with numpy, and `plain` without it, in an interpreter that has none.
"""

from __future__ import annotations

import hashlib
import math
import os
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.worker.requests import NUMBERS, Output

LOWEST_HZ, HIGHEST_HZ = 4_000, 768_000
"""Rates at which a pair of numbers and a whole number is taken for sound."""
LARGEST_WHOLE = 2**53
"""Up to it every whole number has a float64 of its own."""
PAIR = 2
ZERO_AND_SCALE = {"int16": (0, 32_768), "uint8": (128, 128)}
"""Kinds of whole numbers that are samples: which of them is silence, and how many make a full scale of 1."""
_ARRAYS = {"f": "float32", "d": "float64", "h": "int16", "B": "uint8"}
"""What numpy calls the kinds of `array.array` that hold sound."""
_MAX_DEPTH = 50

Leaf = tuple[bytes, Any]
"""A part of a value: what of it is the same or not, and its numbers as float64, None where it has none."""
Numbers = Callable[[Any, str], Leaf]
"""The leaf of what is neither text nor made of other things. `path` says where it stands, for a refusal."""


class Answer(Output, ABC):
    """An output that is looked at when it is asked for; see `Output` for what its attributes are."""

    __slots__ = ("_is_read", "_returned", "_seen")
    _returned: Any
    _is_read: bool
    _seen: tuple[Any, str] | None

    def __init__(self, value: Any) -> None:
        object.__setattr__(self, "_returned", value)  # the base is frozen
        object.__setattr__(self, "_is_read", False)
        object.__setattr__(self, "_seen", None)

    @abstractmethod
    def _look(self) -> tuple[Any, str]:
        """Samples as float32 or numbers as float64, and the digest of all else."""

    @abstractmethod
    def _recording(self, file: Path) -> tuple[Any, int]:
        """Samples of a recording and its rate. Raises ValueError for a file that is none."""

    @abstractmethod
    def _copied(self, numbers: Any) -> Any:
        """The numbers in memory of their own."""

    @abstractmethod
    def _save(self, file: Path, numbers: Any) -> None:
        """Write the numbers to `file`."""

    @property
    def _value(self) -> Any:
        """What was returned; of the path of a recording, the sound that is in it."""
        if not self._is_read:
            if (file := file_named(self._returned)) is not None:
                with suppress(ValueError):
                    object.__setattr__(self, "_returned", self._recording(file))
            object.__setattr__(self, "_is_read", True)
        return self._returned

    @property
    def sample_rate_hz(self) -> int:
        return int(self._value[1]) if is_sound(self._value) else 0

    @property
    def audio(self) -> Any:
        return self._looked_at()[0]

    @property
    def exact(self) -> str:
        return self._looked_at()[1]

    @property
    def tokens(self) -> Sequence[int]:
        return ()

    @property
    def hit_cap(self) -> bool:
        return False

    def kept(self) -> Output:
        """A copy: the function may write into the same memory when it is called again."""
        return Output(audio=self._copied(self.audio), sample_rate_hz=self.sample_rate_hz, tokens=(), exact=self.exact)

    def write(self, file: Path) -> None:
        """Sound as any other; numbers beside it, as numpy writes them."""
        if self.sample_rate_hz:
            super().write(file)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        self._save(file.with_suffix(NUMBERS), self.audio)

    def _looked_at(self) -> tuple[Any, str]:
        if self._seen is None:
            seen = self._look()
            object.__setattr__(self, "_seen", seen)
            return seen
        return self._seen


def is_sound(value: Any) -> bool:
    """Whether a value is (samples of one channel, samples a second): real floats, or whole numbers of 16 or unsigned 8 bits."""
    if not isinstance(value, tuple) or len(value) != PAIR:
        return False
    samples, rate_hz = value
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, Integral) or not LOWEST_HZ <= int(rate_hz) <= HIGHEST_HZ:
        return False
    shape = (len(samples),) if isinstance(samples, array) else tuple(getattr(samples, "shape", None) or ())
    kind = kind_of(samples)
    is_samples = kind.startswith(("float", "bfloat")) or kind in ZERO_AND_SCALE
    return is_samples and bool(shape) and max(shape) == math.prod(shape)


def file_named(value: Any) -> Path | None:
    """The file whose path a value is: any that is a path, and text that has a suffix or is absolute and names a file that is there.

    Raises UsageError for a path that leads to none.
    """
    if not isinstance(value, str | os.PathLike):
        return None
    with suppress(TypeError, ValueError, OSError):  # a path of bytes, a zero in it, a name that is too long
        file = Path(value)
        if (not isinstance(value, str) or file.suffix or file.is_absolute()) and file.is_file():
            return file
    if isinstance(value, str):
        return None
    message = f"what was returned cannot be compared: it is the path {os.fspath(value)!r}, where no file is"
    raise UsageError(message)


def length_of(value: Any) -> int:
    """How many samples a value has, if it is sound; none if it is not. At once, whatever device they are on."""
    if not is_sound(value):
        return 0
    shape = getattr(value[0], "shape", None)
    return math.prod(shape) if shape else len(value[0])


def kind_of(numbers: Any) -> str:
    """The kind of numbers of a tensor or array as numpy calls it, such as `float32`; the empty string for other things."""
    if isinstance(numbers, array):
        return _ARRAYS.get(numbers.typecode, f"array {numbers.typecode}")
    dtype = getattr(numbers, "dtype", "")
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def on_the_host(tensor: Any) -> Any:
    """A tensor of torch, of any device, as one that can be read here: bfloat16, which numpy does not know, as float32."""
    found = tensor.detach().cpu().resolve_conj().resolve_neg()
    return found.float() if kind_of(found).startswith(("bfloat", "float8")) else found


def taken_apart(value: Any, numbers: Numbers) -> tuple[list[Any], str]:
    """The numbers of each leaf of `value` that has any, in the order in which they stand, and a digest of everything else."""
    digest = hashlib.sha256()
    parts = []
    for exact, found in _leaves(value, "", 0, numbers):
        digest.update(len(exact).to_bytes(8, "little") + exact)
        if found is not None:
            parts.append(found)
    return parts, digest.hexdigest()


def nothing() -> str:
    """The digest of what a function without a `return` gave back."""
    return taken_apart(None, lambda *_: (b"", None))[1]


def incomparable(value: Any, path: str) -> UsageError:
    """The refusal of a value that is made of other things than can be compared."""
    return UsageError(
        f"what was returned cannot be compared: {path or 'it'} is of type {type(value).__qualname__}; return tensors, arrays, "
        "numbers, text, bytes, the path of a file, or lists, tuples and mappings of these, or (samples, rate) for sound"
    )


def _leaves(value: Any, path: str, depth: int, numbers: Numbers) -> Iterator[Leaf]:
    if depth > _MAX_DEPTH:
        message = f"what was returned cannot be compared: it is nested deeper than {_MAX_DEPTH} at {path}"
        raise UsageError(message)
    if isinstance(value, Mapping):
        yield f"mapping {len(value)}".encode(), None
        for key, item in value.items():
            yield f"key {key!r}".encode(), None
            yield from _leaves(item, f"{path}[{key!r}]", depth + 1, numbers)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _leaves({one.name: getattr(value, one.name) for one in fields(value)}, path, depth, numbers)
    elif isinstance(value, list | tuple):
        yield f"list {len(value)}".encode(), None
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]", depth + 1, numbers)
    else:
        exact = _without_numbers(value)
        yield numbers(value, path) if exact is None else (exact, None)


def _without_numbers(value: Any) -> bytes | None:
    """What is the same or not of a value that is no number and not made of others; None of all else."""
    if (file := file_named(value)) is not None:
        return b"file " + file.read_bytes()
    if isinstance(value, str):
        return b"text " + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray | memoryview):
        return b"bytes " + bytes(value)
    return b"none" if value is None else None
