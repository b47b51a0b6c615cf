"""What both sides are given: tensors drawn from a seed, texts, and two recordings made of sums of sines.

`python -m tests.parity.inputs DIR SIZE` writes them for the process that runs the public code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from safetensors.torch import save_file
from torch import Tensor

from harness.models.cosyvoice2.config import SIZES, CosyVoice2Config

SEED = 7
RECORDING_HZ = 16_000

TEXTS = (
    "今天天气很好，我们去公园吧。",
    "The quick brown fox jumps over the lazy dog.",
    "It's 3.5 % of ￥1,234,  isn't it?\n\nYes -- it'll do!  ",
    "混合 mixed テキスト ﬁ e\u0301 é 😀 １２",
    "<strong>我</strong>[breath] really[laughter] mean it<|endofprompt|>[mn]",
    "<|im_start|>user<|im_end|><|endoftext|>",
    " leading, trailing ",
)
PLAIN_TEXTS = ("今天天气很好，我们去公园吧。", "It is a fine day, and we walk to the park.")
"""Without anything that has to be read out: what is made of figures is our own, and differs (docs/checkpoints.md)."""


def settings(config: CosyVoice2Config) -> dict[str, Any]:
    """Texts and numbers. `ratio` is how many speech tokens a text token is spoken with."""
    return {
        "seed": SEED,
        "ratio": config.llm.tokens_per_text_token,
        "texts": list(TEXTS),
        "plain_texts": list(PLAIN_TEXTS),
        "voice_text": "你好，世界。",
        "spoken_text": "我们去公园。",
    }


def tensors(config: CosyVoice2Config) -> dict[str, Tensor]:
    """Inputs of the modules, the same for a seed."""
    draw = torch.Generator().manual_seed(SEED)

    def ids(count: int, below: int) -> Tensor:
        return torch.randint(0, below, (1, count), generator=draw)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw)

    speech, words, width = config.llm.speech_vocab, 1000, config.flow.width
    return {
        "text": ids(6, words), "prompt_text": ids(5, words), "prompt_tokens": ids(30, speech), "said_tokens": ids(8, speech),
        "hidden": normal(1, 60, width), "coming": normal(1, config.flow.lookahead, width),
        "x": normal(2, 80, 130), "mu": normal(2, 80, 130), "prompt": normal(2, 80, 130), "speaker": normal(2, 80),
        "time": torch.tensor([0.37, 0.37]),
        "tokens": ids(25, speech), "streamed_tokens": ids(60, speech), "long_tokens": ids(150, speech),
        "prompt_mel": normal(1, 60, 80), "embedding": normal(1, 192),
        "mel": normal(1, 80, 50), "cached_source": 0.1 * normal(1, 1, 3000),
    }  # fmt: skip


def recording(pitch_hz: float, seconds: float) -> Any:
    """A gliding, voice-like tone: float [samples] at 16 kHz."""
    time = np.arange(int(seconds * RECORDING_HZ)) / RECORDING_HZ
    phase = 2 * np.pi * pitch_hz * (time + 0.05 * np.sin(3 * time))
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    return 0.2 * tone * (1.2 + np.sin(9 * time))


def write(folder: Path, config: CosyVoice2Config) -> None:
    """Write all inputs into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors(config), folder / "inputs.safetensors")
    (folder / "inputs.json").write_text(json.dumps(settings(config)), encoding="utf-8")
    write_recordings(folder)


def write_recordings(folder: Path) -> None:
    """Write `voice.wav`, whose voice is imitated, `even.wav` and `source.wav`, which is said in the even one's voice.

    The first is 75 mel frames and 38 speech tokens long, so that both have to be cut to 37 tokens. When it converts a
    voice, the public code does not cut, and ours does (docs/checkpoints.md); 80 frames and 40 tokens need no cut.
    """
    soundfile.write(folder / "voice.wav", recording(120.0, 1.5), RECORDING_HZ)
    soundfile.write(folder / "even.wav", recording(120.0, 1.6), RECORDING_HZ)
    soundfile.write(folder / "source.wav", recording(210.0, 1.0), RECORDING_HZ)


if __name__ == "__main__":
    write(Path(sys.argv[1]), SIZES[sys.argv[2]])
