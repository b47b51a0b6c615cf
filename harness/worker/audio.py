"""Recordings as WAV files, read and written with the standard library alone: mono, 16-bit PCM or 32-bit float.

So that a target in an interpreter without soundfile can read its prompts, and a worker can hand its outputs over exactly.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path
from typing import Any

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FORM, _EXTENDED_FORM = 16, 26
_LARGEST_16_BIT = 32_768


def write(file: Path, audio: Any, sample_rate_hz: int) -> None:
    """Write `audio`, float32 [samples] (a numpy array, or `array.array("f")`), as a WAV file of 32-bit floats.

    Raises TypeError for samples of another type: they are written exactly, or not at all.
    """
    if memoryview(audio).format != "f" or memoryview(audio).ndim != 1:
        found = memoryview(audio)
        message = f"audio must be float32 [samples]; it is of format {found.format!r} with {found.ndim} dimension(s)"
        raise TypeError(message)
    data = _little_endian(array("f", audio.tobytes()))
    form = struct.pack("<HHIIHHH", _FLOAT, 1, sample_rate_hz, 4 * sample_rate_hz, 4, 32, 0)
    fact = struct.pack("<I", len(data) // 4)
    body = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"fact", fact) + _chunk(b"data", data)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_chunk(b"RIFF", body))


def read(file: Path) -> tuple[array[float], int]:
    """The samples of a mono WAV file as `array("f")`, between -1 and 1, and its rate in Hz. Raises ValueError for others."""
    with file.open("rb") as opened:
        head = opened.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            message = f"{file} is no WAV file"
            raise ValueError(message)
        content = head + opened.read()
    chunks = _chunks(content)
    if b"data" not in chunks or len(chunks.get(b"fmt ", b"")) < _FORM:
        message = f"{file} is a WAV file that is cut off"
        raise ValueError(message)
    kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if kind == _EXTENSIBLE and len(chunks[b"fmt "]) >= _EXTENDED_FORM:
        (kind,) = struct.unpack_from("<H", chunks[b"fmt "], 24)
    if channels != 1 or (kind, bits) not in ((_PCM, 16), (_FLOAT, 32)):
        message = f"{file} has {channels} channel(s) of format {kind} with {bits} bits; read are mono PCM16 and float32"
        raise ValueError(message)
    samples: array[Any] = array("h" if kind == _PCM else "f", chunks[b"data"])
    if sys.byteorder == "big":
        samples.byteswap()
    if kind == _PCM:
        samples = array("f", (sample / _LARGEST_16_BIT for sample in samples))
    return samples, rate_hz


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _chunks(content: bytes) -> dict[bytes, bytes]:
    """The chunks of a RIFF file by name; one that is cut off is as long as the file says."""
    found, at = {}, 12
    while at + 8 <= len(content):
        name, (size,) = content[at : at + 4], struct.unpack_from("<I", content, at + 4)
        found[name] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found


def _little_endian(samples: array[float]) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
