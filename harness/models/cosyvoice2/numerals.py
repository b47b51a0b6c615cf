"""Numbers as words, in Mandarin and in English.

All functions take digits as text (`"1,234.50"`), so that leading and trailing zeros keep their meaning.
"""

from __future__ import annotations

_ZH_DIGITS = "零一二三四五六七八九"
_ZH_PLACES = ("", "十", "百", "千")
_ZH_GROUPS = ("", "万", "亿", "万亿")
_EN_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_EN_GROUPS = ("", " thousand", " million", " billion", " trillion")
_EN_IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_LONGEST_QUANTITY = 10
_HUNDRED, _THOUSAND, _TEN_THOUSAND = 100, 1000, 10_000
_TEENS_END, _ONE_DIGIT_END = 20, 10


def zh_digits(digits: str) -> str:
    """Each digit by itself, as in years and telephone numbers: 2026 -> 二零二六."""
    return "".join(_ZH_DIGITS[int(digit)] for digit in digits)


def zh_number(number: str) -> str:
    """An integer or decimal with optional thousands commas: 1,234.50 -> 一千二百三十四点五零."""
    whole, point, fraction = number.partition(".")
    return zh_integer(whole) + (f"点{zh_digits(fraction)}" if point else "")


def zh_integer(digits: str) -> str:
    """A whole number; digit by digit where it starts with a zero or is too long to be a quantity."""
    if _is_a_code(digits):
        return zh_digits(digits)
    value = int(digits.replace(",", ""))
    if value == 0:
        return _ZH_DIGITS[0]
    words, scale = "", 0
    while value:
        value, group = divmod(value, _TEN_THOUSAND)
        gap = _ZH_DIGITS[0] if 0 < group < _THOUSAND and value else ""
        if group:
            unit = _ZH_GROUPS[scale]
            words = gap + ("两" if group == 2 and unit else _zh_group(group)) + unit + words  # noqa: PLR2004 - the digit 2
        elif words and not words.startswith(_ZH_DIGITS[0]):
            words = _ZH_DIGITS[0] + words
        scale += 1
    return words.removeprefix("一") if words.startswith("一十") else words


def _zh_group(group: int) -> str:
    """Up to four digits: zeros between two others are read once, those at the end not at all."""
    words = ""
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if digit:
            spoken = "两" if digit == 2 and place == 3 else _ZH_DIGITS[digit]  # noqa: PLR2004 - 两千, but 二百
            words += spoken + _ZH_PLACES[place]
        elif words and group % 10**place and not words.endswith(_ZH_DIGITS[0]):
            words += _ZH_DIGITS[0]
    return words


def en_digits(digits: str) -> str:
    """Each digit by itself: 404 -> four zero four."""
    return " ".join(_EN_SMALL[int(digit)] for digit in digits)


def en_number(number: str) -> str:
    """An integer or decimal with optional thousands commas: 1,234.5 -> one thousand two hundred thirty-four point five."""
    whole, point, fraction = number.partition(".")
    return en_integer(whole) + (f" point {en_digits(fraction)}" if point else "")


def en_integer(digits: str) -> str:
    """A whole number; digit by digit where it starts with a zero or is too long to be a quantity."""
    if _is_a_code(digits):
        return en_digits(digits)
    value = int(digits.replace(",", ""))
    if value == 0:
        return _EN_SMALL[0]
    parts: list[str] = []
    scale = 0
    while value:
        value, group = divmod(value, _THOUSAND)
        if group:
            parts.insert(0, _en_group(group) + _EN_GROUPS[scale])
        scale += 1
    return " ".join(parts)


def _en_group(group: int) -> str:
    hundreds, rest = divmod(group, _HUNDRED)
    words = [f"{_EN_SMALL[hundreds]} hundred"] if hundreds else []
    if rest:
        words.append(_en_below_hundred(rest))
    return " ".join(words)


def _en_below_hundred(value: int) -> str:
    if value < _TEENS_END:
        return _EN_SMALL[value]
    tens, ones = divmod(value, 10)
    return _EN_TENS[tens] + (f"-{_EN_SMALL[ones]}" if ones else "")


def en_ordinal(digits: str) -> str:
    """The rank: 24 -> twenty-fourth."""
    words = en_integer(digits)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _EN_IRREGULAR_ORDINALS:
        return head + _EN_IRREGULAR_ORDINALS[last]
    return head + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def en_year(digits: str) -> str:
    """A year of four digits, in pairs: 2026 -> twenty twenty-six, 1905 -> nineteen oh five, 2005 -> two thousand five."""
    century, rest = int(digits[:2]), int(digits[2:])
    if century % 10 == 0 and rest < _ONE_DIGIT_END:
        return en_integer(digits)
    if rest == 0:
        return f"{_en_below_hundred(century)} hundred"
    tail = f"oh {_EN_SMALL[rest]}" if rest < _ONE_DIGIT_END else _en_below_hundred(rest)
    return f"{_en_below_hundred(century)} {tail}"


def _is_a_code(digits: str) -> bool:
    """Whether these are digits of a telephone number and the like: thousands commas say that they are not."""
    return "," not in digits and (len(digits) > _LONGEST_QUANTITY or (len(digits) > 1 and digits.startswith("0")))
