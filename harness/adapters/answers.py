"""What a user's function returned, taken apart: what of it is numbers, and what is the same or not. Standard library alone.

`returned` does the rest with numpy, and `plain` without it, in an interpreter that has none.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

from harness.adapters import files
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

    __slots__ = ("_in_chunks", "_newest_ns", "_oldest_ns", "_returned", "_seen", "_since_ns", "_sound")
    _returned: Any
    _since_ns: int
    _in_chunks: bool
    _newest_ns: int
    _oldest_ns: int
    _sound: Any
    _seen: tuple[Any, str] | None

    def __init__(self, value: Any, since_ns: int = 0, *, in_chunks: bool = False) -> None:
        """`since_ns` is when the request began, by `time.time_ns`: files that are older are not its own. Of what came `in_chunks` no file
        is read: the next chunk may have overwritten it.
        """
        put = object.__setattr__  # the base is frozen
        put(self, "_returned", value)
        put(self, "_since_ns", since_ns)
        put(self, "_in_chunks", in_chunks)
        put(self, "_newest_ns", 0)
        put(self, "_oldest_ns", since_ns)
        put(self, "_sound", None)
        put(self, "_seen", None)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @abstractmethod
    def _samples(self, samples: Any) -> Any:
        """The samples of sound as float32."""

    @abstractmethod
    def _numbers(self, value: Any, path: str) -> Leaf:
        """The leaf of what is neither text nor made of other things. `path` says where it stands, for a refusal."""

    @abstractmethod
    def _joined(self, parts: list[Any]) -> Any:
        """The numbers of all leaves in one array of float64."""

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
        """What was returned; of the path of a recording of one channel, the sound that is in it."""
        if self._sound is None and not self._in_chunks and (file := files.named(self._returned)) is not None:
            found: Any = None
            with suppress(ValueError):
                found = self._recording(file)
            self._set(_sound=found if is_sound(found) else False)
            self._was_read(file)
        return self._sound or self._returned

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
        """A copy: the function may write into the same memory, or file, when it is called again."""
        copy = Output(audio=self._copied(self.audio), sample_rate_hz=self.sample_rate_hz, tokens=(), exact=self.exact)
        files.outwait(self._newest_ns)
        return copy

    def write(self, file: Path) -> None:
        """Sound as any other; numbers beside it, as numpy writes them."""
        if self.sample_rate_hz:
            super().write(file)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._save(file.with_suffix(NUMBERS), self.audio)
        files.outwait(self._newest_ns)

    def _looked_at(self) -> tuple[Any, str]:
        if self._seen is None:
            value = self._value
            numbers, exact = (self._samples(value[0]), "") if is_sound(value) else self._taken_apart(value)
            self._set(_seen=(numbers, f"{files.STALE}{exact}" if self._oldest_ns < self._since_ns else exact))
        assert self._seen is not None  # noqa: S101  it was just set
        return self._seen

    def _was_read(self, file: Path) -> int:
        """Take note of a file, and return when it was written at the latest."""
        latest_ns = files.latest_ns(file)
        self._set(_newest_ns=max(self._newest_ns, latest_ns), _oldest_ns=min(self._oldest_ns, latest_ns))
        return latest_ns

    def _taken_apart(self, value: Any) -> tuple[Any, str]:
        parts, digest = taken_apart(value, self._leaf)
        return self._joined(parts), digest

    def _leaf(self, value: Any, path: str) -> Leaf:
        """The leaf of a file whose path was returned, or of numbers. Of a recording that stands among others its samples count."""
        file = files.named(value)
        if file is None:
            return self._numbers(value, path)
        if self._in_chunks:
            message = (
                f"a chunk has the path {str(value)!r} in it, whose file the next chunk may have overwritten when outputs are compared: "
                "yield (samples, rate), or what is in the file"
            )
            raise UsageError(message)
        mark = files.STALE.encode() if self._was_read(file) < self._since_ns else b""
        with suppress(ValueError):
            samples, rate_hz = self._recording(file)
            kind, numbers = self._numbers(samples, path)
            return mark + f"recording {rate_hz} ".encode() + kind, numbers
        return mark + files.digest(file), None


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
        exact = None if files.named(value) else _without_numbers(value)
        yield numbers(value, path) if exact is None else (exact, None)


def _without_numbers(value: Any) -> bytes | None:
    """What is the same or not of a value that is no number and not made of others; None of all else."""
    if isinstance(value, str):
        return b"text " + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray | memoryview):
        return b"bytes " + bytes(value)
    return b"none" if value is None else None
