"""Durations, percentages and sizes as a scenario writes them, and the pydantic types that carry them.

`90s`, `2m`, `1m30s`, `500ms` and plain seconds become seconds; `1%` becomes 0.01; `4GiB` becomes bytes. Each is written
back so that reading it again gives the same number.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from harness.errors import UsageError
from harness.scenario.problems import refuse
from harness.scenario.source import found
from harness.units import parse_bytes

DURATION_PATTERN = r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s|\d+(\.\d+)?ms)?$"
PERCENT_PATTERN = r"^\d+(\.\d+)?\s*%$"
MAX_DURATION_S = 7 * 24 * 3600.0
LONGEST = 60
"""Characters of a duration or percentage: more would only cost time to read."""

_PARTS = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)(s|ms))?", re.ASCII)
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*%", re.ASCII)


def duration_s(value: Any) -> float:
    """Seconds of `90s`, `2m`, `1m30s`, `500ms` or a plain number. Refuses zero, negative times and more than a week."""
    seconds = _seconds(value)
    if seconds is None:
        refuse(f"found {found(value)}; a duration is written 90s, 2m, 1m30s, 500ms, or as plain seconds")
    if not 0 < seconds <= MAX_DURATION_S:
        refuse(f"found {found(value)}; a duration is more than zero and at most a week")
    return seconds


def _seconds(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _PARTS.fullmatch(value) if isinstance(value, str) and len(value) <= LONGEST else None
    if not match or not value:
        return None
    hours, minutes, amount, unit = match.groups()
    scale = Decimal("0.001") if unit == "ms" else Decimal(1)
    return float(int(hours or 0) * 3600 + int(minutes or 0) * 60 + Decimal(amount or 0) * scale)


def fraction(value: Any) -> float:
    """0.01 of `1%`. Refuses numbers without the sign, whose unit would be a guess, and 100 % or more."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) <= LONGEST else None
    if not match:
        refuse(f"found {found(value)}; a percentage is written with its sign, such as 1% or 0.5%")
    share = float(Decimal(match.group(1)) / 100)
    if share >= 1:
        refuse(f"found {found(value)}; a percentage here is below 100%")
    return share


def positive_fraction(value: Any) -> float:
    """As `fraction`, and refuses 0%."""
    share = fraction(value)
    if share == 0:
        refuse(f"found {found(value)}; a margin is more than 0%")
    return share


def say_duration(seconds: float) -> str:
    """`120s`: read back by `duration_s` as the same number."""
    return f"{_plain(Decimal(repr(seconds)))}s"


def say_percent(share: float) -> str:
    """`1%`: read back by `fraction` as the same number."""
    return f"{_plain(Decimal(repr(share)) * 100)}%"


def size_bytes(value: Any) -> int:
    """Bytes of `4GiB`, `500MB` or a plain number of bytes. Refuses zero and what has no unit."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    try:
        size = parse_bytes(value) if isinstance(value, str) and len(value) <= LONGEST else 0
    except UsageError:
        size = 0
    if size <= 0:
        refuse(f"found {found(value)}; a size is written 4GiB, 500MB, or as a number of bytes")
    return size


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": DURATION_PATTERN, "minLength": 2, "examples": ["90s", "2m", "1m30s", "500ms"]},
        {"type": "number", "exclusiveMinimum": 0},
    ]
}
_PERCENT_SCHEMA = {"type": "string", "pattern": PERCENT_PATTERN, "examples": ["1%", "0.5%"]}

Seconds = Annotated[
    float, BeforeValidator(duration_s), PlainSerializer(say_duration, return_type=str), WithJsonSchema(_DURATION_SCHEMA)
]
"""A duration in seconds."""

Bytes = Annotated[
    int,
    BeforeValidator(size_bytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)? ?[KMGT]i?B$", "examples": ["4GiB", "500MB"]},
                {"type": "integer", "exclusiveMinimum": 0},
            ]
        }
    ),
]
"""A size in bytes."""

Fraction = Annotated[
    float, BeforeValidator(fraction), PlainSerializer(say_percent, return_type=str), WithJsonSchema(_PERCENT_SCHEMA)
]
"""A percentage as a fraction, 0 included."""

Margin = Annotated[
    float,
    BeforeValidator(positive_fraction),
    PlainSerializer(say_percent, return_type=str),
    WithJsonSchema(_PERCENT_SCHEMA),
]
"""A percentage as a fraction, 0 excluded."""
