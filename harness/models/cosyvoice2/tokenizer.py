"""Text tokens: byte-level BPE in Qwen2's layout, read without any hub and without transformers.

Text is brought to NFC and split as Qwen2 does. The special tokens that the public front end adds to Qwen2's (`[breath]`,
`<strong>` and so on) follow the vocabulary. `trained()` is a small vocabulary of this project's own, shipped as
`tokenizer.json`; `from_folder` reads the tokenizer folder of a model directory.

The shipped one was made by `python -m harness.models.cosyvoice2.tokenizer`, from `tokenizer_texts.txt`, which was written
for this project: Mandarin, English, and numbers as `text` reads them out. Every byte is a token, so that any text can be
encoded; training draws nothing at random.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as BpeTokenizer

from harness.errors import CheckpointError

TRAINED = Path(__file__).with_name("tokenizer.json")
TEXTS = Path(__file__).with_name("tokenizer_texts.txt")
VOCABULARY = 2048
"""Largest number of tokens; the smallest model embeds 4096 ids."""

QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Where Qwen2 splits a text before byte pairs are merged: no token crosses such a border."""

QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SPEECH_SPECIALS = (
    "<|endofprompt|>", "[breath]", "<strong>", "</strong>", "[noise]", "[laughter]", "[cough]", "[clucking]", "[accent]",
    "[quick_breath]", "<laughter>", "</laughter>", "[hissing]", "[sigh]", "[vocalized-noise]", "[lipsmack]", "[mn]",
)  # fmt: skip
"""What the public front end adds to the tokenizer that it reads, in the order of their ids."""

_LONGEST_TOKEN_BYTES = 9


def qwen2(bpe: models.BPE) -> BpeTokenizer:
    """A tokenizer with Qwen2's normalisation and splitting over the merges of `bpe`."""
    tokenizer = BpeTokenizer(bpe)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train(texts: Sequence[str]) -> BpeTokenizer:
    """The tokenizer that `texts`, one sentence each, give. The same texts give the same tokenizer."""
    tokenizer = qwen2(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=_LONGEST_TOKEN_BYTES,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in QWEN_SPECIALS])
    return with_speech_specials(tokenizer)


def trained() -> BpeTokenizer:
    """The tokenizer that is shipped."""
    return BpeTokenizer.from_file(str(TRAINED))


def from_folder(folder: Path) -> BpeTokenizer:
    """The tokenizer of a folder with `vocab.json`, `merges.txt` and `tokenizer_config.json`, or with `tokenizer.json`.

    Raises CheckpointError, with the file, for one that cannot be read.
    """
    whole = folder / "tokenizer.json"
    try:
        if whole.exists():
            return with_speech_specials(BpeTokenizer.from_file(str(whole)))
        bpe = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
        tokenizer = qwen2(bpe)
        _add_declared(tokenizer, json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")))
    except CheckpointError:
        raise
    except Exception as error:  # tokenizers raises plain Exception for whatever it cannot read
        message = f"{folder.name}: the tokenizer cannot be read: {error}; download the folder again"
        raise CheckpointError(message) from error
    return with_speech_specials(tokenizer)


def with_speech_specials(tokenizer: BpeTokenizer) -> BpeTokenizer:
    """`tokenizer`, to which what it lacks of the special tokens is added, as the public front end does on loading."""
    names = (*QWEN_SPECIALS, *SPEECH_SPECIALS)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    return tokenizer


def special_ids(tokenizer: BpeTokenizer) -> dict[str, int]:
    """The ids of Qwen2's own special tokens. Raises KeyError for one that `tokenizer` lacks."""
    vocabulary = tokenizer.get_vocab()
    return {name: vocabulary[name] for name in QWEN_SPECIALS}


def _add_declared(tokenizer: BpeTokenizer, settings: Mapping[str, Any]) -> None:
    """Add the tokens of `added_tokens_decoder` (id -> token), which must get the ids that stand there."""
    declared = sorted((int(number), token) for number, token in settings.get("added_tokens_decoder", {}).items())
    for number, token in declared:
        flags = {key: bool(token.get(key, False)) for key in ("lstrip", "rstrip", "single_word", "normalized")}
        added = AddedToken(token["content"], special=bool(token.get("special", False)), **flags)
        (tokenizer.add_special_tokens if added.special else tokenizer.add_tokens)([added])
        if tokenizer.token_to_id(token["content"]) != number:
            message = (
                f"tokenizer_config.json gives {token['content']!r} the id {number}, but after vocab.json it is "
                f"{tokenizer.token_to_id(token['content'])}: the two files are not of one tokenizer"
            )
            raise CheckpointError(message)


class TextTokenizer:
    """What the front end sees of a tokenizer: `encode` and `decode`, between text and token ids."""

    def __init__(self, bpe: BpeTokenizer) -> None:
        self._bpe = bpe

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, in order; one or more a character outside the vocabulary."""
        return list(self._bpe.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text that `ids` stand for; special tokens are left out."""
        return str(self._bpe.decode(list(ids)))


if __name__ == "__main__":
    train(TEXTS.read_text(encoding="utf-8").splitlines()).save(str(TRAINED), pretty=False)
