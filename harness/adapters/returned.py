"""What a user's function returned, as something that can be compared: sound, or numbers and all else.

    output = Returned((samples, 24_000))     # sound: one channel of numbers, and a rate
    output = Returned({"mel": tensor})       # anything else that is made of the following

Tensors, arrays, numbers, text, bytes, None, and lists, tuples, mappings and dataclasses of these. Numbers are compared one by
one, with the tolerance that a toggle declares; everything else (text, bytes, keys, shapes, kinds of numbers) is the same or not.
Whole numbers too large for a float64 are among the latter. Looking at what was returned takes time, so that it is done when
it is asked for, and never while a request is timed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import UsageError
from harness.worker.requests import NUMBERS, Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 4_000, 768_000
"""Rates at which a pair of numbers and a whole number is taken for sound."""
_PAIR = 2
_LARGEST_WHOLE = 2**53
_MAX_DEPTH = 50


class Returned(Output):
    """An output that is looked at when it is asked for; see `Output` for what its attributes are."""

    __slots__ = ("_seen", "_value")
    _value: Any
    _seen: tuple[NDArray[Any], str] | None

    def __init__(self, value: Any) -> None:
        object.__setattr__(self, "_value", value)  # the base is frozen
        object.__setattr__(self, "_seen", None)

    @property
    def sample_rate_hz(self) -> int:
        return int(self._value[1]) if is_sound(self._value) else 0

    @property
    def audio(self) -> NDArray[Any]:
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
        return Output(audio=self.audio.copy(), sample_rate_hz=self.sample_rate_hz, tokens=(), exact=self.exact)

    def write(self, file: Path) -> None:
        """Sound as any other; numbers beside it, as numpy writes them."""
        if self.sample_rate_hz:
            super().write(file)
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file.with_suffix(NUMBERS), self.audio)

    def _looked_at(self) -> tuple[NDArray[Any], str]:
        if self._seen is None:
            seen = (samples_of(self._value[0]), "") if is_sound(self._value) else flattened(self._value)
            object.__setattr__(self, "_seen", seen)
            return seen
        return self._seen


def is_sound(value: Any) -> bool:
    """Whether a value is (samples of one channel, samples a second)."""
    if not isinstance(value, tuple) or len(value) != _PAIR:
        return False
    samples, rate_hz = value
    whole = isinstance(rate_hz, int | np.integer) and not isinstance(rate_hz, bool)
    shape = tuple(getattr(samples, "shape", None) or ())
    return whole and LOWEST_HZ <= rate_hz <= HIGHEST_HZ and bool(shape) and max(shape) == np.prod(shape)


def samples_of(samples: Any) -> NDArray[np.float32]:
    """One channel of a tensor or array as float32 [samples]; whole numbers are scaled, so that their largest is 1."""
    found = _array(samples).reshape(-1)
    if np.issubdtype(found.dtype, np.integer):
        return np.asarray(found / (float(np.iinfo(found.dtype).max) + 1), dtype=np.float32)
    return found.astype(np.float32)


def flattened(value: Any) -> tuple[NDArray[np.float64], str]:
    """All numbers in `value`, float64 [numbers] in the order in which they stand, and a digest of everything else.

    Raises UsageError for a value that is made of other things.
    """
    digest = hashlib.sha256()
    parts = [np.zeros(0)]
    for exact, numbers in _leaves(value, "", 0):
        digest.update(len(exact).to_bytes(8, "little") + exact)
        if numbers is not None:
            parts.append(numbers)
    return np.concatenate(parts), digest.hexdigest()


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[bytes, NDArray[np.float64] | None]]:
    """What `value` is made of: of each part, what is the same or not, and its numbers if it has any."""
    if depth > _MAX_DEPTH:
        message = f"what was returned cannot be compared: it is nested deeper than {_MAX_DEPTH} at {path}"
        raise UsageError(message)
    if isinstance(value, Mapping):
        yield f"mapping {len(value)}".encode(), None
        for key, item in value.items():
            yield f"key {key!r}".encode(), None
            yield from _leaves(item, f"{path}[{key!r}]", depth + 1)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _leaves({one.name: getattr(value, one.name) for one in fields(value)}, path, depth)
    elif isinstance(value, list | tuple):
        yield f"list {len(value)}".encode(), None
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, str):
        yield b"text " + value.encode("utf-8", "surrogatepass"), None
    elif isinstance(value, bytes | bytearray | memoryview):
        yield b"bytes " + bytes(value), None
    elif value is None:
        yield b"none", None
    else:
        yield _numbers(value, path)


def _numbers(value: Any, path: str) -> tuple[bytes, NDArray[np.float64] | None]:
    if not isinstance(value, bool | int | float | complex | np.generic) and getattr(value, "shape", None) is None:
        message = (
            f"what was returned cannot be compared: {path or 'it'} is of type {type(value).__qualname__}; return tensors, arrays, "
            "numbers, text, bytes, or lists, tuples and mappings of these, or (samples, rate) for sound"
        )
        raise UsageError(message)
    found = _array(value)
    kind = f"{_dtype_of(value, found)} {list(found.shape)} ".encode()
    if found.dtype.kind == "c" and found.dtype.itemsize <= np.dtype(complex).itemsize:
        return kind, found.astype(complex).reshape(-1).view(np.float64)
    is_float = found.dtype.kind == "f" and found.dtype.itemsize <= np.dtype(float).itemsize
    largest = max(-int(found.min()), int(found.max())) if found.dtype.kind in "iu" and found.size else 0
    is_whole = found.dtype.kind in "iu" and largest <= _LARGEST_WHOLE
    if is_float or is_whole or found.dtype.kind == "b":
        return kind, found.astype(np.float64).reshape(-1)
    return kind + (repr(found.tolist()).encode() if found.dtype.hasobject else found.tobytes()), None


def _dtype_of(value: Any, found: NDArray[Any]) -> str:
    """The kind of numbers, as the tensor or array has it: bfloat16 is read as float32."""
    return str(getattr(value, "dtype", found.dtype)).removeprefix("torch.")


def _array(value: Any) -> NDArray[Any]:
    """A tensor of any device, or anything array-like, as an array on the host."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
        return np.asarray(value.numpy())
    return np.asarray(value)
