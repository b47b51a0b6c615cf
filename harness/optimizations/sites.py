"""The places of a pipeline that a toggle can change, and the context in which it does.

A site is a name and a signature. The pipeline takes a mapping site -> implementation and calls it where the code that
was optimized stood; the toggle's file holds the implementation. Tensors are torch tensors; nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BindContext:
    """What a builder may know: the device ("cpu", "cuda:0"), the rates in Hz, and where a speaker store may live.

    `model_fingerprint` changes with the weights, so that stored features are never used with another model.
    """

    device: str
    prompt_rate_hz: int
    model_rate_hz: int
    store_dir: Path
    model_fingerprint: str


class Resampler(Protocol):
    """`frontend.resample`: float32 audio [1, samples] at `orig_hz` -> the same at `new_hz`, on the same device."""

    def __call__(self, audio: Any, orig_hz: int, new_hz: int, /) -> Any: ...


class Pattern(Protocol):
    """What `text.patterns` makes of each regular expression; `re.Pattern` is one."""

    def search(self, text: str, /) -> Any: ...

    def sub(self, repl: Any, text: str, /) -> str: ...

    def split(self, text: str, /) -> list[Any]: ...


class SpeakerFeatures(Protocol):
    """`frontend.speaker`: where the features of a speaker prompt come from.

    `register` is called once, when the pipeline is built, with the prompts known then; `features` in each request.
    `extract(prompt)` computes them: a mapping of names to tensors. A prompt has `id: str` and `digest: str`.
    """

    def register(self, prompts: Sequence[Any], extract: Callable[[Any], Mapping[str, Any]], /) -> None: ...

    def features(self, prompt: Any, extract: Callable[[Any], Mapping[str, Any]], /) -> Mapping[str, Any]: ...


class PlantedWork(Protocol):
    """`planted.work`: calls `unit` several times and returns its last answer; `own_units` is the adapter's own number."""

    def __call__(self, unit: Callable[[], Any], own_units: int, /) -> Any: ...


class VoiceSession(Protocol):
    """`voice.session`: where the network's onnxruntime session comes from; `build` makes one from the voice's file.

    `prepare` is called once, when the pipeline is built, `get` once in each request.
    """

    def prepare(self, build: Callable[[], Any], /) -> None: ...

    def get(self, build: Callable[[], Any], /) -> Any: ...


class NetworkRun(Protocol):
    """`voice.run`: calls a session with {name of an input: array} and returns its only output, an array on the host."""

    def __call__(self, session: Any, feeds: Mapping[str, Any], /) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStart:
    """`process.start`: how a worker's process is started: its environment variables, PyTorch's threads (None: as the scenario says),
    what is called before the model is loaded, and options with which the adapter loads it (of its `switches`, over the scenario's own).
    `holds` says afterwards whether the process is so: the witness.

    Functions are named with their keyword arguments, (".settings:has_threads", {"threads": 2}), as `worker.loading` finds them: they are called elsewhere, and perhaps
    where there is no package `harness`.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    call: tuple[str, Mapping[str, Any]] | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    holds: tuple[str, Mapping[str, Any]] | None = None


GraphLevel = Literal["disabled", "basic", "extended", "all"]
"""How far onnxruntime may rewrite a graph before it runs it."""


class Cleanup(Protocol):
    """`engine.cleanup`: called after each segment of a text and at the end of each request."""

    def after_segment(self) -> None: ...

    def after_request(self) -> None: ...


SPEECH_SITES: Mapping[str, str] = {
    "model.cuda_available": "() -> bool: is there a GPU? Asked while the model is built and at the end of each segment",
    "frontend.device": "() -> torch.device: where the front end puts its tensors; asked for each tensor it moves",
    "facade.device": "() -> torch.device: where the engine's public methods put their inputs; asked in each request",
    "frontend.resample": Resampler.__doc__ or "",
    "text.patterns": "({name: regex}) -> {name: Pattern}: how text normalisation and splitting match",
    "frontend.speaker": SpeakerFeatures.__doc__ or "",
    "engine.cleanup": Cleanup.__doc__ or "",
}
"""The sites of a speech pipeline by name, with their signatures in words."""

PLANTED_SITES: Mapping[str, str] = {"planted.work": PlantedWork.__doc__ or ""}
"""The site of a call of known cost, in the same form."""

VOICE_SITES: Mapping[str, str] = {
    "voice.session": VoiceSession.__doc__ or "",
    "voice.threads": "() -> int: threads that share one operation of the network; asked when the pipeline is built",
    "voice.graph_level": "() -> GraphLevel: how far the graph is rewritten; asked when the pipeline is built",
    "voice.run": NetworkRun.__doc__ or "",
}
"""The sites of a voice that onnxruntime runs, in the same form."""

CHECKOUT_SITES: Mapping[str, str] = {
    "llm.forward": "(causal language model of the target) -> what a decoding step calls in place of its forward",
    "estimator.masks": "(function of the target that builds or converts attention masks) -> what its estimator calls instead",
    "vocoder.weights": "([part of the vocoder, its weight's name]) -> the patches through which the weights are plain tensors",
    "engine.hop": "(engine of the target, {attribute: tokens}) -> what its `tts` becomes, so that it begins with these lengths",
    "engine.wait": "(time.sleep as the engine's module sees it) -> what the streaming loop calls instead",
    "frontend.sessions": "(onnxruntime session of the target's front end) -> the one that it uses instead",
    "llm.nucleus": "(function of the target that draws a token from the likeliest) -> what its sampling calls instead",
}
"""The sites of somebody else's CosyVoice, in the same form: what its own code is replaced by while a request runs. What
stands there without a toggle is the target's own."""

PROCESS_SITES: Mapping[str, str] = {"process.start": ProcessStart.__doc__ or ""}
"""The site that every target has, because it is the process around it."""

SITES: Mapping[str, str] = {**SPEECH_SITES, **PLANTED_SITES, **VOICE_SITES, **CHECKOUT_SITES, **PROCESS_SITES}
"""Every site."""
