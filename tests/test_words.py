"""Words that are heard wrong: how they are counted."""

from __future__ import annotations

import pytest

from harness.words import comparable, error_rate, words_of


def test_case_punctuation_and_the_way_that_numbers_are_written_do_not_count() -> None:
    assert words_of("It’s 12, O'Clock -- 3.5 of 1,280!") == words_of("its twelve o'clock; three point five of 1280")
    assert error_rate("Please meet me at three o'clock.", "please meet me at 3 O'Clock") == 0


@pytest.mark.parametrize(
    ("heard", "rate"),
    [
        ("one two three four", 0.0),
        ("one too three four", 0.25),
        ("one three four", 0.25),
        ("one two two three four", 0.25),
        ("two three four one", 0.5),
        ("", 1.0),
        ("a b c d e f", 1.5),
    ],
)
def test_the_fewest_words_that_differ_are_counted_against_those_of_the_text(heard: str, rate: float) -> None:
    assert error_rate("one two three four", heard) == rate


def test_only_english_texts_are_compared() -> None:
    assert comparable("“Well” – it’s −?".replace("−", ""))
    assert comparable("The nights are as cold as -12°C.")
    assert not comparable("今天下午三点")
    assert not comparable("search for 北京")
    assert not comparable("...")
