"""How many words of an utterance are heard wrong: a text against what a speech recogniser made of its audio.

English alone. Both sides are put into one form first: lower case, numbers as words, no punctuation. Spellings are not
made alike, so that `harbour` against `harbor` counts as an error: write texts in one spelling.
"""

from __future__ import annotations

import re

from harness.models.cosyvoice2.numerals import en_number

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+")
_APOSTROPHES = re.compile(r"['\u2019]")


def comparable(text: str) -> bool:
    """Whether errors in the words of `text` can be counted: it is in Latin letters, and has some."""
    return bool(words_of(text)) and text.translate(_TYPOGRAPHY).isascii()


_TYPOGRAPHY = str.maketrans(dict.fromkeys("\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u00b0\u00a3\u20ac", " "))


def words_of(text: str) -> list[str]:
    """The words of an English text in a form that can be compared: `It's 12, O'Clock!` -> its twelve oclock."""
    spoken = _NUMBER.sub(lambda number: f" {en_number(number[0].rstrip(','))} ", text.lower())
    return _WORD.findall(_APOSTROPHES.sub("", spoken))


def error_rate(text: str, heard: str) -> float:
    """Words that are wrong, missing or too many in `heard`, over the words of `text`; may be above 1.

    The fewest of them that turn one into the other (Levenshtein's distance over words). `text` has at least one word.
    """
    wanted, found = words_of(text), words_of(heard)
    row = list(range(len(found) + 1))
    for place, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], place
        for column, other in enumerate(found, start=1):
            replaced = diagonal + (word != other)
            diagonal = row[column]
            row[column] = min(replaced, row[column] + 1, row[column - 1] + 1)
    return row[-1] / len(wanted)
