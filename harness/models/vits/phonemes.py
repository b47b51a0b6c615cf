"""English text to phonemes as eSpeak writes them, by gruut and its own dictionary, and phonemes to a voice's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from harness.errors import UsageError
from harness.models.vits.voice import REMEDY

PAD, START, END = "_", "^", "$"
"""Symbols that a voice expects around and between the phonemes of a sentence."""
_BREAKS = {"|": ",", "\u2016": "."}
"""How gruut writes the end of a phrase and of a sentence -> what a voice takes where the text has no sign that it knows."""


def check_installed() -> None:
    """Raises UsageError where gruut is not installed."""
    if find_spec("gruut") is None:
        message = f"text needs the package gruut, which is not installed here; {REMEDY}"
        raise UsageError(message)


class English:
    """Text -> the phonemes of each sentence. The dictionary is read when the first text is."""

    def __init__(self, ids: Mapping[str, Sequence[int]]) -> None:
        self._known = frozenset(ids)

    def __call__(self, text: str) -> list[str]:
        """The phonemes of each sentence of `text`, numbers and dates spoken out; sentences without any are left out."""
        from gruut import sentences

        spoken = (self._sentence(words) for words in sentences(" ".join(text.split()), lang="en-us", espeak=True))
        return [sentence for sentence in spoken if sentence.strip(",.;:!? ")]

    def _sentence(self, words: Any) -> str:
        return "".join(self._word(word) for word in words).strip()

    def _word(self, word: Any) -> str:
        """A word with the space before it, or the sign of a break; "" for what is not spoken."""
        phonemes = "".join(word.phonemes or ())
        if phonemes in _BREAKS:
            return word.text if word.text in self._known else _BREAKS[phonemes]
        return f" {phonemes}" if phonemes else ""


def numbers(phonemes: str, ids: Mapping[str, Sequence[int]]) -> list[int]:
    """The numbers of a sentence: start, then each phoneme with a pad before and after it, then end.

    Raises UsageError for a phoneme that the voice does not have.
    """
    found = [*ids[START], *ids[PAD]]
    for phoneme in phonemes:
        if phoneme not in ids:
            message = f"the voice has no number for the phoneme {phoneme!r} (U+{ord(phoneme):04X})"
            raise UsageError(message)
        found += [*ids[phoneme], *ids[PAD]]
    return [*found, *ids[END]]
