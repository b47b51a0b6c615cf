from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.cosyvoice2 import readings
from harness.models.cosyvoice2.config import FULL, NANO, TextConfig
from harness.models.cosyvoice2.text import PATTERNS, TextFrontEnd
from harness.optimizations import BindContext
from harness.optimizations.precompiled_regex import SEED_PATTERNS, PatternByText, precompiled_regex
from harness.optimizations.sites import Pattern

BY_TEXT = {name: PatternByText(source) for name, source in PATTERNS.items()}


def words(text: str) -> int:
    return len(text.split())


def front_end(config: TextConfig = NANO.text) -> TextFrontEnd:
    return TextFrontEnd(BY_TEXT, config, words)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("共￥1,234.50。", "共一千二百三十四元五角。"),
        ("共￥3.05。", "共三元零五分。"),
        ("只要¥0.50！", "只要五角！"),
        ("要$2,999。", "要两千九百九十九美元。"),
        ("收入$3.5亿。", "收入三点五亿美元。"),
        ("日期2026-11-24。", "日期二零二六年十一月二十四日。"),
        ("2026年11月24日出发。", "二零二六年十一月二十四日出发。"),
        ("2026/01/05到期。", "二零二六年一月五日到期。"),
        ("09月01号开学。", "九月一号开学。"),
        ("2019年来的。", "二零一九年来的。"),
        ("下午3:05开会，18:00结束。", "下午三点零五分开会，十八点结束。"),
        ("上涨12.5%。", "上涨百分之十二点五。"),
        ("等10-20天。", "等十到二十天。"),
        ("有2个人，共1,000次。", "有两个人，共一千次。"),
        ("气温-3.5℃。", "气温负三点五摄氏度。"),
        ("面积50m²。", "面积五十m平方。"),
        ("版本3.11.2。", "版本三点十一点二。"),
        ("打电话13800138000。", "打电话一三八零零一三八零零零。"),
    ],
)
def test_chinese_texts_are_read_out_in_chinese_words(written: str, read: str) -> None:
    assert front_end().normalise(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("It costs $2,999.", "It costs two thousand nine hundred ninety-nine dollars."),
        ("Pay ￥1,234.50 now.", "Pay one thousand two hundred thirty-four yuan and fifty fen now."),
        ("Only $1.01!", "Only one dollar and one cent!"),
        ("It made $2.5 billion last year.", "It made two point five billion dollars last year."),
        ("On 2026-11-24 it ended.", "On November twenty-fourth, twenty twenty-six it ended."),
        ("On November 24, 2026.", "On November twenty-fourth, twenty twenty-six."),
        ("Since 2019 it grew.", "Since twenty nineteen it grew."),
        ("It fell by 3.5%.", "It fell by three point five percent."),
        ("The 22nd of 31.", "The twenty-second of thirty-one."),
        ("At 8:05 pm or 8:00.", "At eight oh five pm or eight o'clock."),
        ("Wait 10-20 days & rest.", "Wait ten to twenty days and rest."),
        ("It was -5 outside.", "It was minus five outside."),
    ],
)
def test_english_texts_are_read_out_in_english_words(written: str, read: str) -> None:
    assert front_end().normalise(written) == read


def test_numbers_in_a_mixed_text_are_read_in_chinese_and_latin_words_stay() -> None:
    read = front_end().normalise("我们用 CosyVoice 在 3 台 GPU server 上测试.")
    assert read == "我们用CosyVoice在三台GPU server上测试。"


def test_brackets_dashes_and_line_breaks_are_not_spoken() -> None:
    assert front_end().normalise("好（很好）——\n真的，") == "好很好，真的。"


def test_a_text_with_special_tokens_is_left_as_it_is() -> None:
    assert front_end().normalise("<|en|> 3 words") == "<|en|> 3 words"


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("今天天气很好。我们去公园吧！你来吗？", ["今天天气很好。", "我们去公园吧！", "你来吗？"]),
        ("他说：“现在就走吧。”然后离开了。", ["他说：“现在就走吧。”", "然后离开了。"]),
        (
            "The weather is lovely today, is it not? We should go to the park. I will take 3.5 friends along.",
            [
                "The weather is lovely today, is it not?",
                "We should go to the park.",
                "I will take three point five friends along.",
            ],
        ),
    ],
)
def test_a_text_of_two_or_three_sentences_gives_as_many_segments(text: str, segments: list[str]) -> None:
    assert front_end().segments(text) == segments


def test_the_full_model_joins_short_sentences_into_one_segment() -> None:
    assert front_end(FULL.text).segments("今天天气很好。我们去公园吧！") == ["今天天气很好。我们去公园吧！"]


def test_a_last_segment_that_is_too_short_joins_the_one_before() -> None:
    assert front_end().segments("今天天气非常好。是。") == ["今天天气非常好。是。"]


def test_punctuation_alone_is_no_segment() -> None:
    assert front_end().segments("……！？") == []


def test_an_overlong_sentence_breaks_at_its_commas() -> None:
    segments = front_end().segments("，".join(["这是一个很长的句子的一部分"] * 9) + "。")
    assert len(segments) > 1
    assert all(segment.endswith(("，", "。")) for segment in segments)


@given(st.text(alphabet="天地人好abc 12.,，。！?-￥$%:年月日\n", max_size=300))
def test_no_segment_is_much_longer_than_the_limit_and_no_digit_is_left(text: str) -> None:
    segments = front_end().segments(text)
    assert not any(re.search(r"\d", segment) for segment in segments)
    limit = NANO.text.longest + NANO.text.target + NANO.text.merge_below
    assert all(min(len(segment), words(segment)) <= limit for segment in segments)


def test_all_matching_goes_through_the_site() -> None:
    asked: set[str] = set()

    class Spy(dict[str, Pattern]):
        def __getitem__(self, name: str) -> Pattern:
            asked.add(name)
            return super().__getitem__(name)

    spied = TextFrontEnd(Spy(BY_TEXT), NANO.text, words)
    spied.segments("很长的一句话，" * 20)
    spied.segments("Some words, " * 80)
    assert asked == set(PATTERNS)


@pytest.mark.parametrize("table", [readings.ZH, readings.EN])
def test_every_reading_belongs_to_a_pattern(table: Mapping[str, Callable[[re.Match[str]], str] | str]) -> None:
    assert set(table) <= set(PATTERNS)


@pytest.mark.parametrize("patterns", ["seed", "all"])
def test_compiled_patterns_read_and_split_as_patterns_by_text_do(bind_context: BindContext, patterns: str) -> None:
    text = "总价￥1,234.50，比$2,999便宜。2026-11-24，上涨12.5%！"
    compiled = TextFrontEnd(precompiled_regex(bind_context, patterns=patterns)(PATTERNS), NANO.text, words)
    assert compiled.segments(text) == front_end().segments(text)


def test_a_pattern_that_is_compiled_is_used_directly_and_another_is_as_before(bind_context: BindContext) -> None:
    made = precompiled_regex(bind_context)(PATTERNS)
    assert {name for name, pattern in made.items() if isinstance(pattern, re.Pattern)} == set(SEED_PATTERNS)
    assert {type(made[name]) for name in set(PATTERNS) - set(SEED_PATTERNS)} == {PatternByText}


def test_the_patterns_that_the_seed_document_names_are_there() -> None:
    assert set(SEED_PATTERNS) <= set(PATTERNS)
