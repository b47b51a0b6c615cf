"""A target: a CosyVoice with an arm's toggles, which answers requests through the facade's public methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from .code import Code, missing
from .host import Output, UsageError, handed_over, span
from .patches import Patch, PatchError, Patches
from .randomness import Draws
from .recordings import Recordings
from .stages import Stages

METHODS = {
    "sft": "inference_sft",
    "zero_shot": "inference_zero_shot",
    "cross_lingual": "inference_cross_lingual",
    "voice_conversion": "inference_vc",
}
"""Mode of a request -> the facade's method."""
SPEAKER_ID = "zero_shot_spk_id"
LEAST_RATIO, MOST_RATIO = "min_token_text_ratio", "max_token_text_ratio"
"""Parameters of the language model: bounds of its speech tokens for each text token."""
SETTINGS = (bool, int, float, str, bytes, type(None))
"""Kinds of an engine's attributes that say how it works, with tuples of them and arrays; what it holds, such as its queues, each engine
has for itself.
"""


class Construction:
    """How the engine of a target is constructed anew over its loaded networks, and what it was set to after its own construction.

    Where the constructor does not take the networks, the loaded engine is copied.
    """

    def __init__(self, code: Code) -> None:
        self._loaded = code.engine
        taken = inspect.signature(type(code.engine).__init__).parameters
        self._given = {
            name: getattr(code.engine, name)
            for name in ("llm", "flow", "hift", "fp16")
            if name in taken and hasattr(code.engine, name)
        }
        self._anew = all(name in taken for name in ("llm", "flow", "hift"))
        plain = vars(self._made()) if self._anew else {}
        self._settings = {
            name: (plain[name], value)
            for name, value in vars(code.engine).items()
            if name in plain and _is_setting(plain[name]) and _is_setting(value) and not _same(plain[name], value)
        }

    def engine(self) -> Any:
        """Another engine. What a toggle of the arm makes otherwise is left; else it is set as the loaded one was."""
        if not self._anew:
            return _copy(self._loaded)
        engine = self._made()
        own = vars(engine)
        for name, (constructed, value) in self._settings.items():
            if name in own and _same(own[name], constructed):
                own[name] = _another(value)
        for name, value in vars(self._loaded).items():
            own.setdefault(name, value)
        return engine

    def _made(self) -> Any:
        return type(self._loaded)(**self._given)


class Arm:
    """An arm's own copies of facade and front end, with weights and sessions shared; the engine comes with `build_engine`.

    So what one arm's requests leave behind (registered speakers, a streaming hop that has grown) is not met by another's.
    `registers` is whether requests name speakers that were registered, instead of handing over their recordings.
    """

    def __init__(self, code: Code, construction: Construction) -> None:
        self.code = code
        self._construction = construction
        self.facade = _copy(code.facade)
        self.front_end = _copy(code.front_end)
        setattr(self.facade, code.front_end_name, self.front_end)
        self.registers = False
        self.after_request: list[Callable[[], None]] = []
        self.engine = code.engine

    def build_engine(self) -> None:
        """Have an engine of the arm's own, constructed with what is in place now."""
        self.engine = self._construction.engine()
        setattr(self.facade, self.code.engine_name, self.engine)

    def register(self, speaker: Any, recordings: Recordings) -> str:
        """Have the facade keep a speaker's features, unless it has; the name by which requests ask for them.

        The prompt's words are normalised as a request normalises them, so that both say the same to the model.
        """
        if speaker.digest not in self.front_end.spk2info:
            words = self.front_end.text_normalize(speaker.text, split=False)
            self.facade.add_zero_shot_spk(words, recordings.get(speaker.audio), speaker.digest)
        return str(speaker.digest)


