"""Words in a run: when they are listened to, what is said when they cannot be, and what they decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness import store, transcriber
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


def told(run: Run) -> list[str]:
    return [finding.message for finding in run.findings if finding.kind == "words"]


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
    heard = listening.listened_to(tmp_path, ["now.wav", "later.wav", "other.wav"])
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
    assert by_words("tolerance", 1e-5, BITWISE, 0.0, 0.3) == ("changed", 1e-5)
    assert by_words("tolerance", 1e-5, BITWISE, 0.3, 0.0) == ("tolerance", 1e-5)
    assert by_words("tolerance", 1e-5, BITWISE, None, None) == ("tolerance", 1e-5)


def test_words_that_are_kept_are_enough_where_a_toggle_declares_no_more() -> None:
    kept = by_words("changed", None, KEPT, 0.25, 0.3125)
    assert kept == ("words", 0.0625)
    assert accepted(*kept, KEPT)
    assert by_words("changed", None, BITWISE, 0.0, 0.0) == ("changed", None)
    assert not accepted(*by_words("changed", None, KEPT, 0.0, 0.2), KEPT)
