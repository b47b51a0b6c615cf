"""What was heard in outputs: words that are wrong, estimated quality, and how alike the voices are."""

from __future__ import annotations

from collections.abc import Sequence

from harness import units
from harness.report.words import say
from harness.results import Equivalence


def told(row: Equivalence) -> str:
    """What was heard in both sides of `row`; "" where nobody listened."""
    return "; ".join(part for part in (_words(row), _quality(row), _voice(row)) if part)


def worst(rows: Sequence[Equivalence]) -> str:
    """Of several requests the most words lost, the most quality lost, and the least likeness; "" where nobody listened."""
    words = max(rows, key=_words_lost, default=None)
    quality = max(rows, key=_quality_lost, default=None)
    voice = min(rows, key=lambda row: 2.0 if row.voice is None else row.voice, default=None)
    parts = (words and _words(words), quality and _quality(quality), voice and _voice(voice))
    return "; ".join(part for part in parts if part)


def _words(row: Equivalence) -> str:
    if row.words_before is None or row.words_after is None:
        return ""
    return say("words wrong {before} \u2192 {after}", before=units.percent(row.words_before),
               after=units.percent(row.words_after))  # fmt: skip


def _quality(row: Equivalence) -> str:
    if row.quality_before is None or row.quality_after is None:
        return ""
    return say("quality {before} \u2192 {after} of 5", before=units.score(row.quality_before),
               after=units.score(row.quality_after))  # fmt: skip


def _voice(row: Equivalence) -> str:
    return "" if row.voice is None else say("voice {likeness} alike", likeness=units.score(row.voice))


def _words_lost(row: Equivalence) -> tuple[bool, float, float]:
    """How many words an output has lost, and where none has lost more than another, how many are wrong."""
    if row.words_before is None or row.words_after is None:
        return False, 0.0, 0.0
    return True, row.words_after - row.words_before, row.words_after


def _quality_lost(row: Equivalence) -> tuple[bool, float, float]:
    """How much worse an output sounds, and where none sounds worse than another, how bad it is."""
    if row.quality_before is None or row.quality_after is None:
        return False, 0.0, 0.0
    return True, row.quality_before - row.quality_after, -row.quality_after
