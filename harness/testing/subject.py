"""What the contracts share: the model under test, requests to it, and arms of it run as a worker runs them, untimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness import adapters
from harness.adapters.base import Model, Target
from harness.optimizations import named, original
from harness.optimizations.witness import Counts
from harness.recordings import builtin_speaker
from harness.toggling import State
from harness.worker.machine import Machine, machine
from harness.worker.requests import NOBODY, Mode, Output, Request, Speaker
from harness.worker.target import activation


def require(holds: object, message: str) -> None:
    """Fail the test with `message` unless `holds`."""
    if not holds:
        raise AssertionError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """An arm that was bound and ran some requests: what it made, and what a witness counted."""

    outputs: Sequence[Output]
    counts: Counts


class Subject:
    """A model to test: which adapter, with which options, and what it is asked for."""

    adapter: ClassVar[Any] = "callable"
    options: ClassVar[Mapping[str, Any]] = {}
    device: ClassVar[str] = "cpu"
    mode: ClassVar[Mode] = "call"
    text: ClassVar[str] = "It costs $2,999."
    loaded: ClassVar[Model]

    def chosen(self) -> Any:
        """The adapter."""
        return adapters.adapter(self.adapter) if isinstance(self.adapter, str) else self.adapter

    def machine(self) -> Machine:
        """What it runs on."""
        return machine(self.device)

    def speaker(self) -> Speaker:
        """Who speaks: nobody for a mere call."""
        return NOBODY if self.mode == "call" else builtin_speaker("aishell-0121")

    def request(self, number: int = 0, *, stream: bool = False) -> Request:
        """A request; those of different numbers have different texts."""
        text = f"{self.text} {number}." if number else self.text
        name = f"{number}{' stream' if stream else ''}"
        return Request(id=name, mode=self.mode, text=text, speaker=self.speaker(), seed=0, stream=stream)

    def load(self, folder: Path) -> Model:
        """The model; `folder` is its own."""
        loaded: Model = self.chosen().load(self.options, self.machine(), folder)
        return loaded

    @pytest.fixture
    def model(self, tmp_path: Path) -> Model:
        """The model, loaded once for all tests of a class."""
        if "loaded" not in vars(type(self)):
            folder = tmp_path / "worker"
            folder.mkdir()
            type(self).loaded = self.load(folder)
        return type(self).loaded

    def ran(
        self, model: Model, states: Mapping[str, State], requests: Sequence[Request], counted: str = "",
        parameters: Mapping[str, Any] | None = None,
    ) -> Ran:  # fmt: skip
        """Bind an arm and run `requests` on it, the witness of the toggle `counted` open, if one is."""
        if not counted:
            target = model.bind(states, [self.speaker()])
            return Ran(outputs=[asked(target, request) for request in requests], counts=Counts())
        with model.probe(counted, parameters or {})() as tally:
            target = model.bind(states, [self.speaker()])
            readings, outputs = [tally.count], []
            for request in requests:
                outputs.append(asked(target, request))
                readings.append(tally.count)
        per_request = tuple(after - before for before, after in pairwise(readings))
        return Ran(outputs=outputs, counts=Counts(at_bind=readings[0], per_request=per_request))


def asked(target: Target, request: Request, chunks: list[int] | None = None) -> Output:
    """What `target` makes of `request`, kept; the lengths of its chunks go to `chunks`."""
    told = chunks if chunks is not None else []
    with activation([target]):
        return target.run(request, told.append).kept()


def same(first: Output, second: Output) -> bool:
    """Whether two outputs are the same to the bit."""
    facts = [(output.sample_rate_hz, list(output.tokens), output.exact) for output in (first, second)]
    return facts[0] == facts[1] and first.audio.tobytes() == second.audio.tobytes()


def patched_symbols(toggles: Sequence[str]) -> dict[str, int]:
    """The identity of what stands at each symbol that one of `toggles` replaces."""
    symbols = {site for toggle in toggles for site in named(toggle).sites if ":" in site}
    return {symbol: id(original(symbol)) for symbol in symbols}
