"""Bytes and counts as people read them. `harness.units` formats everything else, and hands these on."""

from __future__ import annotations

import math

NOT_MEASURED = "not measured"
DASH = "\u2013"
SPACE = "\u202f"
MINUS = "\u2212"
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def size(value: float | None, digits: int = 4) -> str:
    """A number of bytes: "512 B", "12.00 KiB", "2.813 GiB"."""
    if value is None:
        return NOT_MEASURED
    scale, unit = next((pair for pair in _SIZES if abs(value) >= pair[0]), (1, "B"))
    return f"{count(value)}{SPACE}B" if scale == 1 else f"{significant(value / scale, digits)}{SPACE}{unit}"


def significant(value: float, digits: int = 4) -> str:
    """A plain decimal with `digits` significant digits, and never fewer before the point than it has: "1234", "0.01200"."""
    if value == 0:
        return "0"
    rounded = float(f"{abs(value):.{digits - 1}e}")
    before = math.floor(math.log10(rounded)) + 1
    text = f"{abs(value):.{max(digits - before, 0)}f}"
    return f"{MINUS if value < 0 else ''}{text}"


def count(value: float | None) -> str:
    """A count in groups of three: "12 345"; a mean of counts keeps two decimals at most: "2.5"."""
    if value is None:
        return DASH
    text = f"{abs(value):,.0f}" if float(value).is_integer() else f"{abs(value):,.2f}".rstrip("0").rstrip(".")
    return f"{MINUS if value < 0 else ''}{text.replace(',', SPACE)}"
