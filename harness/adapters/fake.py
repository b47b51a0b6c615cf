"""A model made of planted costs and planted faults, to test the harness without torch and without waiting.

Its time is that of `FakeMachine`. Options (`model:` in a scenario): `base` seconds a request, `noise` as the standard
deviation of the log, `effects` and `memory` per toggle, `faults` per toggle (see `FAULTS`), `seed`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from harness import spans
from harness.machine import FakeMachine, Machine
from harness.optimizations import Probe, counter, registry
from harness.requests import Output, Request, Speaker
from harness.results import State

FAULTS = ("crash", "crash_once", "crash_at_bind", "hang", "out_of_memory", "error", "change", "inert")
"""What a toggle can be planted to do when it is on."""

SAMPLE_RATE_HZ = 24_000
_STAGE_SHARES = {"frontend": 0.1, "llm": 0.6, "flow": 0.2, "vocoder": 0.1}
_INIT_SHARE = 0.05
_FOOTPRINT_BYTES = 400 * 2**20


class FakeModel:
    """Planted costs; `bind` and `run` move the machine's clock."""

    def __init__(self, options: Mapping[str, Any], machine: FakeMachine, work_dir: Path) -> None:
        self.options = options
        self.machine = machine
        self.work_dir = work_dir
        self.description: Mapping[str, Any] = {"adapter": "fake", **options}
        name = f"{options.get('seed', 0)} {work_dir.name}"
        self.rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))

    def not_applicable(self) -> Mapping[str, str]:
        return {}

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> FakeTarget:
        on = [toggle for toggle, state in states.items() if state is not False]
        if any(self.fault(toggle) == "crash_at_bind" for toggle in on):
            os.abort()
        self.machine.advance_s(self.options.get("base", 0.05) * _INIT_SHARE * self.wobble())
        return FakeTarget(self, on)

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        return counter(f"fake.{optimization}")

    def fault(self, toggle: str) -> str | None:
        return cast("str | None", self.options.get("faults", {}).get(toggle))

    def wobble(self) -> float:
        """A random factor about 1."""
        return float(np.exp(self.rng.normal(0.0, self.options.get("noise", 0.0))))


class FakeTarget:
    """An arm: takes time, counts its witnesses, and fails as planted."""

    def __init__(self, model: FakeModel, on: Sequence[str]) -> None:
        self._model = model
        self._on = on

    def run(self, request: Request, on_chunk: Callable[[], None]) -> Output:
        model = self._model
        for toggle in registry():
            if toggle not in self._on or model.fault(toggle) == "inert":
                spans.count(f"fake.{toggle}")
        for toggle in self._on:
            self._fail(model.fault(toggle))
        seconds = model.options.get("base", 0.05) * model.wobble()
        for toggle in self._on:
            seconds *= 1 + model.options.get("effects", {}).get(toggle, 0.0)
        for stage, share in _STAGE_SHARES.items():
            with spans.span(stage):
                model.machine.advance_s(seconds * share)
            if request.stream and stage == "flow":
                on_chunk()
        saved = sum(model.options.get("memory", {}).get(toggle, 0) for toggle in self._on)
        model.machine.use_bytes(_FOOTPRINT_BYTES - saved)
        on_chunk()
        return self._speak(request)

    def _fail(self, fault: str | None) -> None:
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
        elif fault == "error":
            message = "planted error"
            raise ValueError(message)

    def _speak(self, request: Request) -> Output:
        digest = hashlib.sha256(f"{request.text} {request.seed}".encode()).digest()
        tokens = [int(byte) for byte in digest]
        time_s = np.arange(SAMPLE_RATE_HZ // 2) / SAMPLE_RATE_HZ
        audio = (0.3 * np.sin(2 * np.pi * (200 + tokens[0]) * time_s)).astype(np.float32)
        if any(self._model.fault(toggle) == "change" for toggle in self._on):
            audio *= 0.5
        return Output(audio=audio, sample_rate_hz=SAMPLE_RATE_HZ, tokens=tokens)


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
