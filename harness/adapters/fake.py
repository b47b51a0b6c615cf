"""A model made of planted costs and planted faults, to test the harness without torch and without waiting.

Its time is that of `FakeMachine`. Options (`model:` in a scenario): `base` seconds a request, `noise` as the standard
deviation of the log, per toggle or state of one `effects`, per pair of toggles `together`, per variable of its process's `environment`, `crowding`, `memory`, `places` and `faults` (see `FAULTS`), `seed`, and
`new_speaker`, what meeting one costs. Of starts: `at_init` and `at_first`, the seconds that a toggle adds to building a pipeline and
to its first request, `cold` those of the first request of a process. Of caches: `misses` is the effect in a request by a speaker that its pipeline does not
know, `counts_misses` whether the witness counts these, `entry_bytes` what each speaker known takes.
By length: `speech` is audio for each letter of the text, `pace` time for each second of audio, `costs` the seconds that a toggle
adds (`Costs` of the scenario). Of outputs: from worker `unsteady_from` on, what any arm makes differs, by default in its last bits.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.optimizations import SPEECH_SITES, Probe, counter, lacking, registry
from harness.toggling import State, setting, toggle_of
from harness.worker import spans
from harness.worker.machine import FakeMachine, Machine
from harness.worker.requests import Output, Request, Speaker

FAULTS = (
    "crash",
    "crash_once",
    "crash_at_bind",
    "hang",
    "out_of_memory",
    "error",
    "error_in_a_crowd",
    "error_at_place",
    "change",
    "change_at_first",
    "change_later",
    "nudge",
    "glitch",
    "shift",
    "inert",
    "refused",
)
"""What a toggle can be planted to do when it is on.

`change_at_first` changes what a pipeline makes of a request the first time it is asked for it, `change_later` every time
but the first; `nudge` moves it by some 3e-8, as another order of sums does, `shift` by some
3e-4, and `glitch` so much too, but the fourth output of a pipeline and no other. `refused` asks for more than a limit of memory leaves, at the
first request of its process, and goes on without, as it does from then on.
"""

SAMPLE_RATE_HZ = 24_000
_SAMPLES = SAMPLE_RATE_HZ // 2
_STAGE_SHARES = {"frontend": 0.1, "llm": 0.6, "flow": 0.2, "vocoder": 0.1}
_BIGGEST_STAGE = "flow"
_INIT_SHARE = 0.05
_FOOTPRINT_BYTES = 400 * 2**20
_REQUEST_BYTES = 100 * 2**20
"""What each further request at the same moment holds."""
_PLACE_S = 1e-6
"""What a call of a toggle's place takes with the toggle on."""
_NUDGED, _SHIFTED = 1 + 2**-22, 1 + 2**-10
_GLITCHES_AT = 4
_CROWDED_SHARE = 0.5
"""How much longer a request takes for each further one at the same moment, as a share of its time alone."""