class Speaking:
    """Answers requests of one arm, one at a time.

    `activate` puts the arm's patches in place and `deactivate` takes them back and checks that every name is, identically, what
    it was; a request that nobody has activated for does both itself.
    """

    def __init__(self, arm: Arm, toggles: list[Patch], recordings: Recordings, ratio: float | None) -> None:
        self.arm = arm
        self._recordings = recordings
        self._ratio = ratio
        self._draws = Draws()
        self._request: Any = None
        self._tokens: list[Any] = []
        self._segments: list[int] = []
        self._given: Iterator[Any] = iter(())
        self._hit_cap = False
        self._failures: list[BaseException] = []
        self._patches = Patches([*self._instruments(), *toggles])
        self._active = False

    def activate(self) -> None:
        self._patches.__enter__()
        self._active = True

    def deactivate(self) -> None:
        self._active = False
        self._patches.__exit__(None, None, None)
        altered = self._patches.altered()
        if altered:
            message = f"not what they were before the request: {', '.join(altered)}"
            raise PatchError(message)

    def run(self, request: Any, on_chunk: Callable[[int], None]) -> Any:
        """Speak `request`. Raises what the target raises, also in its thread; UsageError for what it cannot speak."""
        if request.concurrency > 1:
            message = "the adapter checkout measures one request at a time; leave workload.concurrency away"
            raise UsageError(message)
        if self._active:
            return self._speak(request, on_chunk)
        self.activate()
        try:
            return self._speak(request, on_chunk)
        finally:
            self.deactivate()

    def _speak(self, request: Any, on_chunk: Callable[[int], None]) -> Any:
        import torch

        self._request, self._tokens, self._hit_cap = request, [], False
        self._segments, self._given = [], iter(request.tokens or ())
        self._failures.clear()
        self._draws.start(request.seed)
        pieces = []
        try:
            for piece in self._pieces(request):
                audio = piece["tts_speech"].cpu()  # where it is not: nobody hears what a GPU may still compute
                self._refuse_failures()
                pieces.append(audio)
                on_chunk(audio.shape[-1])
        except Exception:
            self._refuse_failures()  # what failed first, in the engine's thread, is what there is to say
            raise
        self._refuse_failures()
        for tidy in self.arm.after_request:
            tidy()
        audio = torch.cat(pieces, dim=-1).reshape(-1).float().cpu().numpy()
        return Output(
            audio=audio, sample_rate_hz=self.arm.code.sample_rate_hz, tokens=self._tokens, hit_cap=self._hit_cap,
            segments=self._segments,
        )  # fmt: skip

    def _refuse_failures(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _pieces(self, request: Any) -> Iterator[Any]:
        """Call the facade's method as its users do."""
        method = getattr(self.arm.facade, METHODS[request.mode], None)
        if method is None:
            of = type(self.arm.facade).__name__
            symbol, why = f"{of}.{METHODS[request.mode]}", f"so that no request of mode {request.mode} can be made"
            raise missing(symbol, why)
        speaker = request.speaker
        if request.mode == "voice_conversion":
            given = self._recordings.get(request.source), self._recordings.get(speaker.audio)
            return iter(method(*given, stream=request.stream))
        if request.mode == "sft":
            return iter(method(request.text, self._known_speaker(), stream=request.stream))
        prompt: tuple[Any, ...] = (speaker.text,) if request.mode == "zero_shot" else ()
        if self.arm.registers:
            name = {SPEAKER_ID: self.arm.register(speaker, self._recordings)}
            return iter(method(request.text, *("" for _ in prompt), "", stream=request.stream, **name))
        return iter(method(request.text, *prompt, self._recordings.get(speaker.audio), stream=request.stream))

    def _known_speaker(self) -> Any:
        known = list(self.arm.front_end.spk2info)
        if not known:
            message = "mode sft needs a speaker that the weights come with (spk2info.pt), and these have none"
            raise UsageError(message)
        return known[0]

    def _instruments(self) -> list[Patch]:
        engine = self.arm.engine
        patches = [
            *self._draws.patches(),
            *Stages().patches(self.arm.front_end, engine.flow, engine.hift),
            Patch.around(engine.llm, "inference", self._noting_tokens),
            Patch.around(engine, "tts", self._noting_source),
        ]
        if hasattr(engine, "llm_job"):
            patches.append(Patch.around(engine, "llm_job", self._guarded))
        return patches

    def _noting_tokens(self, inference: Any) -> Any:
        """Notes what the language model says, and holds it to a number of tokens where the length is forced."""
        bounds = {} if self._ratio is None else {LEAST_RATIO: self._ratio, MOST_RATIO: self._ratio}

        def noted(*args: Any, **kwargs: Any) -> Iterator[Any]:
            kwargs.update(bounds)
            if self._request.stream:  # it speaks beside the vocoder, and stages at one depth must not overlap
                yield from self._noted(inference, args, kwargs)
            else:
                with handed_over(), span("llm"):
                    yield from self._noted(inference, args, kwargs)

        return noted

    def _noted(self, inference: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
        """A segment's tokens: those that are given for it, or else what the language model says."""
        said, given = 0, next(self._given, None)
        for token in inference(*args, **kwargs) if given is None else given:
            said += 1
            self._tokens.append(token)
            yield token
        self._segments.append(said)
        if self._ratio is None and given is None:
            bound = inspect.signature(inference).bind(*args, **kwargs)
            bound.apply_defaults()
            most = bound.arguments.get(MOST_RATIO)
            self._hit_cap |= most is not None and said >= int(bound.arguments["text"].shape[1] * most)

    def _noting_source(self, tts: Any) -> Any:
        """Notes the speech tokens of a recording that is converted, which no language model says."""

        def noted(*args: Any, **kwargs: Any) -> Any:
            source = kwargs.get("source_speech_token")
            if source is not None:
                self._tokens += source.flatten().tolist()
            return tts(*args, **kwargs)

        return noted

    def _guarded(self, job: Any) -> Any:
        """The engine's thread, which ends its request also where it fails: streaming would otherwise wait for ever."""

        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return job(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  raised again in the thread of the request
                self._failures.append(error)
                ended = getattr(self.arm.engine, "llm_end_dict", {})
                ended.update(dict.fromkeys(ended, True))

        return guarded


def _is_setting(value: Any) -> bool:
    return (
        _is_array(value) or isinstance(value, SETTINGS) or (isinstance(value, tuple) and all(map(_is_setting, value)))
    )


def _is_array(value: Any) -> bool:
    """Of NumPy or PyTorch, neither of which is imported for this."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "tolist")


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if _is_array(one):
        return bool(one.shape == other.shape and one.dtype == other.dtype and one.tolist() == other.tolist())
    if isinstance(one, tuple):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other))
    return bool(one == other)


def _another(value: Any) -> Any:
    """An array of its own for each engine; other settings cannot be changed."""
    if isinstance(value, tuple):
        return tuple(map(_another, value))
    return (value.clone() if hasattr(value, "clone") else value.copy()) if _is_array(value) else value


def _copy(part: Any) -> Any:
    """Another object of the same class that holds the same things; `copy.copy` would leave a mark on the class."""
    made = object.__new__(type(part))
    vars(made).update(vars(part))
    return made


def forced_ratio(code: Code, length: str | float, ratio: float) -> float | None:
    """Speech tokens for each text token: `ratio` where the `length` is "forced"; None where the model ends by itself.

    Raises UsageError where the language model's `inference` cannot be told.
    """
    if length == "model":
        return None
    taken = inspect.signature(code.engine.llm.inference).parameters
    if LEAST_RATIO not in taken or MOST_RATIO not in taken:
        of = type(code.engine.llm).__name__
        symbol, why = f"{LEAST_RATIO} and {MOST_RATIO} of {of}.inference", "so that the length cannot be forced"
        raise missing(symbol, why)
    return ratio if isinstance(length, str) else float(length)
