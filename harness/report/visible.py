"""Text of a run file on one line of visible characters: it cannot steer a terminal, turn text round, or break XML."""

from __future__ import annotations

import re
import unicodedata

_NO_TEXT = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Categories of characters that a name has no use for: they control a terminal, turn text round, or are not allowed in XML."""


def visible(text: str) -> str:
    """`text` with a space for whatever is not seen, and never two spaces in a row."""
    seen = "".join(" " if unicodedata.category(letter) in _NO_TEXT else letter for letter in text)
    return re.sub(" +", " ", seen).strip()
