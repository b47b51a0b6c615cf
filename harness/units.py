"""Numbers as people read them, and back: the only module that formats seconds, bytes, ratios and counts.

Numbers and units are joined by a narrow no-break space, so that no line breaks between them. A missing number is
`NOT_MEASURED`, never zero.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from harness.errors import UsageError
from harness.worker import sizes

NOT_MEASURED, DASH, SPACE, MINUS = sizes.NOT_MEASURED, sizes.DASH, sizes.SPACE, sizes.MINUS
size, significant, count = sizes.size, sizes.significant, sizes.count
"""What a worker says in its messages, it says in the same way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """How a language puts a change: patterns with {amount}, {factor}, {word}, {low} and {high}."""

    changed: str = "{amount} {word}"
    times: str = f"{{factor}}{SPACE}times"
    over: str = "over {amount}"
    none: str = "no change"
    under: str = "under {amount}"
    between: str = "{low} to {high}"
    exact: str = "exact"


ENGLISH = Phrases()


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """The two words of a change: what a ratio below 1 and one above 1 are called.

    `factors` says whether large changes read as "8.0 times faster"; "8 times less memory" helps nobody.
    """

    below: str
    above: str
    factors: bool = False
    phrases: Phrases = ENGLISH


TIME = Direction(below="faster", above="slower", factors=True)
MEMORY = Direction(below="less", above="more")
RATE = Direction(below="lower", above="higher", factors=True)

_TWICE = 2.0
"""From here on a factor reads better than per cent."""
_PLACES = 3
"""Decimals of a factor at most."""
_MOST = 1000
"""The largest factor that is told as a figure: what little is known allows changes without bound."""
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "\u00b5s"), (1e-9, "ns"))
_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SUPERSCRIPT = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
SUFFIXES = {"_bytes": "B", "_s": "s", "_hz": "Hz", "_mhz": "MHz", "_w": "W", "_c": "\u00b0C"}
"""Endings of names that say a unit, with the unit."""


def seconds(value: float | None, digits: int = 4) -> str:
    """A duration with `digits` significant digits: "1.234 s", "45.60 ms", "12.00 µs"; two minutes and more: "2 min 5 s"."""
    if value is None:
        return NOT_MEASURED
    if value == 0:
        return f"0{SPACE}s"
    if abs(value) >= 120:  # noqa: PLR2004  # below two minutes, seconds alone read faster
        minutes, rest = divmod(round(value), 60)
        return f"{minutes}{SPACE}min {rest}{SPACE}s" if rest else f"{minutes}{SPACE}min"
    scale, unit = next((pair for pair in _TIMES if abs(value) >= pair[0] * (1 - 0.5 * 10**-digits)), _TIMES[-1])
    return f"{significant(value / scale, digits)}{SPACE}{unit}"


def directed(value: float, digits: int, *, up: bool) -> float:
    """A value with `digits` significant digits, rounded up or down: what a bound is told as, so that the text claims no more."""
    if value == 0:
        return 0.0
    scale = 10.0 ** (digits - 1 - math.floor(math.log10(abs(value))))
    # The small allowance keeps 2.30 from becoming 2.31 because it is stored as 2.3000000000000003.
    whole = math.ceil(value * scale - 1e-9) if up else math.floor(value * scale + 1e-9)
    return whole / scale


def signed_seconds(value: float | None, digits: int = 3) -> str:
    """A change of a duration with its sign: "+1.20 ms", "\u22123.00 \u00b5s", "0 s"."""
    if value is None or value <= 0:
        return seconds(value, digits)
    return f"+{seconds(value, digits)}"


def suffixed(name: str, value: float) -> str:
    """A number whose unit is the last part of its name: ("memory_bytes", 2**30) -> "1.000 GiB"; others stay plain."""
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    match suffix:
        case "_bytes":
            return size(value)
        case "_s":
            return seconds(value)
        case "":
            return f"{value:g}" if isinstance(value, float) else str(value)
        case _:
            return f"{count(value)}{SPACE}{SUFFIXES[suffix]}"


