"""What a function returned: which of it is compared as numbers, and which is the same or not."""

from __future__ import annotations

import os
import shutil
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.adapters import files, plain
from harness.adapters.answers import Answer, is_sound, length_of
from harness.adapters.files import STALE
from harness.adapters.returned import Returned, samples_of
from harness.equivalence import accepted, grade
from harness.errors import UsageError
from harness.optimizations import Check
from harness.worker import audio


def graded(before: Any, after: Any, check: Check | None = None) -> tuple[str, float | None]:
    first, second = Returned(before), Returned(after)
    sound = bool(first.sample_rate_hz and second.sample_rate_hz)
    return grade(first.audio, second.audio, [first.exact], [second.exact], check or Check(grade="bitwise"), sound=sound)


@dataclass
class Mel:
    mel: Any
    words: str


VALUES = [
    1, 1.5, True, None, "words", b"bytes", [1, [2.5, "x"]], {"a": 1, "b": [2]}, (1, 2), 2 + 3j,
    np.arange(6).reshape(2, 3), np.float32(0.1), torch.ones(2, 3), torch.ones(2, dtype=torch.bfloat16), Mel([1.0], "a"),
    2**80, np.array([2**62 + 1]), np.array(["a", "b"]), np.zeros(0), float("nan"),
    array("f", [0.5]), array("q", [2**62 + 1]), array("u", "ab"), torch.ones(2).to(torch.float8_e4m3fn),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_is_itself_to_the_bit(value: Any) -> None:
    assert graded(value, value) == ("bitwise", 0.0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, True), (1, 1.0), ("a", "b"), ("a", b"a"), ([1], [1, 2]), ([[1], 2], [1, [2]]), ({"a": 1}, {"b": 1}), (None, 0),
        (np.zeros((2, 3)), np.zeros((3, 2))), (np.zeros(2, np.float32), np.zeros(2)), (2**80, 2**80 + 1),
        (np.array([2**62 + 1]), np.array([2**62 + 2])), (np.array(["a"]), np.array(["b"])),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_number_or_of_another_kind_is_the_same_or_not(before: Any, after: Any) -> None:
    assert graded(before, after)[0] == "changed"


@pytest.mark.parametrize(("before", "after"), [([], ()), ((1, "a"), [1, "a"]), (np.ones(2), torch.ones(2).double())])
def test_a_list_is_as_good_as_a_tuple_and_an_array_as_a_tensor(before: Any, after: Any) -> None:
    assert graded(before, after) == ("bitwise", 0.0)


def test_numbers_are_compared_with_the_tolerance_that_a_toggle_declares() -> None:
    before, after = {"mel": torch.zeros(4), "steps": 3}, {"mel": torch.full((4,), 0.5), "steps": 3}
    assert graded(before, after) == ("changed", 0.5)
    loose = Check(grade="tolerance", bound=0.5, reason="halves are rounded")
    found = graded(before, after, loose)
    assert found == ("tolerance", 0.5)
    assert accepted(*found, loose)
    assert graded(before, {**after, "steps": 4}, loose)[0] == "changed"


def test_one_bit_of_a_float64_is_seen() -> None:
    assert graded([1.0], [np.nextafter(1.0, 2)])[0] == "tolerance"


def test_samples_with_a_rate_are_sound_and_have_a_spectrum() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    sound = Returned((samples, 24_000))
    assert (sound.sample_rate_hz, sound.audio_s) == (24_000, 1.0)
    assert sound.audio.dtype == np.float32
    assert graded((samples, 24_000), (samples + np.float32(2e-4) * samples.std(), 24_000))[0] in (
        "tolerance",
        "spectral",
    )
    assert graded((samples, 24_000), (-samples, 24_000))[0] == "changed"
    assert graded((samples, 24_000), samples)[0] == "changed"


@pytest.mark.parametrize("samples", [np.zeros(300), torch.zeros(1, 300), torch.zeros(1, 1, 300), array("f", [0] * 300)])
def test_sound_is_as_long_as_it_has_samples_whatever_its_shape(samples: Any) -> None:
    assert length_of((samples, 16_000)) == 300
    assert length_of(samples) == 0


def test_whole_numbers_of_sound_are_scaled_to_one() -> None:
    assert Returned((np.array([0, -32_768, 16_384], np.int16), 16_000)).audio.tolist() == [0.0, -1.0, 0.5]
    assert Returned((np.array([128, 0, 192], np.uint8), 16_000)).audio.tolist() == [0.0, -1.0, 0.5]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.int8])
