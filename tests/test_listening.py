"""Words, quality and voice in a run: when they are listened to, what is said when they cannot be, and what they decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness import assessor, store, transcriber
from harness.assessor import Assessment
from harness.equivalence import accepted, by_words
from harness.errors import MeasureError
from harness.optimizations.registry import BITWISE, Check
from harness.passes import listening
from harness.passes.examination import read_output
from harness.report.markdown import markdown
from harness.results import Run

pytestmark = pytest.mark.usefixtures("_own_cache")
ENGLISH = {"texts": {"en": "good morning to all of you"}}
LISTEN = {"budget": "1s", "words": True}
LOUD = 0.2
"""What the fake model says has a peak above it, and below it where a toggle is planted to change the output."""
KEPT = Check(grade="words", bound=0.1)
CHINESE = {"texts": {"zh": "今天下午"}}
ASSESS = {"budget": "1s", "quality": True}


@pytest.fixture
def listened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A recogniser that hears soft speech wrong; how many files it was given, each time."""
    given: list[int] = []

    def transcribe(files: Sequence[Path]) -> list[str]:
        given.append(len(files))
        return [
            "Good morning to all of you." if np.max(read_output(file)) > LOUD else "Good mourning to oil."
            for file in files
        ]

    monkeypatch.setattr(transcriber, "missing", lambda: "")
    monkeypatch.setattr(transcriber, "transcribe", transcribe)
    return given


