"""Grades of agreement between outputs."""

from __future__ import annotations

import numpy as np
import pytest

from harness.equivalence import accepted, grade, loosened
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


def test_no_toggle_is_held_to_more_than_the_reference_keeps_to_itself() -> None:
    strict = Check(grade="bitwise")
    assert loosened(strict, "bitwise") == strict
    assert loosened(strict, "tolerance").grade == "tolerance"
    assert accepted("tolerance", 1e-8, loosened(strict, "tolerance"))
    assert not accepted("spectral", 0.5, loosened(strict, "tolerance"))
    assert loosened(strict, "changed") == strict


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
