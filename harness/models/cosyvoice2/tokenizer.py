"""Text tokens: a small byte-level BPE of this project's own, shipped as `tokenizer.json` and read without any hub.

It was made by `python -m harness.models.cosyvoice2.tokenizer`, from `tokenizer_texts.txt`, which was written for this
project: Mandarin, English, and numbers as `text` reads them out. Every byte is a token, so that any text can be
encoded; training draws nothing at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer as BpeTokenizer
from tokenizers import decoders, models, pre_tokenizers, trainers

TRAINED = Path(__file__).with_name("tokenizer.json")
TEXTS = Path(__file__).with_name("tokenizer_texts.txt")
VOCABULARY = 2048
"""Largest number of tokens; the smallest model embeds 4096 ids."""

_LONGEST_TOKEN_BYTES = 9


def train(texts: Sequence[str]) -> BpeTokenizer:
    """The tokenizer that `texts`, one sentence each, give. The same texts give the same tokenizer."""
    tokenizer = BpeTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_LONGEST_TOKEN_BYTES,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def trained() -> BpeTokenizer:
    """The tokenizer that is shipped."""
    return BpeTokenizer.from_file(str(TRAINED))


class TextTokenizer:
    """What the front end sees of a tokenizer: `encode` and `decode`, between text and token ids."""

    def __init__(self, bpe: BpeTokenizer) -> None:
        self._bpe = bpe

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, in order; one or more a character outside the vocabulary."""
        return list(self._bpe.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text that `ids` stand for."""
        return str(self._bpe.decode(list(ids)))


if __name__ == "__main__":
    train(TEXTS.read_text(encoding="utf-8").splitlines()).save(str(TRAINED), pretty=False)
