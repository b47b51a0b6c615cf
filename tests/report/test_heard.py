"""What was heard, in words: both sides of each request, and the worst of several."""

from __future__ import annotations

from dataclasses import replace

from harness.report import heard
from harness.results import Equivalence

ROW = Equivalence(
    device="cpu", arm="all", request="en", grade="bitwise", bound=0.0, accepted=True, required="bitwise", tokens_equal=True,
    tokens=75, hit_cap=False,
)  # fmt: skip
GOOD = replace(ROW, words_before=0.0, words_after=0.0, quality_before=3.0, quality_after=3.0, voice=1.0)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def test_nothing_is_said_where_nobody_listened() -> None:
    assert (heard.told(ROW), heard.worst([ROW, ROW]), heard.worst([])) == ("", "", "")


def test_of_several_requests_each_figure_is_the_worst_of_its_own() -> None:
    words = replace(GOOD, words_after=0.25)
    quality = replace(GOOD, quality_before=3.5, quality_after=2.996)
    voice = replace(GOOD, quality_before=None, quality_after=None, voice=0.8)
    assert plain(heard.worst([ROW, words, GOOD, quality, voice])) == (
        "words wrong 0.0 % → 25.0 %; quality 3.50 → 3.00 of 5; voice 0.80 alike"
    )


def test_where_nothing_was_lost_the_request_that_is_understood_least_is_shown() -> None:
    poor = replace(GOOD, words_before=0.1, words_after=0.1, quality_before=2.0, quality_after=2.0)
    assert plain(heard.worst([GOOD, poor])) == "words wrong 10.0 % → 10.0 %; quality 2.00 → 2.00 of 5; voice 1.00 alike"
