from __future__ import annotations

import pytest

from harness.models.cosyvoice2 import numerals


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "零"), ("10", "十"), ("12", "十二"), ("20", "二十"), ("101", "一百零一"), ("110", "一百一十"),
        ("222", "二百二十二"), ("1001", "一千零一"), ("1010", "一千零一十"), ("2,999", "两千九百九十九"),
        ("10005", "一万零五"), ("12000", "一万两千"), ("20000", "两万"), ("100000", "十万"), ("100050", "十万零五十"),
        ("100010000", "一亿零一万"), ("200000002", "两亿零二"), ("1,234.50", "一千二百三十四点五零"), ("0.5", "零点五"),
    ],
)  # fmt: skip
def test_chinese_numbers_read_zeros_once_and_two_as_a_speaker_does(digits: str, words: str) -> None:
    assert numerals.zh_number(digits) == words


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"), ("12", "twelve"), ("20", "twenty"), ("42", "forty-two"), ("100", "one hundred"),
        ("1,001", "one thousand one"), ("2,999", "two thousand nine hundred ninety-nine"),
        ("1000000", "one million"), ("3.14", "three point one four"),
        ("1,234.50", "one thousand two hundred thirty-four point five zero"),
    ],
)  # fmt: skip
def test_english_numbers_are_grouped_by_thousands(digits: str, words: str) -> None:
    assert numerals.en_number(digits) == words


@pytest.mark.parametrize(
    ("digits", "words"),
    [("1", "first"), ("2", "second"), ("3", "third"), ("12", "twelfth"), ("20", "twentieth"), ("24", "twenty-fourth"),
     ("100", "one hundredth")],
)  # fmt: skip
def test_english_ordinals_change_their_last_word(digits: str, words: str) -> None:
    assert numerals.en_ordinal(digits) == words


@pytest.mark.parametrize(
    ("year", "words"),
    [("2026", "twenty twenty-six"), ("2000", "two thousand"), ("2005", "two thousand five"), ("1905", "nineteen oh five"),
     ("1900", "nineteen hundred"), ("1999", "nineteen ninety-nine")],
)  # fmt: skip
def test_english_years_are_read_in_pairs(year: str, words: str) -> None:
    assert numerals.en_year(year) == words


def test_telephone_numbers_and_codes_are_read_digit_by_digit() -> None:
    assert numerals.zh_number("13800138000") == "一三八零零一三八零零零"
    assert numerals.en_number("007") == "zero zero seven"


def test_thousands_commas_make_a_long_number_a_quantity() -> None:
    assert numerals.zh_number("100,000,000,000") == "一千亿"
