"""What this project's code computes of the same inputs, under the same names as in `record.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.models.cosyvoice2.frontend import FrontEnd, ModelInputs
from harness.models.cosyvoice2.pipeline import Networks, Pipeline
from harness.models.cosyvoice2.sampling import nucleus
from harness.models.cosyvoice2.synthesis import Synthesiser
from harness.models.cosyvoice2.tokenizer import TextTokenizer
from harness.optimizations import BindContext, bind
from harness.worker.requests import Request, Speaker

Given = Mapping[str, Tensor]
Settings = Mapping[str, Any]


@torch.inference_mode()
def outputs(networks: Networks, given: Given, settings: Settings, folder: Path) -> dict[str, Tensor]:
    """Everything that `record.py` records; `folder` has the recordings."""
    found: dict[str, Tensor] = {}
    for record in (_llm, _flow, _vocoder):
        found.update(record(networks, given, settings))
    speaker = Speaker(id="voice", audio=folder / "voice.wav", text=settings["voice_text"], digest="voice")
    sites = _sites(networks, folder)
    found.update(_front_end(networks, settings, speaker, sites))
    found.update(_from_tokens(networks, given, settings))
    even = Speaker(id="even", audio=folder / "even.wav", text=settings["voice_text"], digest="even")
    pipeline = Pipeline(networks, sites, [speaker, even])
    converted = Request(
        id="c", mode="voice_conversion", text="", speaker=even, seed=settings["seed"], source=folder / "source.wav"
    )
    spoken = Request(id="s", mode="zero_shot", text=settings["spoken_text"], speaker=speaker, seed=settings["seed"])
    found.update(_requests(pipeline, {"converted": converted, "spoken": spoken}))
    return found


def _sites(networks: Networks, folder: Path) -> dict[str, Any]:
    context = BindContext(
        device="cpu", prompt_rate_hz=networks.config.prompt_rate_hz, model_rate_hz=networks.config.sample_rate_hz,
        store_dir=folder / "speakers", model_fingerprint="parity",
    )  # fmt: skip
    return bind({}, context)


def _llm(networks: Networks, given: Given, settings: Settings) -> Iterator[tuple[str, Tensor]]:
    llm, cache, scores = networks.acoustic.llm, networks.acoustic.llm.new_cache(), []
    heard = llm.prefix(given["text"], given["prompt_text"], given["prompt_tokens"])
    for token in given["said_tokens"][0].tolist():
        scores.append(llm.step(heard, cache).log_softmax(-1))
        heard = llm.speech_embedding.weight[token].view(1, 1, -1)
    yield "llm.log_probabilities", torch.stack(scores)
    length = int(given["text"].shape[1] * settings["ratio"])
    draws = torch.Generator().manual_seed(settings["seed"])
    drawn = llm.generate(given["text"], given["prompt_text"], given["prompt_tokens"], length, draws)
    yield "llm.drawn_tokens", torch.tensor(list(drawn))


@torch.inference_mode()
def drawn_by_the_republication(networks: Networks, given: Given, settings: Settings) -> list[int]:
    """Tokens from our scores, drawn as cosyvoice-minicpmo does.

    Before the least length it lets end tokens take part in the draw and draws again where the first of them comes out; and
    the second draw after a repetition may give the same token once more.
    """
    llm, cache, spoken = networks.acoustic.llm, networks.acoustic.llm.new_cache(), list[int]()
    draws, config = torch.Generator().manual_seed(settings["seed"]), networks.acoustic.llm.config
    heard = llm.prefix(given["text"], given["prompt_text"], given["prompt_tokens"])
    for _ in range(int(given["text"].shape[1] * settings["ratio"])):
        scores, token = llm.step(heard, cache), config.speech_vocab
        while token == config.speech_vocab:
            token = nucleus(scores, config.top_p, config.top_k, draws)
            if spoken[-config.win_size :].count(token) >= config.win_size * config.tau_r:
                token = int(scores.softmax(dim=0).multinomial(1, generator=draws))
        if token < config.speech_vocab:
            spoken.append(token)
            heard = llm.speech_embedding.weight[token].view(1, 1, -1)
    return spoken


def _flow(networks: Networks, given: Given, _: Settings) -> Iterator[tuple[str, Tensor]]:
    flow = networks.acoustic.flow
    for streaming in (False, True):
        way = "streaming" if streaming else "offline"
        yield f"encoder.{way}", flow.encoder(given["hidden"], None, streaming=streaming)
        yield f"encoder.{way}.more_to_come", flow.encoder(given["hidden"], given["coming"], streaming=streaming)
        step = flow.decoder.estimator(
            given["x"], given["mu"], given["time"], given["speaker"], given["prompt"], streaming=streaming
        )
        yield f"estimator.{way}", step
        for finalize in (True, False):
            mel = flow.inference(
                given["tokens"], given["prompt_tokens"], given["prompt_mel"], given["embedding"], streaming=streaming,
                finalize=finalize,
            )  # fmt: skip
            yield f"flow.{way}{'' if finalize else '.more_to_come'}", mel


def _vocoder(networks: Networks, given: Given, settings: Settings) -> Iterator[tuple[str, Tensor]]:
    vocoder, mel = networks.acoustic.vocoder, given["mel"]
    yield "vocoder.f0", vocoder.f0_predictor(mel)
    for name, cached in (("", None), (".after_a_chunk", given["cached_source"])):
        speech, source = vocoder.inference(mel, cached, torch.Generator().manual_seed(settings["seed"]))
        yield f"vocoder{name}.source", source
        yield f"vocoder{name}.audio", speech


def _front_end(
    networks: Networks, settings: Settings, speaker: Speaker, sites: Mapping[str, Any]
) -> Iterator[tuple[str, Tensor]]:
    front_end = FrontEnd(networks.config, networks.front_end, networks.recordings, sites)
    tokenizer = TextTokenizer(networks.front_end.bpe)
    for index, text in enumerate(settings["texts"]):
        yield f"frontend.text.{index}", torch.tensor(tokenizer.encode(text))
    segments = [front_end.segments(text) for text in settings["plain_texts"]]
    yield "frontend.segments", torch.tensor(list(json.dumps(segments).encode()))
    features = front_end.extract(speaker)
    yield "frontend.prompt_text", features["prompt_text_tokens"]
    yield "frontend.speech_tokens", features["speech_tokens"]
    yield "frontend.prompt_mel", features["prompt_mel"]
    yield "frontend.embedding", features["embedding"]


def _from_tokens(networks: Networks, given: Given, settings: Settings) -> Iterator[tuple[str, Tensor]]:
    synthesiser = Synthesiser(networks.config, networks.acoustic, "cpu", lambda: False)
    none = torch.zeros(1, 0, dtype=torch.long)
    for name, tokens, stream in (
        ("offline", given["tokens"], False), ("streamed", given["streamed_tokens"], True),
        ("streamed_long", given["long_tokens"], True),
    ):  # fmt: skip
        inputs = ModelInputs(
            text=none, prompt_text=none, prompt_speech=none, flow_prompt=given["prompt_tokens"],
            prompt_mel=given["prompt_mel"], embedding=given["embedding"], source=tokens,
        )  # fmt: skip
        pieces = list(synthesiser.speech(inputs, synthesiser.start(settings["seed"]), stream=stream))
        yield f"pipeline.{name}.audio", torch.cat(pieces)[None]
        yield f"pipeline.{name}.pieces", torch.tensor([piece.shape[0] for piece in pieces])


def _ignore(samples: int) -> None:
    pass


def _requests(pipeline: Pipeline, requests: Mapping[str, Request]) -> Iterator[tuple[str, Tensor]]:
    for name, request in requests.items():
        made = pipeline.run(request, _ignore)
        yield f"pipeline.{name}.audio", torch.from_numpy(made.audio)[None]
        yield f"pipeline.{name}.pieces", torch.tensor([len(made.audio)])
        if request.mode == "zero_shot":
            yield f"pipeline.{name}.tokens", torch.tensor(list(made.tokens))