class FakeModel:
    """Planted costs; `bind` and `run` move the machine's clock."""

    def __init__(self, options: Mapping[str, Any], machine: FakeMachine, work_dir: Path) -> None:
        self.options = options
        self.machine = machine
        self.work_dir = work_dir
        self.description: Mapping[str, Any] = {"adapter": "fake", **options}
        self._turn = threading.Lock()
        self.is_cold = True
        unsteady, number = options.get("unsteady_from"), work_dir.name.rpartition("-")[2]
        self.is_unsteady = unsteady is not None and number.isdecimal() and int(number) >= unsteady
        self._requests = 0
        name = f"{options.get('seed', 0)} {work_dir.name}"
        self.rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))

    def differs(self) -> bool:
        """Whether what is said now is not quite what the same code says elsewhere, or at another time."""
        self._requests += 1
        return self.is_unsteady and self._requests % int(self.options["unsteady_every"]) == 0

    def not_applicable(self) -> Mapping[str, str]:
        return lacking(SPEECH_SITES, FakeAdapter.name)

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> FakeTarget:
        on = {toggle: setting(toggle, state) for toggle, state in states.items() if state is not False}
        if any(self.planted("faults", name) == "crash_at_bind" for name in on.values()):
            os.abort()
        added_s = sum(self.planted("at_init", name) or 0.0 for name in on.values())
        self.machine.advance_s((self.options.get("base", 0.05) * _INIT_SHARE + added_s) * self.wobble())
        return FakeTarget(self, on, speakers)

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        return counter(f"fake.{optimization}")

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], None]:
        """Without the toggle the planted time, with it `_PLACE_S`; the time of either wobbles once."""
        name = setting(optimization, state)
        fault = None if state is False else self.planted("faults", name)
        took_s = _PLACE_S if state is not False else self.planted("places", optimization) or _PLACE_S
        took_s *= self.wobble()

        def call() -> None:
            if fault == "error_at_place":
                message = "planted error at the place"
                raise ValueError(message)
            if state is False or fault == "inert":
                spans.count(f"fake.{optimization}")
            self.machine.advance_s(took_s)

        return call

    def inference(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def planted(self, what: str, name: str) -> Any:
        """What the option `what` says of a toggle in a state, or of the toggle in any state; None where it says nothing."""
        options = self.options.get(what, {})
        return options.get(name, options.get(toggle_of(name)))

    def is_first(self) -> bool:
        """Whether nobody has asked before."""
        return self._turn.acquire(blocking=False)

    def wobble(self) -> float:
        """A random factor about 1."""
        return float(np.exp(self.rng.normal(0.0, self.options.get("noise", 0.0))))


class FakeTarget:
    """An arm: takes time, counts its witnesses, and fails as planted."""

    def __init__(self, model: FakeModel, on: Mapping[str, str], speakers: Sequence[Speaker]) -> None:
        self._model = model
        self._on = on
        self._spoken: set[str] = set()
        self._outputs = 0
        self._is_first = True
        self._met = {speaker.digest for speaker in speakers}

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        model = self._model
        for toggle in registry():
            if (
                toggle not in self._on
                or model.planted("faults", self._on[toggle]) == "inert"
                or self._misses(toggle, request)
            ):
                spans.count(f"fake.{toggle}")
        for name in self._on.values():
            self._fail(model.planted("faults", name), request.concurrency)
        others, samples = request.concurrency - 1, self._samples(request)
        seconds = self._seconds(request) + self._starting_s()
        saved = sum(model.planted("memory", name) or 0 for name in self._on.values())
        for stage, share in _STAGE_SHARES.items():
            with spans.span(stage):
                model.machine.advance_s(seconds * share)
                if stage == _BIGGEST_STAGE:
                    model.machine.memory.use_bytes(_FOOTPRINT_BYTES - saved + others * _REQUEST_BYTES)
            if request.stream and stage == "flow":
                on_chunk(samples // 2)
        on_chunk(samples // 2 if request.stream else samples)
        return self._speak(request)

    def held(self) -> dict[str, tuple[int, int]]:
        """What the caches hold for which the bytes of an entry are planted: an entry for each speaker known."""
        sizes = {toggle_of(name): self._model.planted("entry_bytes", name) for name in self._on.values()}
        return {toggle: (len(self._met), len(self._met) * size) for toggle, size in sizes.items() if size is not None}

    def _misses(self, toggle: str, request: Request) -> bool:
        """Whether a toggle is planted as a cache of speakers whose misses are counted, and does not know this one."""
        counts = (
            self._model.options.get("counts_misses") and self._model.planted("misses", self._on[toggle]) is not None
        )
        return bool(counts) and request.speaker.digest not in self._met

    def _starting_s(self) -> float:
        """What this request takes longer because nothing was asked before, of this pipeline or of its process."""
        model, seconds = self._model, 0.0
        if self._is_first:
            seconds += sum(model.planted("at_first", name) or 0.0 for name in self._on.values())
        if model.is_cold:
            seconds += model.options.get("cold") or 0.0
        self._is_first = model.is_cold = False
        return seconds * model.wobble() if seconds else 0.0

    def _seconds(self, request: Request) -> float:
        """What a request takes, by what is planted."""
        model, others = self._model, request.concurrency - 1
        alone_s = (
            model.options.get("base", 0.05) + model.options.get("pace", 0.0) * self._samples(request) / SAMPLE_RATE_HZ
        )
        seconds = alone_s * model.wobble() * (1 + _CROWDED_SHARE * others)
        is_known = request.speaker.digest in self._met
        for name in self._on.values():
            missed = None if is_known else model.planted("misses", name)
            effect = model.planted("effects", name) if missed is None else missed
            seconds *= 1 + (effect or 0.0) + others * (model.planted("crowding", name) or 0.0)
            seconds += self._cost_s(model.planted("costs", name) or {}, request)
        for variable, change in model.options.get("environment", {}).items():
            name, _, value = variable.partition("=")
            seconds *= 1 + change * (os.environ.get(name) == value)
        for pair, change in model.options.get("together", {}).items():
            if set(pair.split("+")) <= set(self._on):
                seconds *= 1 + change
        if not is_known:
            seconds *= 1 + model.options.get("new_speaker", 0.0)
            self._met.add(request.speaker.digest)
        return float(seconds)

    def _cost_s(self, cost: Mapping[str, float], request: Request) -> float:
        """What a toggle adds to a request, by its length."""
        units = {
            "fixed": 1.0, "audio": self._samples(request) / SAMPLE_RATE_HZ, "at_once": request.concurrency - 1.0,
            "prompt": _lasts_s(request.speaker.audio) if cost.get("prompt") else 0.0,
        }  # fmt: skip
        return sum(cost.get(name, 0.0) * amount for name, amount in units.items())

    def _samples(self, request: Request) -> int:
        each = self._model.options.get("speech")
        return _SAMPLES if each is None else max(2, round(each * len(request.text) * SAMPLE_RATE_HZ))

    def _fail(self, fault: str | None, concurrency: int) -> None:
        if fault == "crash":
            os.abort()
        elif fault == "crash_once":
            mark = self._model.work_dir.parent / "crashed-once"
            if not mark.exists():
                mark.touch()
                os.abort()
        elif fault == "hang":
            threading.Event().wait()
        elif fault == "out_of_memory":
            message = "planted: not enough memory"
            raise MemoryError(message)
        elif fault == "refused" and (limit := self._model.machine.memory.limit_bytes) and self._model.is_first():
            with suppress(MemoryError):
                self._model.machine.memory.use_bytes(limit + 1)
        elif fault == "error":
            message = "planted error"
            raise ValueError(message)
        elif fault == "error_in_a_crowd" and concurrency > 1 and self._model.is_first():
            message = f"planted error in one of {concurrency} requests"
            raise ValueError(message)

    def _speak(self, request: Request) -> Output:
        digest = hashlib.sha256(f"{request.text} {request.seed}".encode()).digest()
        faults = [self._model.planted("faults", name) for name in self._on.values()]
        tokens = [int(byte) for byte in digest]
        if "draw" in faults or "draw_only" in faults:
            tokens.reverse()
        if request.tokens is not None and "draw_only" not in faults:
            tokens = [token for segment in request.tokens for token in segment]
        time_s = np.arange(self._samples(request)) / SAMPLE_RATE_HZ
        audio = (0.3 * np.sin(2 * np.pi * (200 + tokens[0]) * time_s)).astype(np.float32)
        changing = ("change", "change_later" if request.id in self._spoken else "change_at_first")
        self._spoken.add(request.id)
        if any(fault in changing for fault in faults):
            audio *= 0.5
        if "nudge" in faults:
            audio *= np.float32(_NUDGED)
        self._outputs += 1
        if "shift" in faults or ("glitch" in faults and self._outputs == _GLITCHES_AT):
            audio *= np.float32(_SHIFTED)
        if request.tokens is not None and self._model.options.get("mute"):
            audio *= 0.0
        if self._model.differs():
            audio *= np.float32(1 + self._model.options["unsteady_by"])
        return Output(audio=audio, sample_rate_hz=SAMPLE_RATE_HZ, tokens=tokens, segments=[len(tokens)])


@lru_cache(maxsize=64)
def _lasts_s(audio: Path) -> float:
    import soundfile

    return float(soundfile.info(str(audio)).duration)


class FakeAdapter:
    """`model: {adapter: fake}`."""

    name = "fake"

    def check(self, options: Mapping[str, Any]) -> None:
        """Nothing can be wrong that the scenario's schema does not see."""

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> FakeModel:
        if not isinstance(machine, FakeMachine):
            message = "the fake adapter measures fake machines only"
            raise TypeError(message)
        return FakeModel(options, machine, work_dir)


ADAPTER = FakeAdapter()