@pytest.fixture
def assessed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ears to which soft speech sounds bad, and like somebody else; how many files they were given, each time."""
    given: list[int] = []

    def assess(files: Sequence[Path]) -> list[Assessment]:
        given.append(len(files))
        loud = Assessment(quality=3.25, voice=(1.0, 0.0))
        soft = Assessment(quality=1.75, voice=(0.6, 0.8))
        return [loud if np.max(read_output(file)) > LOUD else soft for file in files]

    monkeypatch.setattr(assessor, "missing", lambda: "")
    monkeypatch.setattr(assessor, "assess", assess)
    return given


def told(run: Run) -> list[str]:
    return [finding.message for finding in run.findings if finding.kind in ("words", "quality")]


def test_word_error_rates_of_both_sides_are_kept_and_equal_outputs_are_listened_to_once(
    measure_fake: Callable[..., Run], listened: list[int], tmp_path: Path
) -> None:
    run = measure_fake(model={"faults": {"cached_device": "change"}}, workload=ENGLISH, measure=LISTEN)
    rates = {row.arm: (row.words_before, row.words_after) for row in run.equivalences}
    assert rates["resample_cache"] == (0.0, 0.0)
    assert rates["cached_device"] == (0.0, 4 / 6)
    assert listened == [2]
    assert told(run) == []
    assert store.load(tmp_path / "run").equivalences == run.equivalences
    page = markdown(run).replace("\u00a0", " ").replace("\u202f", " ")
    assert "words wrong 0.0 % → 0.0 %" in page
    assert "words wrong 0.0 % → 66.7 %" in page


def test_files_that_differ_beside_their_samples_are_one_sound(listened: list[int], tmp_path: Path) -> None:
    samples = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    for name in ("now.wav", "later.wav"):
        soundfile.write(tmp_path / name, samples, 24_000, format="WAV", subtype="FLOAT")
    with soundfile.SoundFile(tmp_path / "later.wav", "r+") as later:
        later.comment = "written later"
    soundfile.write(tmp_path / "other.wav", samples, 16_000, format="WAV", subtype="FLOAT")
    assert (tmp_path / "now.wav").read_bytes() != (tmp_path / "later.wav").read_bytes()
    heard = listening.listened_to(tmp_path, ["now.wav", "later.wav", "other.wav"], transcriber.transcribe)
    assert (list(heard), listened) == (["now.wav", "later.wav", "other.wav"], [2])


def test_nobody_listens_unless_asked(measure_fake: Callable[..., Run], listened: list[int]) -> None:
    run = measure_fake(workload=ENGLISH, measure={"budget": "1s"})
    assert {row.words_after for row in run.equivalences} == {None}
    assert (listened, told(run)) == ([], [])


def test_without_a_recogniser_the_run_holds_and_says_so(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcriber, "missing", lambda: "faster-whisper is not installed")
    run = measure_fake(workload=ENGLISH, measure=LISTEN)
    assert told(run) == ["The words of the outputs were not checked: faster-whisper is not installed."]
    assert all(row.accepted for row in run.equivalences)


@pytest.mark.usefixtures("listened")
def test_a_recogniser_that_fails_costs_no_run(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Sequence[Path]) -> list[str]:
        message = "the speech recogniser ended with 1"
        raise MeasureError(message)

    monkeypatch.setattr(transcriber, "transcribe", fail)
    run = measure_fake(workload=ENGLISH, measure=LISTEN)
    assert told(run) == ["The words of the outputs were not checked: the speech recogniser ended with 1."]


def test_texts_that_are_not_english_are_not_listened_to(measure_fake: Callable[..., Run], listened: list[int]) -> None:
    run = measure_fake(workload={"texts": {"zh": "今天下午"}}, measure=LISTEN)
    assert told(run) == ["The words of the outputs were not checked: no request that was compared has an English text."]
    assert listened == []


@pytest.mark.usefixtures("listened")
def test_a_reference_that_is_not_understood_is_told(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(workload={"texts": {"en": "Something else altogether."}}, measure=LISTEN)
    assert len(told(run)) == 1
    assert "wrong already by the reference" in told(run)[0]


def test_words_that_are_lost_change_an_output_whatever_its_samples_say() -> None:
    assert by_words("tolerance", 1e-5, BITWISE, 0.0, 0.3) == ("changed", None), (
        "a difference of samples is none of spectra"
    )
    assert by_words("spectral", 0.5, BITWISE, 0.0, 0.3) == ("changed", 0.5)
    assert by_words("tolerance", 1e-5, BITWISE, 0.3, 0.0) == ("tolerance", 1e-5)
    assert by_words("tolerance", 1e-5, BITWISE, None, None) == ("tolerance", 1e-5)


def test_words_that_are_kept_are_enough_where_a_toggle_declares_no_more() -> None:
    kept = by_words("changed", None, KEPT, 0.25, 0.3125)
    assert kept == ("words", 0.0625)
    assert accepted(*kept, KEPT)
    assert by_words("changed", None, BITWISE, 0.0, 0.0) == ("changed", None)
    assert not accepted(*by_words("changed", None, KEPT, 0.0, 0.2), KEPT)


def test_quality_and_voice_are_kept_whatever_the_language_and_equal_outputs_are_assessed_once(
    measure_fake: Callable[..., Run], assessed: list[int], tmp_path: Path
) -> None:
    run = measure_fake(model={"faults": {"cached_device": "change"}}, workload=CHINESE, measure=ASSESS)
    found = {row.arm: (row.quality_before, row.quality_after, row.voice) for row in run.equivalences}
    assert found["resample_cache"] == (3.25, 3.25, 1.0)
    assert found["cached_device"] == (3.25, 1.75, 0.6)
    assert (assessed, told(run)) == ([2], [])
    assert store.load(tmp_path / "run").equivalences == run.equivalences
    page = markdown(run)
    assert "quality 3.25 → 3.25 of 5; voice 1.00 alike" in page
    assert "quality 3.25 → 1.75 of 5; voice 0.60 alike" in page


def test_nobody_assesses_unless_asked(measure_fake: Callable[..., Run], assessed: list[int]) -> None:
    run = measure_fake(workload=CHINESE, measure={"budget": "1s"})
    assert {(row.quality_after, row.voice) for row in run.equivalences} == {(None, None)}
    assert (assessed, told(run)) == ([], [])


def test_without_ears_the_run_holds_and_says_so(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assessor, "missing", lambda: "resemblyzer is not installed")
    run = measure_fake(workload=CHINESE, measure=ASSESS)
    assert told(run) == ["Quality and voice of the outputs were not checked: resemblyzer is not installed."]
    assert all(row.accepted for row in run.equivalences)


def test_a_reference_that_is_no_speech_is_told(
    measure_fake: Callable[..., Run], assessed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assessor, "assess", lambda files: [Assessment(quality=1.25, voice=(1.0,))] * len(files))
    run = measure_fake(workload=CHINESE, measure=ASSESS)
    assert len(told(run)) == 1
    assert "has an estimated quality of 1.25 of 5 already by the reference" in told(run)[0]
    assert assessed == []