def scientific(value: float) -> str:
    """A very small or large number with two digits, the power of ten as a superscript; plain where that is short."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:  # noqa: PLR2004  # these are short
        return significant(value, 2)
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}{SPACE}\u00d7{SPACE}10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def quantity(value: float | None, unit: str) -> str:
    """A number in the unit of its metric (`metrics.Unit`)."""
    if value is None:
        return NOT_MEASURED
    match unit:
        case "s":
            return seconds(value)
        case "bytes":
            return size(value)
        case "ratio":
            return significant(value, 4)
        case "count":
            return count(value)
        case _:
            return f"{significant(value, 4)}{SPACE}{unit}"


def scaled(value: float, unit: str, digits: int = 3) -> str:
    """A rate with a decimal prefix: (3.04e12, "B/s") -> "3.04 TB/s"."""
    scale, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0] * (1 - 0.5 * 10**-digits)), (1.0, ""))
    return f"{significant(value / scale, digits)}{SPACE}{prefix}{unit}"


def score(value: float) -> str:
    """An opinion score or a cosine, whose differences are looked at: two decimals, whatever its size."""
    return f"{MINUS if value < 0 else ''}{abs(value):.2f}"


def percent(fraction: float | None, decimals: int | None = None) -> str:
    """A share: 0.123 -> "12.3 %". Small ones keep their first digit: 0.000002 -> "0.0002 %"."""
    if fraction is None:
        return DASH
    return f"{_percent_digits(fraction * 100, decimals)}{SPACE}%"


def percent_at_most(fraction: float) -> str:
    """A bound as a percentage, rounded up, so that the text is never a stronger claim than the number."""
    value = abs(fraction) * 100
    decimals = _decimals(value)
    # The small allowance keeps 0.6 from becoming 0.7 because it is stored as 0.60000000000000009.
    return f"{math.ceil(value * 10**decimals - 1e-9) / 10**decimals:.{decimals}f}{SPACE}%"


def signed_percent(fraction: float, decimals: int | None = None) -> str:
    """A change with its sign: "+0.3 %", a true minus for less, "0 %"."""
    text = percent(abs(fraction), decimals)
    if fraction == 0:
        return f"0{SPACE}%"
    return f"{MINUS if fraction < 0 else '+'}{text}"


def change(ratio: float | None, direction: Direction, decimals: int | None = None) -> str:
    """A ratio after / before in words: 0.889 -> "11.1 % faster", 0.125 -> "8.0 times faster", 1 -> "no change"."""
    if ratio is None:
        return NOT_MEASURED
    if ratio == 1:
        return direction.phrases.none
    magnitude = _magnitude(ratio, direction, decimals)
    if not magnitude.strip(f"0.%{SPACE}"):
        amount = f"{_percent_digits(10.0 ** -(decimals or 0), decimals)}{SPACE}%"
        magnitude = direction.phrases.under.format(amount=amount)
    return direction.phrases.changed.format(amount=magnitude, word=_word(ratio, direction))


def estimate(ratio: float | None, low: float | None, high: float | None, direction: Direction) -> str:
    """`change` of an estimate beside its interval: with the decimals that this deserves, and in factors where it is told in factors."""
    if ratio is None or low is None or high is None:
        return change(ratio, direction)
    if not _in_factors(min(low, ratio), max(high, ratio), direction) or _factor(ratio) >= _MOST:
        return change(ratio, direction, interval_decimals(low, high))
    near, far = sorted(map(_factor, (low, high)))
    amount = direction.phrases.times.format(factor=f"{_factor(ratio):.{_places(near, far)}f}")
    return direction.phrases.changed.format(amount=amount, word=_word(ratio, direction))


def interval(low: float | None, high: float | None, direction: Direction, *, word: bool = True) -> str:
    """An interval of ratios in words, the smaller change first: "11.6 to 13.0 % faster".

    One that contains 1 names both sides: "0.4 % faster to 0.6 % slower". `word=False` leaves the word out where both
    ends lie on one side. An interval without width is "exact".
    """
    if low is None or high is None:
        return DASH
    if low == high:
        return direction.phrases.exact
    decimals = interval_decimals(low, high)
    one_side = (low < 1) == (high < 1) and 1 not in (low, high)
    if not one_side:
        ends = (change(end, direction, decimals) for end in (low, high))
        return direction.phrases.between.format(**dict(zip(("low", "high"), ends, strict=True)))
    small, large = (high, low) if high < 1 else (low, high)
    both = direction.phrases.between.format(
        **dict(zip(("low", "high"), _ends(small, large, direction, decimals), strict=True))
    )
    return direction.phrases.changed.format(amount=both, word=_word(small, direction)) if word else both


def _ends(small: float, large: float, direction: Direction, decimals: int | None) -> tuple[str, str]:
    """Both ends of an interval that lies on one side, in one unit: factors where the larger change reads as one."""
    near, far = _factor(small), _factor(large)
    if _in_factors(small, large, direction):
        places = _places(near, far)
        last = _magnitude(large, direction, decimals)
        return f"{near:.{places}f}", direction.phrases.times.format(factor=f"{far:.{places}f}") if far < _MOST else last
    first, last = _magnitude(small, direction, decimals), _magnitude(large, direction, decimals)
    same = first.partition(SPACE)[2] == last.partition(SPACE)[2]
    return first.partition(SPACE)[0] if same else first, last


def _in_factors(low: float, high: float, direction: Direction) -> bool:
    """Whether an interval is told in factors: it lies on one side, and its larger change reads as one."""
    one_side = (low < 1) == (high < 1) and 1 not in (low, high)
    return direction.factors and one_side and _TWICE <= max(_factor(low), _factor(high)) < math.inf


def _places(near: float, far: float) -> int:
    """Decimals by which two factors are told from each other, and the nearer from 1."""
    return next((p for p in range(1, _PLACES) if 1 < round(near, p) < round(far, p)), _PLACES)


def interval_decimals(low: float | None, high: float | None) -> int | None:
    """Decimals of a percentage that an interval of ratios deserves: one, or two significant digits of its width."""
    if low is None or high is None or low == high:
        return None
    width = abs(high - low) * 100
    return 1 if width >= 0.2 else min(6, 1 - math.floor(math.log10(width)))  # noqa: PLR2004  # two digits of 0.2 are 0.20


def _word(ratio: float, direction: Direction) -> str:
    return direction.below if ratio < 1 else direction.above


def _magnitude(ratio: float, direction: Direction, decimals: int | None) -> str:
    factor = _factor(ratio)
    if _MOST <= factor < math.inf and (direction.factors or ratio > 1):
        return direction.phrases.over.format(amount=direction.phrases.times.format(factor=f"{_MOST:,}"))
    if direction.factors and _TWICE <= factor < math.inf:
        return direction.phrases.times.format(factor=f"{factor:.1f}")
    return percent(abs(ratio - 1), decimals)


def _factor(ratio: float) -> float:
    return max(ratio, 1 / ratio) if ratio > 0 else math.inf


def _percent_digits(value: float, decimals: int | None) -> str:
    places = _decimals(abs(value)) if decimals is None else decimals
    return f"{MINUS if value < 0 else ''}{abs(value):.{places}f}"


def _decimals(value: float) -> int:
    if value == 0 or value >= 0.1:  # noqa: PLR2004  # one decimal shows it
        return 1
    return min(9, -math.floor(math.log10(value)))


_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(B|[KMGT]i?B)?\s*", re.IGNORECASE | re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_bytes(text: str) -> int:
    """Bytes of "1GiB", "512 MiB", "4GB" (powers of 1000 without the i) or "4096". Raises UsageError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        message = f"found {text!r}; a size is written 512MiB, 4GiB, 4GB or as a plain number of bytes"
        raise UsageError(message)
    number, unit = match.group(1), (match.group(2) or "B").lower()
    base = 1024 if "i" in unit else 1000
    power: int = _POWERS[unit.removesuffix("b").removesuffix("i")]
    return int(float(number) * base**power)
