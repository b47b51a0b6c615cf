"""Recordings as the target takes them: the path, or float32 samples [1, samples] at 16 kHz, read once and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .host import audio

PROMPT_RATE_HZ = 16_000
KEPT = 64
"""So many recordings are kept; a workload with new speakers in its requests has no end of them."""


class Recordings:
    """Hands out recordings by their paths. Where samples are wanted, whoever calls the target reads them, as a service would."""

    def __init__(self, *, as_paths: bool) -> None:
        self._as_paths = as_paths
        self._kept: dict[Path, Any] = {}

    def get(self, file: Path) -> Any:
        """The recording in `file` as the target's methods take it."""
        if self._as_paths:
            return str(file)
        if file not in self._kept:
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[file] = _read(file)
        return self._kept[file]


def _read(file: Path) -> Any:
    """float32 [1, samples] at `PROMPT_RATE_HZ`; without a `Resample` object, which a witness would count."""
    import torch
    import torchaudio

    samples, rate_hz = audio.read(file)
    read = torch.frombuffer(samples, dtype=torch.float32)[None].clone()
    return read if rate_hz == PROMPT_RATE_HZ else torchaudio.functional.resample(read, rate_hz, PROMPT_RATE_HZ)
