"""Text to segments: numbers, money and dates are read out as words, then the text is split where a speaker pauses.

Every regular expression stands in `PATTERNS` and is matched by name through the site `text.patterns`, because how they
are compiled is what a toggle changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.models.cosyvoice2 import readings
from harness.models.cosyvoice2.config import TextConfig
from harness.optimizations.sites import Pattern

_AMOUNT = r"(?P<amount>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"

PATTERNS: dict[str, str] = {
    # The two that the seed document names (frontend_utils.py:17; the splitting by punctuation of its TTS.py).
    "chinese_character": r"[\u4e00-\u9fff]+",
    "clause_boundary": r"""((?:[。！？；!?;…]|\.(?![0-9A-Za-z])|[：:](?!\d))+["”’」』]*)""",
    # Cleaning.
    "special_token": r"<\|[^|]*\|>",
    "line_break": r"\s*[\r\n]+\s*",
    "full_width_digit": r"[０-９]",
    "blank_run": r"[ \t\u3000]{2,}|[\t\u3000]",
    "blank_beside_wide": r"(?<![!-~]) | (?![!-~])",
    "bracket": r"[（）()【】\[\]《》〈〉{}`]",
    "dash": r"\s*(?:——|—|–)\s*|\s+-+\s+",
    "full_stop_wide": r"(?<=[^0-9A-Za-z\s])\.(?!\d)|\.(?![0-9A-Za-z])",
    "trailing_comma": r"[，,、\s]+$",
    "only_punctuation": r"^[\W_]*$",
    "pause": r"([，,、]+)",
    # Numbers, read by the functions in `readings`.
    "money": rf"(?P<symbol>US\$|[$￥¥€£])\s?{_AMOUNT}(?:\s?(?P<scale>万亿|[万亿]|(?:thousand|million|billion|trillion)\b))?",
    "date": r"(?<!\d)(?P<year>[12]\d{3})(?:(?P<mark>[-/.])|年)(?P<month>1[0-2]|0?[1-9])(?(mark)(?P=mark)|月)"
    r"(?P<day>3[01]|[12]\d|0?[1-9])(?(mark)(?!\d)|[日号])",
    "month_day_zh": r"(?<!\d)(?P<month>1[0-2]|0?[1-9])月(?P<day>3[01]|[12]\d|0?[1-9])(?P<unit>[日号])",
    "month_day_en": rf"\b(?P<month>{_MONTHS}) (?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?\b(?:, (?P<year>[12]\d{{3}})\b)?",
    "year_zh": r"(?<!\d)(?P<year>[12]\d{3})年",
    "year_en": r"\b(?P<before>[Ii]n|[Ss]ince|[Bb]y|[Uu]ntil|[Ff]rom|[Oo]f|[Yy]ear) (?P<year>1[1-9]\d\d|20\d\d)\b(?![.,]?\d)",
    "time": r"(?<![\d:])(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
    r"(?P<half>\s?[AaPp]\.?[Mm]\b\.?)?",
    "range": r"(\d%?)\s?[-~～–]\s?(\d)",
    "percent": rf"{_AMOUNT}\s?[%％]",
    "counted_two": r"(?<![\d.,])2(?=[个只位本张件条种次天家座台])",
    "ordinal": r"\b(?P<digits>\d+)(?:st|nd|rd|th)\b",
    "dotted": r"(?<![\d.])\d+(?:\.\d+){2,}",
    "quantity": rf"(?P<sign>(?<![0-9A-Za-z_)])[-−](?=\d))?{_AMOUNT}",
    "sign": r"°C|[+=&℃²³@]",
}
"""Name -> regular expression."""


@dataclass(frozen=True, slots=True)
class TextFrontEnd:
    """Normalises a text and splits it into segments that are spoken one by one.

    `patterns` is what the site `text.patterns` made of `PATTERNS`; `count_tokens` counts the tokens of a text, which is
    how the length of an English segment is measured (a Chinese one by its characters, as upstream).
    """

    patterns: Mapping[str, Pattern]
    config: TextConfig
    count_tokens: Callable[[str], int]

    def normalise(self, text: str) -> str:
        """`text` with everything written out in words. A text with special tokens, `<|...|>`, is left as it is."""
        text = text.strip()
        if not text or self.patterns["special_token"].search(text):
            return text
        text = self.patterns["full_width_digit"].sub(lambda match: str(int(match[0])), text)
        return self._normalise_chinese(text) if self._is_chinese(text) else self._normalise_english(text)

    def segments(self, text: str) -> list[str]:
        """The normalised text in segments, in order; none consists of punctuation alone.

        Sentences are joined up to `target` units, as upstream does; one longer than `longest` is broken at its commas,
        and where it has none, by length.
        """
        text = self.normalise(text)
        length = len if self._is_chinese(text) else self.count_tokens
        joined = self._join(self._sentences(text, length), length)
        return [segment.strip() for segment in joined if not self.patterns["only_punctuation"].search(segment)]

    def _is_chinese(self, text: str) -> bool:
        return bool(self.patterns["chinese_character"].search(text))

    def _normalise_chinese(self, text: str) -> str:
        patterns = self.patterns
        text = patterns["line_break"].sub("", text)
        for name, reading in readings.ZH.items():
            text = patterns[name].sub(reading, text)
        text = patterns["blank_run"].sub(" ", text)
        text = patterns["dash"].sub("，", text)
        text = patterns["bracket"].sub("", text)
        text = patterns["blank_beside_wide"].sub("", text)
        text = patterns["full_stop_wide"].sub("。", text)
        return patterns["trailing_comma"].sub("。", text)

    def _normalise_english(self, text: str) -> str:
        patterns = self.patterns
        text = patterns["line_break"].sub(" ", text)
        for name, reading in readings.EN.items():
            text = patterns[name].sub(reading, text)
        text = patterns["dash"].sub(", ", text)
        text = patterns["bracket"].sub("", text)
        text = patterns["blank_run"].sub(" ", text)
        return patterns["trailing_comma"].sub(".", text)

    def _sentences(self, text: str, length: Callable[[str], int]) -> Iterator[str]:
        for sentence in self._with_marks("clause_boundary", text):
            if length(sentence) <= self.config.longest:
                yield sentence
            else:
                yield from self._broken(sentence, length)

    def _broken(self, sentence: str, length: Callable[[str], int]) -> Iterator[str]:
        part = ""
        for phrase in self._with_marks("pause", sentence):
            for piece in self._by_length(phrase, length):
                if part and length(part + piece) > self.config.longest:
                    yield part
                    part = ""
                part += piece
        if part:
            yield part

    def _by_length(self, phrase: str, length: Callable[[str], int]) -> Iterator[str]:
        while length(phrase) > self.config.longest:
            proportion = max(1, len(phrase) * self.config.longest // length(phrase))
            blank = phrase.rfind(" ", 1, proportion)
            cut = blank + 1 if blank > 0 else proportion
            yield phrase[:cut]
            phrase = phrase[cut:]
        if phrase:
            yield phrase

    def _with_marks(self, pattern: str, text: str) -> Iterator[str]:
        """The parts of `text` that `pattern` separates, each with the mark that closes it."""
        parts = [*self.patterns[pattern].split(text), ""]
        for body, mark in zip(parts[::2], parts[1::2], strict=True):
            if body or mark:
                yield body + mark

    def _join(self, sentences: Iterator[str], length: Callable[[str], int]) -> list[str]:
        done: list[str] = []
        current = ""
        for sentence in sentences:
            if length(current + sentence) > self.config.target and length(current) > self.config.shortest:
                done.append(current)
                current = ""
            current += sentence
        if done and length(current) < self.config.merge_below:
            done[-1] += current
        elif current:
            done.append(current)
        return done