def test_whole_numbers_of_other_kinds_are_no_sound_and_not_made_quiet(dtype: Any) -> None:
    first, second = ((np.sin(np.arange(2400) / by) * 100).astype(dtype) for by in (10, 11))
    assert not is_sound((first, 24_000))
    assert graded((first, 24_000), (first.copy(), 24_000)) == ("bitwise", 0.0)
    found, difference = graded((first, 24_000), (second, 24_000))
    assert found == "changed"
    assert difference is not None
    assert difference >= 1


@pytest.mark.parametrize("samples", [np.arange(9) * 1j, torch.arange(9) * 1j], ids=["array", "tensor"])
def test_complex_numbers_beside_a_rate_keep_their_imaginary_part(samples: Any) -> None:
    assert not is_sound((samples, 24_000))
    assert graded((samples, 24_000), (samples, 24_000)) == ("bitwise", 0.0)
    assert graded((samples, 24_000), (samples * 2, 24_000)) == ("changed", 8.0)


@pytest.mark.parametrize("kind", ["f", "d", "h", "B"])
def test_an_array_of_the_standard_library_is_sound_as_well(kind: str) -> None:
    samples = array(kind, [0, 1, 2])
    assert is_sound((samples, 16_000))
    assert np.array_equal(Returned((samples, 16_000)).audio, np.asarray(plain.samples_of(samples)))
    assert graded((samples, 16_000), (samples[::-1], 16_000))[0] != "bitwise"


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int16, torch.uint8]
)
def test_a_tensor_is_sound_of_the_samples_that_an_interpreter_without_numpy_finds(dtype: torch.dtype) -> None:
    samples = torch.tensor([[0.0, 1.0, 2.0]]).to(dtype)
    assert is_sound((samples, 16_000))
    assert samples_of(samples).tolist() == plain.samples_of(samples).tolist()


@pytest.mark.parametrize(
    "value",
    [
        (np.zeros((2, 100)), 24_000),
        (np.zeros(9), 3),
        (np.zeros(9), True),
        ([0.0], 24_000),
        np.zeros(9),
        (np.float32(1), 24_000),
        (np.array(["a", "b"]), 24_000),
        (np.zeros(9, bool), 24_000),
        (np.zeros(9), np.bool_(1)),
        (array("q", [1, 2]), 24_000),
    ],
    ids=[
        "stereo",
        "no rate",
        "a truth",
        "a list",
        "no pair",
        "a number",
        "words",
        "truths",
        "another truth",
        "an array",
    ],
)
def test_what_only_looks_like_sound_is_compared_as_numbers(value: Any) -> None:
    assert not is_sound(value)
    assert graded(value, value) == ("bitwise", 0.0)


def _wav(file: Path, level: float) -> Path:
    audio.write(file, np.full(300, level, np.float32), 24_000)
    return file


@pytest.mark.parametrize("kind", [Returned, plain.Returned])
def test_a_path_is_the_recording_that_is_there(tmp_path: Path, kind: type[Answer]) -> None:
    first, same, other = (kind(str(_wav(tmp_path / f"{n}.wav", level))) for n, level in enumerate([0.5, 0.5, 0.25]))
    assert (first.sample_rate_hz, first.audio_s, first.exact) == (24_000, 300 / 24_000, same.exact)
    assert list(first.audio) == list(same.audio) != list(other.audio)


