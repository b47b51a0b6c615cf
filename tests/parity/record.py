"""What the public CosyVoice2 code computes of a model directory, module by module, written to a file of tensors.

Runs in an environment of its own (`nox -s parity`), with the public code on its path and nothing of this project. The
directory is loaded by `CosyVoice2(DIR)` as a user would, and is not touched. What is changed lives in this process only:

- Packages that the code imports and does not need for speaking are stood in for (`STAND_INS`), and so is
  `torchaudio.load`, whose codecs are not installed: WAV files are read with soundfile.
- `cosyvoice-minicpmo` leaves out the language model that the YAML constructs, and comments out its text normalisers: the
  model is constructed from the same YAML, filled from `llm.pt` and put in place, and normalisers that change nothing are.
- `torch.randn_like` draws in the order that our code does. The vocoder draws its noise as [1, samples, tones] and once
  more, [1, samples, 1], for a branch that nothing uses; ours draws [1, tones, samples] and leaves the other out. Phases
  are drawn alike. With that, one seed gives both the same noise.
- Lengths: random weights never stop, so `llm.inference` is called with equal least and greatest ratio of speech tokens to
  text tokens, as its arguments allow; and the vocoder starts from the seed anew when the language model has spoken, which
  ours does with a generator for each.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from importlib import metadata
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

STAND_INS = ("modelscope", "lightning", "hydra", "gdown", "wget", "pyworld", "seaborn", "rich", "matplotlib")


class StandIn(types.ModuleType):
    """A module in which every name is a decorator that does nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__spec__ = ModuleSpec(name, None, is_package=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__new__": lambda cls, *a, **_k: a[0] if a else object.__new__(cls)})


class StandInFinder(Loader):
    """Finds stand-ins for what is not installed, and for all modules below it."""

    def __init__(self) -> None:
        self.missing = {name for name in STAND_INS if importlib.util.find_spec(name) is None}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in self.missing else None

    def create_module(self, spec: ModuleSpec) -> StandIn:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def stand_in() -> list[str]:
    """Put the stand-ins in place and return the names of what they stand for."""
    import soundfile
    import torchaudio

    finder = StandInFinder()
    sys.meta_path.append(finder)

    def load(path: Any, **_: Any) -> tuple[Any, int]:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        return torch.from_numpy(samples.T.copy()), rate_hz

    torchaudio.load = load
    lora = importlib.util.find_spec("diffusers.models.lora")
    if lora is None or not hasattr(importlib.import_module("diffusers.models.lora"), "LoRACompatibleLinear"):
        module = types.ModuleType("diffusers.models.lora")
        vars(module)["LoRACompatibleLinear"] = torch.nn.Linear  # what it is without adapters
        sys.modules[module.__name__] = module
        finder.missing.add("diffusers.models.lora")
    return sorted(finder.missing)


def in_our_order(randn: Any, zeros_like: Any) -> Any:
    """`torch.randn_like` for [1, samples, tones], drawn as [1, tones, samples]; nothing is drawn for one tone."""

    def randn_like(like: Any, **_: Any) -> Any:
        if like.dim() != 3 or like.shape[2] == 1:
            return zeros_like(like)
        return randn(like.shape[0], like.shape[2], like.shape[1]).transpose(1, 2)

    return randn_like


class Public:
    """The public code with a model directory in it."""

    def __init__(self, folder: str) -> None:
        import inflect
        from cosyvoice.cli.cosyvoice import CosyVoice2

        self.cosyvoice = CosyVoice2(folder)
        self.model, self.frontend = self.cosyvoice.model, self.cosyvoice.frontend
        self.takes_paths = not hasattr(self.frontend, "use_ttsfrd") and hasattr(self.frontend, "text_frontend")
        if not hasattr(self.model, "llm"):
            self.model.llm = self._llm(folder)
            unchanged = types.SimpleNamespace(normalize=lambda text: text)
            self.frontend.use_ttsfrd = False
            self.frontend.zh_tn_model = self.frontend.en_tn_model = unchanged
            self.frontend.inflect_parser = inflect.engine()

    def _llm(self, folder: str) -> Any:
        from hyperpyyaml import load_hyperpyyaml

        with Path(folder, "cosyvoice2.yaml").open(encoding="utf-8") as file:
            overrides = {"qwen_pretrain_path": f"{folder}/CosyVoice-BlankEN"}
            llm = load_hyperpyyaml(file, overrides=overrides)["llm"]
        llm.load_state_dict(torch.load(f"{folder}/llm.pt", map_location="cpu", weights_only=True), strict=True)
        return llm.eval()

    def recording(self, path: Path) -> Any:
        """A recording as this version's methods take it: its path, or its samples at 16 kHz."""
        from cosyvoice.utils.file_utils import load_wav

        return str(path) if self.takes_paths else load_wav(str(path), 16_000)


def llm_outputs(public: Public, given: dict[str, Any], settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Log-probabilities after given tokens, and tokens drawn from a seed."""
    llm = public.model.llm
    text = llm.llm.model.model.embed_tokens(torch.cat([given["prompt_text"], given["text"]], dim=1))
    start, task = (llm.llm_embedding.weight[row].reshape(1, 1, -1) for row in (0, 1))
    heard = torch.cat([start, text, task, llm.speech_embedding(given["prompt_tokens"])], dim=1)
    cache, scores = None, []
    for token in given["said_tokens"][0].tolist():
        mask = torch.ones(1, heard.shape[1], heard.shape[1]).tril().bool()
        hidden, cache = llm.llm.forward_one_step(heard, masks=mask, cache=cache)
        scores.append(llm.llm_decoder(hidden[:, -1])[0].log_softmax(-1))
        heard = llm.speech_embedding.weight[token].reshape(1, 1, -1)
    yield "llm.log_probabilities", torch.stack(scores)
    torch.manual_seed(settings["seed"])
    drawn = llm.inference(
        given["text"], lengths(given["text"]), given["prompt_text"], lengths(given["prompt_text"]),
        given["prompt_tokens"], lengths(given["prompt_tokens"]), torch.zeros(0, 192),
        min_token_text_ratio=settings["ratio"], max_token_text_ratio=settings["ratio"],
    )  # fmt: skip
    yield "llm.drawn_tokens", torch.tensor(list(drawn))


def flow_outputs(public: Public, given: dict[str, Any], _: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Encoder, one estimator step, and mel, offline and streaming, with and without more to come."""
    flow = public.model.flow
    hidden, coming = given["hidden"], given["coming"]
    for streaming in (False, True):
        way = "streaming" if streaming else "offline"
        encoded, _ = flow.encoder(hidden, lengths(hidden), streaming=streaming)
        yield f"encoder.{way}", encoded
        encoded, _ = flow.encoder(hidden, lengths(hidden), context=coming, streaming=streaming)
        yield f"encoder.{way}.more_to_come", encoded
        x, mu, prompt = given["x"], given["mu"], given["prompt"]
        mask = x.new_ones(2, 1, x.shape[2])
        step = flow.decoder.estimator(x, mask, mu, given["time"], given["speaker"], prompt, streaming=streaming)
        yield f"estimator.{way}", step
        for finalize in (True, False):
            mel, _ = flow.inference(
                given["tokens"], lengths(given["tokens"]), given["prompt_tokens"], lengths(given["prompt_tokens"]),
                given["prompt_mel"], lengths(given["prompt_mel"]), given["embedding"], streaming, finalize,
            )  # fmt: skip
            yield f"flow.{way}{'' if finalize else '.more_to_come'}", mel


def vocoder_outputs(public: Public, given: dict[str, Any], settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Pitch, source and audio of a mel, from the start and after a chunk."""
    hift, mel = public.model.hift, given["mel"]
    yield "vocoder.f0", hift.f0_predictor(mel)
    for name, cached in (("", torch.zeros(1, 1, 0)), (".after_a_chunk", given["cached_source"])):
        torch.manual_seed(settings["seed"])
        audio, source = hift.inference(speech_feat=mel, cache_source=cached)
        yield f"vocoder{name}.source", source
        yield f"vocoder{name}.audio", audio


def frontend_outputs(public: Public, _: dict[str, Any], settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is made of texts and of a recording."""
    front_end = public.frontend
    for index, text in enumerate(settings["texts"]):
        yield f"frontend.text.{index}", torch.tensor(front_end.tokenizer.encode(text))
    segments = [front_end.text_normalize(text, split=True) for text in settings["plain_texts"]]
    yield "frontend.segments", torch.tensor(list(json.dumps(segments).encode()))
    voice = public.recording(settings["voice"])
    inputs = front_end.frontend_zero_shot("", settings["voice_text"], voice, 24_000, "")
    yield "frontend.prompt_text", inputs["prompt_text"]
    yield "frontend.speech_tokens", inputs["flow_prompt_speech_token"]
    yield "frontend.prompt_mel", inputs["prompt_speech_feat"]
    yield "frontend.embedding", inputs["flow_embedding"]


def pipeline_outputs(public: Public, given: dict[str, Any], settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Audio from given speech tokens; of a converted recording; and of a spoken text with its own tokens."""
    prompt = {
        "flow_prompt_speech_token": given["prompt_tokens"], "prompt_speech_feat": given["prompt_mel"],
        "flow_embedding": given["embedding"],
    }  # fmt: skip
    for name, tokens, stream in (
        ("offline", given["tokens"], False), ("streamed", given["streamed_tokens"], True),
        ("streamed_long", given["long_tokens"], True),
    ):  # fmt: skip
        torch.manual_seed(settings["seed"])
        public.model.token_hop_len = 25  # newest upstream lets it grow from request to request
        pieces = public.model.tts(source_speech_token=tokens, **prompt, stream=stream)
        yield from joined(f"pipeline.{name}", pieces)
    even, source = public.recording(settings["even"]), public.recording(settings["source"])
    torch.manual_seed(settings["seed"])
    yield from joined("pipeline.converted", public.cosyvoice.inference_vc(source, even, stream=False))
    yield from spoken(public, settings, public.recording(settings["voice"]))


def spoken(public: Public, settings: dict[str, Any], voice: Any) -> Iterator[tuple[str, Any]]:

    model, ratio = public.model, settings["ratio"]
    generate, sing, tokens = model.llm.inference, model.hift.inference, []

    def generate_noted(**arguments: Any) -> Iterator[int]:
        for token in generate(**arguments, min_token_text_ratio=ratio, max_token_text_ratio=ratio):
            tokens.append(token)
            yield token

    def sing_anew(**arguments: Any) -> Any:
        torch.manual_seed(settings["seed"])
        return sing(**arguments)

    model.llm.inference, model.hift.inference = generate_noted, sing_anew
    torch.manual_seed(settings["seed"])
    text, voice_text = settings["spoken_text"], settings["voice_text"]
    yield from joined("pipeline.spoken", public.cosyvoice.inference_zero_shot(text, voice_text, voice, stream=False))
    yield "pipeline.spoken.tokens", torch.tensor(tokens)


def joined(name: str, pieces: Iterator[dict[str, Any]]) -> Iterator[tuple[str, Any]]:

    audio = [piece["tts_speech"] for piece in pieces]
    yield f"{name}.audio", torch.cat(audio, dim=1)
    yield f"{name}.pieces", torch.tensor([piece.shape[1] for piece in audio])


def lengths(batch: Any) -> Any:
    """The length of the one sequence in `batch`, as the public code takes it."""
    return torch.tensor([batch.shape[1]], dtype=torch.int32)


def versions(home: str | None) -> dict[str, str]:
    found = {name: metadata.version(name) for name in ("torch", "torchaudio", "transformers", "onnxruntime")}
    if home is None:
        return {"code": f"cosyvoice-minicpmo {metadata.version('cosyvoice-minicpmo')}", **found}
    asked = subprocess.run(["git", "-C", home, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return {"code": f"FunAudioLLM/CosyVoice {asked.stdout.strip() or 'of unknown commit'}", **found}


def main() -> None:
    """Record `--model` on `--inputs` into `--out`, with the installed code or with the checkout `--home`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name in ("model", "inputs", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--home")
    chosen = parser.parse_args()
    if chosen.home:
        sys.path[:0] = [chosen.home, f"{chosen.home}/third_party/Matcha-TTS"]
    stood_in = stand_in()
    import cosyvoice

    torch.set_num_threads(1)
    torch.randn_like = in_our_order(torch.randn, torch.zeros_like)
    inputs = Path(chosen.inputs)
    given = load_file(inputs / "inputs.safetensors")
    settings = json.loads((inputs / "inputs.json").read_text(encoding="utf-8"))
    settings |= {name: inputs / f"{name}.wav" for name in ("voice", "even", "source")}
    public = Public(chosen.model)
    outputs: dict[str, Any] = {}
    with torch.inference_mode():
        for record in (llm_outputs, flow_outputs, vocoder_outputs, frontend_outputs, pipeline_outputs):
            outputs.update(record(public, given, settings))
    said = {**versions(chosen.home), "stood_in": ", ".join(stood_in)}
    save_file(
        {name: tensor.detach().clone().contiguous() for name, tensor in outputs.items()}, chosen.out, metadata=said
    )
    sys.stdout.write(json.dumps({**said, "outputs": len(outputs), "from": next(iter(cosyvoice.__path__))}) + "\n")


if __name__ == "__main__":
    main()
