"""Texts that are named after the length of their audio have it, by the front end and the lengths of size `full`."""

from __future__ import annotations

import pytest

from harness.models.cosyvoice2.config import FULL
from harness.models.cosyvoice2.text import PATTERNS, TextFrontEnd
from harness.models.cosyvoice2.tokenizer import TextTokenizer, trained
from harness.optimizations.precompiled_regex import PatternsByText
from harness.scenario.texts import LANGUAGES, TEXTS

TOKENS_HZ = 25
TOLERANCE = 0.25


def audio_s(text: str) -> float:
    """Seconds of audio that `text` makes with random weights: each segment's length is forced."""
    tokenizer = TextTokenizer(trained())
    front_end = TextFrontEnd(PatternsByText(PATTERNS), FULL.text, lambda part: len(tokenizer.encode(part)))
    forced = [
        max(1, round(len(tokenizer.encode(segment)) * FULL.llm.tokens_per_text_token))
        for segment in front_end.segments(text)
    ]
    return sum(forced) / TOKENS_HZ


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("wanted_s", [3, 10, 30])
def test_a_text_makes_about_as_much_audio_as_its_name_says(language: str, wanted_s: int) -> None:
    assert audio_s(TEXTS[f"{language}-{wanted_s}s"]) == pytest.approx(wanted_s, rel=TOLERANCE)
