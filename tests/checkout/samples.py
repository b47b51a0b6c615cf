"""A small CosyVoice in our own words, with networks of a few numbers: the three parts, in either prompt convention.

`written` writes it as a package of its own name, which a test imports; parts are replaced by what the test is about.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

_NUMBERS = count()

NETWORKS = """
import torch


class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = torch.nn.Linear(4, 50)

    def inference(self, text, prompt_text, embedding, max_token_text_ratio=20, min_token_text_ratio=2):
        least, most = (int(text.shape[1] * ratio) for ratio in (min_token_text_ratio, max_token_text_ratio))
        state = embedding.mean() * torch.ones(4) + text.sum() / 1000 + prompt_text.shape[1] / 100
        for step in range(most):
            token = self.scores(state).softmax(dim=0).multinomial(1, replacement=True)
            if step >= least and token.item() == 0:
                return
            yield token.item()
            state = torch.roll(state, 1) + token / 50


class Flow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mel = torch.nn.Linear(1, 8)

    def inference(self, token, prompt_feat):
        return self.mel(token.float().T) + prompt_feat.mean()


class Vocoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.samples = torch.nn.Linear(8, 480)

    def inference(self, mel):
        return (self.samples(mel) + 0.1 * torch.randn(mel.shape[0], 480)).reshape(1, -1)
"""

ENGINE = """
import threading
import time
import torch


class Speaker:
    def __init__(self, llm, flow, hift, fp16=False):
        {engine_init}
        self.device = torch.device("cuda" if {asks} else "cpu")
        self.llm, self.flow, self.hift = llm, flow, hift
        self.said, self.llm_end_dict = {{}}, {{}}
        self.hop = 8

    def llm_job(self, text, prompt_text, embedding, uuid):
        for token in self.llm.inference(text=text, prompt_text=prompt_text, embedding=embedding):
            self.said[uuid].append(token)
        self.llm_end_dict[uuid] = True

    def vc_job(self, source, uuid):
        self.said[uuid] = source.flatten().tolist()
        self.llm_end_dict[uuid] = True

    def token2wav(self, token, prompt_feat):
        return self.hift.inference(self.flow.inference(torch.tensor([token]), prompt_feat))

    @torch.inference_mode()
    def tts(self, text=None, prompt_text=None, prompt_speech_feat=None, embedding=None, source_speech_token=None,
            stream=False, **kwargs):
        name = str(len(self.said))
        self.said[name], self.llm_end_dict[name] = [], False
        if source_speech_token is None:
            job = threading.Thread(target=self.llm_job, args=(text, prompt_text, embedding, name))
        else:
            job = threading.Thread(target=self.vc_job, args=(source_speech_token, name))
        job.start()
        done = 0
        while stream:
            time.sleep(0.001)
            if len(self.said[name]) - done >= self.hop:
                yield {{"tts_speech": self.token2wav(self.said[name][done : done + self.hop], prompt_speech_feat)}}
                done += self.hop
            elif self.llm_end_dict[name]:
                break
        job.join()
        yield {{"tts_speech": self.token2wav(self.said[name][done:], prompt_speech_feat)}}
        {cleanup}
"""

FRONT_END = """
import re
import torch
import torchaudio
from {package}.utils.files import load_wav
from {package}.utils.texts import has_chinese


class Inputs:
    def __init__(self, weights):
        {front_end_init}
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.spk2info = {{}}

    def text_normalize(self, text, split=True):
        if has_chinese(text):
            text = text.replace(".", "。")
        text = re.sub(r"[ ]+", " ", text)
        return [part for part in text.split("|") if part] if split else text

    def _extract_text_token(self, text):
        return torch.tensor([[ord(letter) % 7 for letter in text]]).to(self.device)

    def _extract_speech_token(self, prompt):
        {read_16k}
        return (speech[:, ::1600].abs() * 100).to(torch.int64).to(self.device)

    def _extract_speech_feat(self, prompt):
        {read_24k}
        return speech[None, :, ::240].to(self.device)

    def _extract_spk_embedding(self, prompt):
        {read_16k}
        return speech.mean(dim=1).to(self.device)

    def frontend_sft(self, text, spk_id):
        return {{"text": self._extract_text_token(text), **self.spk2info[spk_id]}}

    def frontend_zero_shot(self, text, prompt_text, prompt, rate, zero_shot_spk_id):
        if zero_shot_spk_id == "":
            made = {{
                "prompt_text": self._extract_text_token(prompt_text),
                "prompt_speech_feat": self._extract_speech_feat(prompt),
                "embedding": self._extract_spk_embedding(prompt),
                "llm_prompt_speech_token": self._extract_speech_token(prompt),
            }}
        else:
            made = self.spk2info[zero_shot_spk_id]
        made["text"] = self._extract_text_token(text)
        return made

    def frontend_cross_lingual(self, text, prompt, rate, zero_shot_spk_id):
        made = self.frontend_zero_shot(text, "", prompt, rate, zero_shot_spk_id)
        del made["llm_prompt_speech_token"]
        return made

    def frontend_vc(self, source, prompt, rate):
        return {{
            "source_speech_token": self._extract_speech_token(source),
            "prompt_speech_feat": self._extract_speech_feat(prompt),
            "embedding": self._extract_spk_embedding(prompt),
        }}
