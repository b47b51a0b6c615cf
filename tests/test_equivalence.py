"""Grades of agreement between outputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.equivalence import accepted, as_the_same_code, grade, largest_difference, log_mel_distance_db
from harness.optimizations.registry import Check

RNG = np.random.default_rng(0)
AUDIO = RNG.normal(0, 0.1, 24_000).astype(np.float32)
TOKENS = [1, 2, 3]


def test_the_same_bits_are_bitwise() -> None:
    assert grade(AUDIO, AUDIO.copy(), TOKENS, TOKENS) == ("bitwise", 0.0)


def test_a_difference_of_one_bit_is_not_bitwise() -> None:
    other = AUDIO.copy()
    other[100] = np.nextafter(other[100], np.float32(1))
    found, bound = grade(AUDIO, other, TOKENS, TOKENS)
    assert found == "tolerance"
    assert bound is not None
    assert 0 < bound < 1e-7


def test_a_faint_filter_is_spectral_and_silence_is_changed() -> None:
    assert grade(AUDIO, AUDIO * np.float32(1.01), TOKENS, TOKENS)[0] == "spectral"
    assert grade(AUDIO, np.zeros_like(AUDIO), TOKENS, TOKENS)[0] == "changed"


def test_other_tokens_are_another_utterance_whatever_the_audio() -> None:
    assert grade(AUDIO, AUDIO, TOKENS, [1, 2, 4])[0] == "changed"


def test_another_length_is_changed_and_has_no_figure() -> None:
    assert grade(AUDIO, AUDIO[:-1], TOKENS, TOKENS) == ("changed", None)


def test_the_same_samples_at_another_rate_are_changed_and_have_no_figure() -> None:
    assert grade(AUDIO, AUDIO, TOKENS, TOKENS, rates_hz=(24_000, 22_050)) == ("changed", None)
    assert grade(AUDIO, AUDIO, TOKENS, TOKENS, rates_hz=(24_000, 24_000)) == ("bitwise", 0.0)


@pytest.mark.parametrize(
    ("differences", "own", "allowed"),
    [
        ([0.0], [0.0], True),
        ([1e-6], [0.0], True),  # a reference that does not repeat itself keeps no last bits
        ([1.1e-6], [0.0], False),
        ([1.5e-4], [2e-8, 1e-4], True),  # beyond the bound of a grade, too
        ([2.5e-4], [2e-8, 1e-4], False),
        ([3e-4, *[1e-8] * 8], [1e-8], True),  # the middle one of nine counts, and the largest may be ten times as large
        ([2e-3, *[1e-8] * 8], [1e-8], False),
        ([2e-3, *[1e-8] * 8], [3e-4], True),
        ([*[3e-4] * 5, *[1e-8] * 4], [1e-8], False),
        ([math.inf, *[0.0] * 8], [1e-4], False),  # one that is another output
        ([0.0], [1e-4, math.inf], False),  # of the same code: excuses nothing
    ],
)
def test_an_arm_may_differ_as_the_same_code_does(differences: list[float], own: list[float], *, allowed: bool) -> None:
    assert as_the_same_code(differences, own, sound=True) is allowed


def test_of_numbers_of_any_scale_nothing_is_small() -> None:
    assert not as_the_same_code([1e-12], [0.0], sound=False)
    assert as_the_same_code([2e-12], [1e-12], sound=False)


def test_the_largest_difference_of_outputs_that_cannot_be_compared_is_infinite() -> None:
    one = np.array([0.0, 1.0])
    assert largest_difference(one, np.array([0.5, 1.0])) == 0.5
    assert largest_difference(one[:0], one[:0]) == 0.0
    for other in (one[:1], np.array([0.0, np.nan]), np.array([np.inf, 1.0])):
        assert largest_difference(one, other) == math.inf


TIME_S = np.arange(48_000) / 24_000
SPEECH = (0.3 * np.sin(2 * np.pi * 220 * TIME_S) + RNG.normal(0, 0.05, 48_000)).astype(np.float32)
TWIN = (SPEECH + 2e-4 * RNG.choice([-1, 1], SPEECH.size)).astype(np.float32)


def louder(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    return audio * np.float32(0.9)


def inverted(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    return -audio


def without_its_end(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([audio[:-255], np.zeros(255, np.float32)])


def inverted_for_a_while(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([audio[:20_000], -audio[20_000:21_500], audio[21_500:]])


@pytest.mark.parametrize("change", [louder, inverted, without_its_end, inverted_for_a_while])
def test_a_twin_that_differs_slightly_excuses_no_real_change(
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> None:
    own = grade(SPEECH, TWIN, TOKENS, TOKENS)
    assert own[0] == "spectral"
    own_difference, changed = (largest_difference(SPEECH, other) for other in (TWIN, change(SPEECH)))
    assert as_the_same_code([own_difference], [own_difference], sound=True)
    assert not as_the_same_code([changed], [own_difference], sound=True)


def test_spectra_see_the_last_samples() -> None:
    cut = SPEECH.copy()
    cut[-100:] = 0
    assert log_mel_distance_db(SPEECH, cut) > 0.1


def test_samples_that_are_not_finite_are_changed_and_have_no_figure() -> None:
    broken = AUDIO.copy()
    broken[7] = np.nan
    assert grade(AUDIO, broken, TOKENS, TOKENS) == ("changed", None)
    assert grade(broken, AUDIO, TOKENS, TOKENS) == ("changed", None)
    assert grade(AUDIO, broken, TOKENS, [1]) == ("changed", None)
    assert grade(broken, broken.copy(), TOKENS, TOKENS) == ("bitwise", 0.0)


def test_a_toggle_may_declare_more_than_a_grade_allows_by_itself() -> None:
    shifted = (AUDIO + np.float32(5e-4)).astype(np.float32)
    check = Check(grade="tolerance", bound=1e-3, reason="a reason")
    assert accepted(*grade(AUDIO, shifted, TOKENS, TOKENS, check), check)
    assert grade(AUDIO, shifted, TOKENS, TOKENS)[0] != "tolerance"
    narrow = Check(grade="tolerance", bound=4e-4, reason="a reason")
    assert not accepted(*grade(AUDIO, shifted, TOKENS, TOKENS, narrow), narrow)


@pytest.mark.parametrize(
    ("found", "bound", "check", "holds"),
    [
        ("bitwise", 0.0, Check(grade="bitwise"), True),
        ("tolerance", 1e-7, Check(grade="bitwise"), False),
        ("bitwise", 0.0, Check(grade="tolerance", bound=1e-6), True),
        ("tolerance", 1e-7, Check(grade="tolerance", bound=1e-6), True),
        ("tolerance", 1e-5, Check(grade="tolerance", bound=1e-6), False),
        ("changed", None, Check(grade="spectral", bound=100.0), False),
    ],
)
def test_a_grade_meets_a_check_or_not(found: str, bound: float | None, check: Check, holds: bool) -> None:  # noqa: FBT001
    assert accepted(found, bound, check) is holds  # type: ignore[arg-type]  # pytest gives plain strings
