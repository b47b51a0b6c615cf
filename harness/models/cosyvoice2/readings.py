"""How money, dates, times and quantities are read out, one function per match of a pattern of `text.PATTERNS`.

Each takes the match and gives the words; `ZH` and `EN` list, in the order in which they apply, which pattern is read
by which function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from harness.models.cosyvoice2 import numerals

Reading = Callable[[re.Match[str]], str]

_ZH_CURRENCIES = {"$": "美元", "US$": "美元", "￥": "元", "¥": "元", "€": "欧元", "£": "英镑"}
_EN_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("dollar", "dollars", "cent", "cents"),
    "￥": ("yuan", "yuan", "fen", "fen"),
    "¥": ("yuan", "yuan", "fen", "fen"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
}
_EN_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_ZH_SIGNS = {"+": "加", "=": "等于", "&": "和", "℃": "摄氏度", "°C": "摄氏度", "²": "平方", "³": "立方", "@": "艾特"}
_EN_SIGNS = {
    "+": " plus ", "=": " equals ", "&": " and ", "℃": " degrees Celsius", "°C": " degrees Celsius", "²": " squared",
    "³": " cubed", "@": " at ",
}  # fmt: skip


def zh_money(match: re.Match[str]) -> str:
    """￥1,234.50 -> 一千二百三十四元五角, $2,999 -> 两千九百九十九美元, $3.5亿 -> 三点五亿美元."""
    symbol, amount, scale = match["symbol"], match["amount"], match["scale"] or ""
    unit = _ZH_CURRENCIES[symbol]
    whole, _, fraction = amount.partition(".")
    if unit != "元" or scale or len(fraction) > 2:  # noqa: PLR2004 - jiao and fen are the two places of a yuan
        return f"{numerals.zh_number(amount)}{scale}{unit}"
    jiao, fen = tuple(fraction.ljust(2, "0"))
    parts = [f"{numerals.zh_number(whole)}{unit}"] if int(whole.replace(",", "")) or fraction in {"", "0", "00"} else []
    if jiao != "0":
        parts.append(f"{numerals.zh_digits(jiao)}角")
    elif fen != "0" and parts:
        parts.append("零")
    if fen != "0":
        parts.append(f"{numerals.zh_digits(fen)}分")
    return "".join(parts)


def zh_date(match: re.Match[str]) -> str:
    """2026-11-24 -> 二零二六年十一月二十四日."""
    year, month, day = match["year"], str(int(match["month"])), str(int(match["day"]))
    return f"{numerals.zh_digits(year)}年{numerals.zh_integer(month)}月{numerals.zh_integer(day)}日"


def zh_month_day(match: re.Match[str]) -> str:
    """11月24日 -> 十一月二十四日, with the zero of 09月 left out."""
    month, day, unit = str(int(match["month"])), str(int(match["day"])), match["unit"]
    return f"{numerals.zh_integer(month)}月{numerals.zh_integer(day)}{unit}"


def zh_time(match: re.Match[str]) -> str:
    """8:05 -> 八点零五分, 18:00 -> 十八点."""
    hour, minute, second = str(int(match["hour"])), match["minute"], match["second"]
    words = "两点" if hour == "2" else f"{numerals.zh_integer(hour)}点"
    if int(minute) or second:
        words += f"{_zh_two_places(minute)}分"
    return words + (f"{_zh_two_places(second)}秒" if second else "")


def _zh_two_places(digits: str) -> str:
    return numerals.zh_integer(digits) if digits[0] != "0" or digits == "00" else numerals.zh_digits(digits)


def zh_percent(match: re.Match[str]) -> str:
    """3.5% -> 百分之三点五."""
    return f"百分之{numerals.zh_number(match['amount'])}"


def zh_year(match: re.Match[str]) -> str:
    """2026年 -> 二零二六年."""
    return f"{numerals.zh_digits(match['year'])}年"


def zh_counted_two(_: re.Match[str]) -> str:
    """2个 -> 两个: before a measure word the number two has a word of its own."""
    return "两"


def zh_dotted(match: re.Match[str]) -> str:
    """3.11.2, as of a version or an address -> 三点十一点二."""
    return "点".join(numerals.zh_integer(part) for part in match[0].split("."))


def zh_quantity(match: re.Match[str]) -> str:
    """-3.5 -> 负三点五, 1,000 -> 一千."""
    return ("负" if match["sign"] else "") + numerals.zh_number(match["amount"])


def zh_sign(match: re.Match[str]) -> str:
    """A sign between or behind words: ℃ -> 摄氏度."""
    return _ZH_SIGNS[match[0]]


def en_money(match: re.Match[str]) -> str:
    """$2,999 -> two thousand nine hundred ninety-nine dollars, $3.50 -> three dollars and fifty cents."""
    one, many, cent, cents = _EN_CURRENCIES[match["symbol"]]
    amount, scale = match["amount"], match["scale"]
    whole, _, fraction = amount.replace(",", "").partition(".")
    if scale or len(fraction) > 2:  # noqa: PLR2004 - cents are the two places of a dollar
        return f"{numerals.en_number(amount)} {scale + ' ' if scale else ''}{many}"
    words = f"{numerals.en_integer(whole)} {one if int(whole) == 1 else many}"
    hundredths = int(fraction.ljust(2, "0")) if fraction else 0
    if not hundredths:
        return words
    return f"{words} and {numerals.en_integer(str(hundredths))} {cent if hundredths == 1 else cents}"


def en_date(match: re.Match[str]) -> str:
    """2026-11-24 -> November twenty-fourth, twenty twenty-six."""
    month, day = _EN_MONTHS[int(match["month"]) - 1], str(int(match["day"]))
    return f"{month} {numerals.en_ordinal(day)}, {numerals.en_year(match['year'])}"


def en_month_day(match: re.Match[str]) -> str:
    """November 24, 2026 -> November twenty-fourth, twenty twenty-six; the year may be absent."""
    words = f"{match['month']} {numerals.en_ordinal(str(int(match['day'])))}"
    return f"{words}, {numerals.en_year(match['year'])}" if match["year"] else words


def en_time(match: re.Match[str]) -> str:
    """8:30 -> eight thirty, 8:05 -> eight oh five, 8:00 -> eight o'clock."""
    hour, minute, second = str(int(match["hour"])), match["minute"], match["second"]
    if minute == "00" and not second:
        return numerals.en_integer(hour) + ("" if match["half"] else " o'clock") + (match["half"] or "")
    words = f"{numerals.en_integer(hour)} {_en_two_places(minute)}"
    words += f" and {numerals.en_integer(str(int(second)))} seconds" if second else ""
    return words + (match["half"] or "")


