"""Small CosyVoices in our own words: the three parts with nothing costly in them, into which a test puts what it is about."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

IMPORTS = """
import gc
import queue
import re
import time
import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
import torchaudio
"""


def engine(
    init: str = "self.llm = llm",
    token2wav: str = "return token",
    tts: str = "yield text",
    more: str = "",
    name: str = "Speaker",
) -> str:
    """The file of an engine, with such bodies."""
    return _file(
        f"class {name}:",
        _method("__init__(self, llm, flow, hift, fp16=False)", init),
        _method("token2wav(self, token, prompt_token, token_offset=0, finalize=False)", token2wav),
        _method("tts(self, text, stream=False)", tts),
        dedent(more),
    )


def front_end(
    init: str = "self.kept = {}",
    zero_shot: str = "return {'text': tts_text}",
    normalize: str = "return [text]",
    more: str = "",
    before: str = "",
) -> str:
    """The file of a front end, with such bodies; `before` stands above the class."""
    return _file(
        "class Inputs:",
        _method("__init__(self, model_dir)", init),
        _method("text_normalize(self, text)", normalize),
        _method(
            "frontend_zero_shot(self, tts_text, prompt_text, prompt_speech_16k, resample_rate, zero_shot_spk_id)",
            zero_shot,
        ),
        dedent(more),
        before=before,
    )


def facade(
    init: str = "self.model = None", zero_shot: str = "yield from self.model.tts(tts_text)", more: str = ""
) -> str:
    """The file of a facade, with such bodies."""
    return _file(
        "class Voice:",
        _method("__init__(self, model_dir)", init),
        _method("inference_zero_shot(self, tts_text, prompt_text, prompt_speech_16k)", zero_shot),
        _method("inference_sft(self, tts_text, spk_id)", "yield from self.model.tts(tts_text)"),
        dedent(more),
    )


def code(text: str) -> str:
    """A file with the imports that all samples share."""
    return IMPORTS + dedent(text)


def written(folder: Path, files: dict[str, str] | None = None, package: str = "cosyvoice") -> Path:
    """A package with the three parts, in which `files` (relative to the package, `../` for beside it) replace or add some."""
    parts = {"cli/model.py": engine(), "cli/frontend.py": front_end(), "cli/cosyvoice.py": facade(), "llm/llm.py": LLM}
    for name, text in {**parts, **(files or {})}.items():
        path = folder / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def _file(head: str, *methods: str, before: str = "") -> str:
    body = "\n".join(indent(method, "    ") for method in methods)
    return f"{IMPORTS}\n{dedent(before)}\n\n{head}\n{body}\n"


def _method(signature: str, body: str) -> str:
    return f"def {signature}:\n{indent(dedent(body), '    ')}\n"


LLM = code("""
    class Network:
        def inference(self, text, prompt_speech_token):
            yield text
""")
"""A network by which the folder of a CosyVoice is told."""