"""

FILES = """
import soundfile
import torch
import torchaudio


def load_wav(wav, target_sr):
    samples, rate = soundfile.{reader}(wav, dtype="float32", always_2d=True)
    speech = torch.from_numpy(samples.T.copy())
    if rate != target_sr:
        speech = torchaudio.transforms.Resample(orig_freq=rate, new_freq=target_sr)(speech)
    return speech
"""

TEXTS = """
import re

CHINESE = re.compile("[一-龥]+")


def has_chinese(text):
    return bool(CHINESE.search(text))
"""

FACADE = """
import torch
from {package}.cli.frontend import Inputs
from {package}.cli.model import Speaker
from {package}.networks import Flow, Vocoder, Words


class Voice:
    def __init__(self, model_dir, fp16=False):
        open("{{}}/cosyvoice2.yaml".format(model_dir)).close()
        torch.manual_seed(0)
        self.model_dir = model_dir
        self.frontend = Inputs(model_dir)
        self.sample_rate = 24000
        self.model = Speaker(Words(), Flow(), Vocoder(), fp16)

    def add_zero_shot_spk(self, prompt_text, prompt, zero_shot_spk_id):
        made = self.frontend.frontend_zero_shot("", prompt_text, prompt, self.sample_rate, "")
        self.frontend.spk2info[zero_shot_spk_id] = made
        return True

    def inference_sft(self, text, spk_id, stream=False):
        for part in self.frontend.text_normalize(text):
            yield from self.model.tts(**self.frontend.frontend_sft(part, spk_id), stream=stream)

    def inference_zero_shot(self, text, prompt_text, prompt, zero_shot_spk_id="", stream=False):
        prompt_text = self.frontend.text_normalize(prompt_text, split=False)
        for part in self.frontend.text_normalize(text):
            made = self.frontend.frontend_zero_shot(part, prompt_text, prompt, self.sample_rate, zero_shot_spk_id)
            yield from self.model.tts(**made, stream=stream)

    def inference_cross_lingual(self, text, prompt, zero_shot_spk_id="", stream=False):
        for part in self.frontend.text_normalize(text):
            made = self.frontend.frontend_cross_lingual(part, prompt, self.sample_rate, zero_shot_spk_id)
            yield from self.model.tts(**{{"prompt_text": torch.zeros(1, 0), **made}}, stream=stream)

    def inference_vc(self, source, prompt, stream=False):
        yield from self.model.tts(**self.frontend.frontend_vc(source, prompt, self.sample_rate), stream=stream)
"""

_PARTS = {
    "engine_init": "pass",
    "asks": "torch.cuda.is_available()",
    "cleanup": "if torch.cuda.is_available():\n            torch.cuda.empty_cache()",
    "front_end_init": "pass",
    "reader": "read",
}
_OF_A_TENSOR = {
    "read_16k": "speech = prompt",
    "read_24k": "speech = torchaudio.transforms.Resample(orig_freq=16000, new_freq=24000)(prompt)",
}
_OF_A_PATH = {"read_16k": "speech = load_wav(prompt, 16000)", "read_24k": "speech = load_wav(prompt, 24000)"}


def written(
    folder: Path,
    *,
    paths: bool = False,
    replaced: dict[str, str] | None = None,
    files: dict[str, str] | None = None,
    **parts: str,
) -> str:
    """Write the package into `folder`, and a model's folder beside it; the package's name.

    `paths` has methods take the path of a recording instead of its samples; `parts` replace pieces of code, `replaced` texts,
    `files` whole files by their names, or add them.
    """
    package = f"sample_voice_{next(_NUMBERS)}"
    pieces = {**_PARTS, **(_OF_A_PATH if paths else _OF_A_TENSOR), **parts, "package": package}
    shipped = {
        "cli/cosyvoice.py": FACADE, "cli/frontend.py": FRONT_END, "cli/model.py": ENGINE,
        "utils/files.py": FILES, "utils/texts.py": TEXTS,
    }  # fmt: skip
    texts = {name: text.format(**pieces) if "{" in text else text for name, text in shipped.items()}
    for name, text in {**texts, "networks.py": NETWORKS, **(files or {})}.items():
        for old, new in (replaced or {}).items():
            text = text.replace(old, new)  # noqa: PLW2901  replaced, one after the other
        file = folder / package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    weights = folder / "weights"
    weights.mkdir(exist_ok=True)
    (weights / "cosyvoice2.yaml").write_text("sample: true\n", encoding="utf-8")
    return package
