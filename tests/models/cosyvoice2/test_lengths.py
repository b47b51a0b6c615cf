"""Texts that are named after the length of their audio have it, by the front end and the lengths of size `full`."""

from __future__ import annotations

import pytest

from harness.models.cosyvoice2.config import FULL
from harness.models.cosyvoice2.text import PATTERNS, TextFrontEnd
from harness.models.cosyvoice2.tokenizer import TextTokenizer, trained
from harness.optimizations.precompiled_regex import PatternByText
from harness.scenario.texts import LANGUAGES, TEXTS

BY_TEXT = {name: PatternByText(source) for name, source in PATTERNS.items()}
TOKENS_HZ = 25
TOLERANCE = 0.25


def segments(text: str) -> list[int]:
    """Text tokens of each segment."""
    tokenizer = TextTokenizer(trained())
    front_end = TextFrontEnd(BY_TEXT, FULL.text, lambda part: len(tokenizer.encode(part)))
    return [len(tokenizer.encode(segment)) for segment in front_end.segments(text)]


def audio_s(text: str) -> float:
    """Seconds of audio that `text` makes with random weights: each segment's length is forced."""
    per_token = FULL.llm.tokens_per_text_token
    assert per_token is not None
    forced = [max(1, round(tokens * per_token)) for tokens in segments(text)]
    return sum(forced) / TOKENS_HZ


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("wanted_s", [3, 10, 30])
def test_a_text_makes_about_as_much_audio_as_its_name_says(language: str, wanted_s: int) -> None:
    assert audio_s(TEXTS[f"{language}-{wanted_s}s"]) == pytest.approx(wanted_s, rel=TOLERANCE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_the_longest_of_them_has_more_than_one_segment(language: str) -> None:
    """On which the comments of the scenarios full-offline, full-long and full-six rest."""
    assert len(segments(TEXTS[f"{language}-3s"])) == len(segments(TEXTS[f"{language}-10s"])) == 1
    assert len(segments(TEXTS[f"{language}-30s"])) > 1