def _en_two_places(digits: str) -> str:
    return f"oh {numerals.en_integer(digits[1])}" if digits[0] == "0" else numerals.en_integer(digits)


def en_percent(match: re.Match[str]) -> str:
    """3.5% -> three point five percent."""
    return f"{numerals.en_number(match['amount'])} percent"


def en_year(match: re.Match[str]) -> str:
    """Of 2026 -> of twenty twenty-six: after such a word a bare number of four digits is a year."""
    return f"{match['before']} {numerals.en_year(match['year'])}"


def en_ordinal(match: re.Match[str]) -> str:
    """24th -> twenty-fourth."""
    return numerals.en_ordinal(match["digits"])


def en_dotted(match: re.Match[str]) -> str:
    """3.11.2, as of a version or an address -> three point eleven point two."""
    return " point ".join(numerals.en_integer(part) for part in match[0].split("."))


def en_quantity(match: re.Match[str]) -> str:
    """-3.5 -> minus three point five, 1,000 -> one thousand."""
    return ("minus " if match["sign"] else "") + numerals.en_number(match["amount"])


def en_sign(match: re.Match[str]) -> str:
    """A sign between or behind words: & -> and."""
    return _EN_SIGNS[match[0]]


ZH: Mapping[str, Reading | str] = {
    "money": zh_money, "date": zh_date, "month_day_zh": zh_month_day, "year_zh": zh_year, "time": zh_time,
    "range": r"\1到\2", "percent": zh_percent, "counted_two": zh_counted_two, "dotted": zh_dotted,
    "quantity": zh_quantity, "sign": zh_sign,
}  # fmt: skip
"""Pattern -> its reading in Mandarin, in the order of application."""

EN: Mapping[str, Reading | str] = {
    "money": en_money, "date": en_date, "month_day_en": en_month_day, "year_en": en_year, "time": en_time,
    "range": r"\1 to \2", "percent": en_percent, "ordinal": en_ordinal, "dotted": en_dotted,
    "quantity": en_quantity, "sign": en_sign,
}  # fmt: skip
"""Pattern -> its reading in English, in the order of application."""
