from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.cosyvoice2.config import SIZES
from harness.models.cosyvoice2.tokenizer import QWEN_SPECIALS, SPEECH_SPECIALS, TEXTS, TextTokenizer, train, trained

SPECIALS = (*QWEN_SPECIALS, *SPEECH_SPECIALS)


@given(st.text().filter(lambda text: not any(name in text for name in SPECIALS)))
def test_any_text_survives_encoding_in_its_composed_form(text: str) -> None:
    tokenizer = TextTokenizer(trained())
    assert tokenizer.decode(tokenizer.encode(text)) == unicodedata.normalize("NFC", text)


def test_special_tokens_are_one_token_each_and_follow_the_vocabulary() -> None:
    tokenizer = TextTokenizer(trained())
    first = trained().get_vocab_size(with_added_tokens=False)
    assert tokenizer.encode("".join(SPECIALS)) == list(range(first, first + len(SPECIALS)))


@pytest.mark.parametrize("size", SIZES)
def test_every_model_embeds_every_token(size: str) -> None:
    assert trained().get_vocab_size() < SIZES[size].llm.text_vocab


def test_the_shipped_file_is_what_training_on_the_shipped_texts_gives() -> None:
    assert train(TEXTS.read_text(encoding="utf-8").splitlines()).to_str() == trained().to_str()


def test_familiar_text_takes_fewer_tokens_than_bytes() -> None:
    text = "今天的天气很好，我们一起去公园散步吧。"
    assert len(TextTokenizer(trained()).encode(text)) < len(text.encode()) / 2