@pytest.mark.parametrize("kind", [Returned, plain.Returned])
def test_of_other_files_and_of_several_the_contents_are_the_same_or_not(tmp_path: Path, kind: type[Answer]) -> None:
    for name, text in {"a.txt": "words", "b.txt": "words", "c.txt": "other", "d.wav": "RIFF and no more"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    a, b, c, d = (kind([tmp_path / name]).exact for name in ("a.txt", "b.txt", "c.txt", "d.wav"))
    assert a == b
    assert len({a, c, d}) == 3
    assert kind(tmp_path / "a.txt").exact == kind(tmp_path / "b.txt").exact != kind(tmp_path / "c.txt").exact
    assert kind(tmp_path / "d.wav").sample_rate_hz == 0


@pytest.mark.parametrize("kind", [Returned, plain.Returned])
def test_a_recording_among_other_things_is_compared_by_its_samples(tmp_path: Path, kind: type[Answer]) -> None:
    """Files of the same sound may differ: some have the time in them at which they were written."""
    files = [_wav(tmp_path / f"{n}.wav", level) for n, level in enumerate([0.5, 0.5, 0.25])]
    files[1].write_bytes(files[1].read_bytes() + b"note\x04\0\0\0here")
    first, same, other = (kind({"audio": file, "text": "words"}) for file in files)
    assert (first.exact, list(first.audio)) == (same.exact, list(same.audio))
    assert list(first.audio) != list(other.audio)
    assert first.sample_rate_hz == 0


def test_a_recording_of_two_channels_is_numbers(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "two.flac", np.zeros((300, 2)), 24_000)
    found = Returned(tmp_path / "two.flac")
    assert (found.sample_rate_hz, found.audio.shape) == (0, (600,))


@pytest.mark.parametrize("kind", [Returned, plain.Returned])
@pytest.mark.parametrize("value", [lambda file: file, lambda file: [str(file), 1]], ids=["alone", "among others"])
def test_a_file_that_was_there_before_the_request_is_another_output(
    tmp_path: Path, kind: type[Answer], value: Callable[[Path], Any]
) -> None:
    file = _wav(tmp_path / "old.wav", 0.5)
    written_ns = file.stat().st_mtime_ns
    own, before = kind(value(file), written_ns - 1), kind(value(file), written_ns + 10**10)
    assert before.exact.startswith(STALE)
    assert own.exact != before.exact
    assert list(own.audio) == list(before.audio)


@pytest.mark.parametrize("name", ["x.raw", "cut.wav", "short.wav"])
@pytest.mark.parametrize("kind", [Returned, plain.Returned])
def test_what_no_reader_makes_a_recording_of_is_compared_as_a_file(
    tmp_path: Path, kind: type[Answer], name: str
) -> None:
    whole = _wav(tmp_path / "whole.wav", 0.5).read_bytes()
    extensible = whole[:20] + b"\xfe\xff" + whole[22:]
    (tmp_path / name).write_bytes({"x.raw": b"1234", "cut.wav": whole[:15], "short.wav": extensible[:60]}[name])
    found = kind(tmp_path / name)
    assert (found.sample_rate_hz, len(found.audio)) == (0, 0)
    assert found.exact == kind(str(tmp_path / name)).exact


def test_samples_without_a_header_are_no_mp3(tmp_path: Path) -> None:
    """A few of their bits say so, and most of them would not be read."""
    sync = np.array([0xFBFF, 0x0090], np.uint16).view(np.int16)
    noise = np.concatenate([sync, np.random.default_rng(3).integers(-(2**15), 2**15, 16_000).astype(np.int16)])
    exact = []
    for name, samples in {"a.pcm": noise, "b.pcm": np.concatenate([noise[:12_000], np.zeros(4_002, np.int16)])}.items():
        samples.tofile(tmp_path / name)
        found = Returned(tmp_path / name)
        assert (found.sample_rate_hz, len(found.audio)) == (0, 0)
        exact.append(found.exact)
    assert exact[0] != exact[1]


def test_what_was_copied_with_its_time_was_written_nevertheless(tmp_path: Path) -> None:
    kept = _wav(tmp_path / "kept.wav", 0.5)
    os.utime(kept, ns=(10**18, 10**18))
    since_ns = time.time_ns()
    shutil.copy2(kept, tmp_path / "out.wav")
    assert Returned(tmp_path / "out.wav", since_ns).exact == ""


def test_one_old_file_among_others_is_told_from_a_new_one(tmp_path: Path) -> None:
    """What a function was handed and hands back is always old."""
    prompt, spoken = _wav(tmp_path / "prompt.wav", 0.1), _wav(tmp_path / "spoken.wav", 0.5)
    later_ns = max(files.latest_ns(prompt), files.latest_ns(spoken)) + 1
    neither = Returned({"prompt": prompt, "audio": spoken}, later_ns).exact
    files.outwait(later_ns)
    _wav(spoken, 0.5)
    own = Returned({"prompt": prompt, "audio": spoken}, later_ns).exact
    assert own.startswith(STALE)
    assert neither.startswith(STALE)
    assert own != neither


def test_text_that_names_no_file_is_text_and_a_path_that_leads_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").write_text("a file", encoding="utf-8")
    assert Returned("words").exact == Returned(["words"][0]).exact != Returned("b.txt").exact
    assert Returned("words").exact != Returned(tmp_path / "words").exact
    assert Returned("\0").exact != Returned("x" * 10_000).exact
    with pytest.raises(UsageError, match=r"it is the path 'gone\.wav', where no file is"):
        _ = Returned(Path("gone.wav")).exact
    for name in ("out/take1.WAV", "/no such folder/take1.wav", "out/my take.aiff", str(tmp_path)):
        with pytest.raises(UsageError, match="return a path that is good from there"):
            _ = Returned({"audio": name}).exact
    assert Returned("I said: see take1.wav").exact != Returned("I said: see take2.wav").exact


def test_what_cannot_be_compared_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match=r"\['a'\]\[1\] is of type object"):
        _ = Returned({"a": [1, object()]}).exact


def test_an_output_that_was_kept_does_not_change_with_the_memory_that_it_was_read_from() -> None:
    buffer = np.zeros(3)
    kept = Returned(buffer).kept()
    buffer += 1
    assert kept.audio.tolist() == [0, 0, 0]
