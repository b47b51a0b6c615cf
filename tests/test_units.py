"""Numbers as people read them, and sizes read back."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness import units
from harness.errors import UsageError
from harness.units import MEMORY, RATE, TIME


def _plain(text: str) -> str:
    return text.replace(units.SPACE, " ").replace(units.MINUS, "-").replace("\u00b5", "u")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not measured"), (0.0, "0 s"), (1.23456, "1.235 s"), (0.0456, "45.60 ms"), (12e-6, "12.00 us"), (3e-9, "3.000 ns"),
        (0.99999, "1.000 s"), (99.5, "99.50 s"), (125.0, "2 min 5 s"), (180.0, "3 min"), (-0.5, "-500.0 ms"),
    ],
)  # fmt: skip
def test_seconds_keep_four_digits_in_the_unit_that_suits(value: float | None, text: str) -> None:
    assert _plain(units.seconds(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "not measured"), (0, "0 B"), (1023, "1 023 B"), (12 * 1024, "12.00 KiB"), (2.813 * 2**30, "2.813 GiB")],
)
def test_sizes_are_in_powers_of_1024(value: float | None, text: str) -> None:
    assert _plain(units.size(value)) == text


@pytest.mark.parametrize(
    ("ratio", "direction", "text"),
    [
        (0.889, TIME, "11.1 % faster"), (1.003, TIME, "0.3 % slower"), (0.125, TIME, "8.0 times faster"), (3.2, TIME, "3.2 times slower"),
        (0.889, MEMORY, "11.1 % less"), (0.125, MEMORY, "87.5 % less"), (3.2, MEMORY, "220.0 % more"), (1.125, RATE, "12.5 % higher"),
        (1.0, TIME, "no change"), (None, TIME, "not measured"), (0.999998, TIME, "0.0002 % faster"),
    ],
)  # fmt: skip
def test_ratios_are_changes_in_words(ratio: float | None, direction: units.Direction, text: str) -> None:
    assert _plain(units.change(ratio, direction)) == text


@pytest.mark.parametrize(
    ("low", "ratio", "high", "text"),
    [
        (0.870, 0.877, 0.884, "12.3 % faster"), (0.48, 0.537, 0.62, "1.9 times faster"), (1.6, 1.86, 2.1, "1.9 times slower"),
        (0.4329, 0.4358, 0.4386, "2.29 times faster"), (0.99990, 0.99992, 0.99995, "0.0080 % faster"), (0.4, 0.9, 1.1, "10.0 % faster"),
        (0.4, 1.0, 0.9, "no change"), (0.0001, 0.6, 0.9, "1.7 times faster"), (0.0001, 0.0002, 0.9, "over 1,000 times faster"),
        (0.0, 0.5, 0.9, "2.0 times faster"), (None, 0.6, None, "40.0 % faster"), (0.4, None, 0.9, "not measured"),
    ],
)  # fmt: skip
def test_an_estimate_is_told_as_its_interval_is(
    low: float | None, ratio: float | None, high: float | None, text: str
) -> None:
    assert _plain(units.estimate(ratio, low, high, TIME)) == text


def test_a_change_that_rounds_to_nothing_is_under_the_last_digit_and_not_zero() -> None:
    assert _plain(units.change(1.0002, TIME, decimals=1)) == "under 0.1 % slower"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.870, 0.884, "11.6 to 13.0 % faster"), (0.996, 1.006, "0.4 % faster to 0.6 % slower"), (1.01, 1.02, "1.0 to 2.0 % slower"),
        (0.117, 0.126, "7.9 to 8.5 times faster"), (0.45, 0.6, "1.7 to 2.2 times faster"), (0.4329, 0.4386, "2.28 to 2.31 times faster"), (0.3, 0.98, "1.02 to 3.33 times faster"), (1.0, 1.0, "exact"),
        (0.99990, 0.99995, "0.0050 to 0.0100 % faster"), (None, 1.0, "\u2013"),
    ],
)  # fmt: skip
def test_intervals_name_the_smaller_change_first(low: float | None, high: float | None, text: str) -> None:
    assert _plain(units.interval(low, high, TIME)) == text


def test_an_interval_may_leave_its_word_to_the_sentence_but_not_where_it_has_two() -> None:
    assert _plain(units.interval(0.87, 0.884, TIME, word=False)) == "11.6 to 13.0 %"
    assert _plain(units.interval(0.996, 1.006, TIME, word=False)) == "0.4 % faster to 0.6 % slower"


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0041, "0.5 %"), (0.006, "0.6 %"), (0.0, "0.0 %"), (0.000012, "0.002 %")]
)
def test_a_bound_is_rounded_up(fraction: float, text: str) -> None:
    assert _plain(units.percent_at_most(fraction)) == text


def test_a_bound_of_a_length_is_rounded_away_from_what_it_bounds() -> None:
    assert (units.directed(10.51, 3, up=True), units.directed(10.51, 3, up=False)) == (10.6, 10.5)
    assert units.directed(2.3000000000000003, 3, up=True) == 2.3
    assert units.directed(2.2999999999999998, 3, up=False) == 2.3
    assert (units.directed(-0.010411, 3, up=False), units.directed(-0.010411, 3, up=True)) == (-0.0105, -0.0104)
    assert units.directed(0.0, 3, up=True) == 0.0


def test_counts_percentages_and_small_numbers() -> None:
    assert _plain(units.count(1234567)) == "1 234 567"
    assert units.count(2.5) == "2.5"
    assert units.count(None) == "\u2013"
    assert _plain(units.percent(0.000002)) == "0.0002 %"
    assert _plain(units.signed_percent(-0.111)) == "-11.1 %"
    assert _plain(units.signed_percent(0.003)) == "+0.3 %"
    assert _plain(units.scientific(2.1e-6)) == "2.1 \u00d7 10\u207b\u2076"
    assert units.scientific(0.5) == "0.50"


def test_names_that_end_in_a_unit_say_how_to_format_them() -> None:
    assert _plain(units.suffixed("memory_bytes", 2**30)) == "1.000 GiB"
    assert _plain(units.suffixed("sm_clock_mhz", 1980)) == "1 980 MHz"
    assert units.suffixed("cores", 16) == "16"


@pytest.mark.parametrize(
    ("text", "value"), [("1GiB", 2**30), ("512 MiB", 512 * 2**20), ("4GB", 4 * 10**9), ("4096", 4096), ("1.5k", None)]
)
def test_sizes_are_read_back(text: str, value: int | None) -> None:
    if value is None:
        with pytest.raises(UsageError, match="a size is written 512MiB"):
            units.parse_bytes(text)
    else:
        assert units.parse_bytes(text) == value


def test_importing_units_imports_nothing_heavy() -> None:
    code = (
        "import sys, harness.units; sys.exit(any(m in sys.modules for m in ('numpy', 'torch', 'matplotlib', 'jinja2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_factor_beyond_all_measure_is_told_by_its_bound() -> None:
    assert units.change(1e60, units.TIME) == f"over 1,000{units.SPACE}times slower"
    assert (
        units.interval(1e-60, 1e60, units.TIME)
        == f"over 1,000{units.SPACE}times faster to over 1,000{units.SPACE}times slower"
    )
    assert units.change(1e60, units.MEMORY) == f"over 1,000{units.SPACE}times more"
    assert units.change(1e-60, units.MEMORY) == f"100.0{units.SPACE}% less"
    assert units.change(999.0, units.TIME) == f"999.0{units.SPACE}times slower"
