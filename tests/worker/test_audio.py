"""Recordings without soundfile: what it wrote is read, and what is written it reads, to the bit."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.worker import audio

SAMPLES = np.linspace(-1, 1, 4801, dtype=np.float32)


@pytest.mark.parametrize("samples", [SAMPLES, array("f", SAMPLES)], ids=["numpy", "array"])
def test_samples_are_written_exactly(tmp_path: Path, samples: object) -> None:
    audio.write(tmp_path / "new" / "a.wav", samples, 24_000)
    heard, rate_hz = soundfile.read(tmp_path / "new" / "a.wav", dtype="float32")
    assert rate_hz == 24_000
    assert np.array_equal(heard, SAMPLES)
    assert soundfile.info(str(tmp_path / "new" / "a.wav")).subtype == "FLOAT"


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_recordings_of_soundfile_are_read_as_it_reads_them(tmp_path: Path, subtype: str, kind: str) -> None:
    soundfile.write(tmp_path / "a.wav", SAMPLES, 16_000, subtype=subtype, format=kind)
    samples, rate_hz = audio.read(tmp_path / "a.wav")
    assert rate_hz == 16_000
    assert np.array_equal(np.frombuffer(samples, np.float32), soundfile.read(tmp_path / "a.wav", dtype="float32")[0])


@pytest.mark.parametrize("samples", [SAMPLES.astype(np.float64), SAMPLES.reshape(1, -1)], ids=["float64", "batch"])
def test_samples_of_another_type_are_refused(tmp_path: Path, samples: object) -> None:
    with pytest.raises(TypeError, match="audio must be float32"):
        audio.write(tmp_path / "a.wav", samples, 24_000)
    assert not (tmp_path / "a.wav").exists()


def test_recordings_of_other_kinds_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([SAMPLES, SAMPLES], 1), 16_000, subtype="PCM_24")
    with pytest.raises(ValueError, match="2 channel"):
        audio.read(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match="no WAV file"):
        audio.read(tmp_path / "b.wav")
