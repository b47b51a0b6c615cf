"""Places of toggles, for timing and for trying: on the smallest model that has them, with a recording made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import soundfile
import torch

from harness import adapters
from harness.adapters.base import Model
from harness.adapters.vits import VitsModel
from harness.models.vits import voice
from harness.optimizations import CHECKOUT_SITES, PLANTED_SITES, SPEECH_SITES, VOICE_SITES, lacking, registry
from harness.toggling import State
from harness.worker.loading import loader
from harness.worker.machine import machine
from harness.worker.requests import Request, Speaker
from tests import made_voice

TIMED_ALONE = sorted(
    name for name, toggle in registry().items()
    if not set(toggle.sites) <= set(CHECKOUT_SITES) and toggle.isolation != "process"
)  # fmt: skip
"""Toggles whose place can be timed alone: in somebody else's code, which others are about, none can, and a whole process is no place."""
RECORDING_S, RATE_HZ = 3.5, 16_000


class MakePlace(Protocol):
    """Makes one call of a toggle's place, and gives the model whose place it is."""

    def __call__(self, toggle: str, state: State) -> tuple[Model, Callable[[], Any]]: ...


@pytest.fixture(scope="session")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make_place(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> MakePlace:
    folder = tmp_path_factory.mktemp("places")
    models: dict[str, Model] = {}

    def make(toggle: str, state: State) -> tuple[Model, Callable[[], Any]]:
        owner = _owner(toggle)
        if owner == "vits" and owner not in models:
            models[owner] = VitsModel(voice.read(made_voice.write(folder), "made"), lambda _: ["abc"], 24_000)
        if owner not in models:
            models[owner] = loader(adapters.target(owner))({}, machine("cpu"), folder / owner)
        return models[owner], models[owner].place(toggle, state, _request(folder))

    return make


def _owner(toggle: str) -> str:
    """The adapter that has the toggle's sites."""
    known = {"cosyvoice2": SPEECH_SITES, "planted": PLANTED_SITES, "vits": VOICE_SITES}
    return next(owner for owner, sites in known.items() if toggle not in lacking(sites, owner))


def _request(folder: Path) -> Request:
    audio = folder / "voice.wav"
    if not audio.exists():
        times_s = np.arange(round(RECORDING_S * RATE_HZ)) / RATE_HZ
        noise = np.random.default_rng(0).standard_normal(len(times_s))
        soundfile.write(audio, 0.3 * np.sin(2 * np.pi * 150 * times_s) + 0.01 * noise, RATE_HZ)
    speaker = Speaker(id="ada", audio=audio, text="今天天气很好。", digest="ada-1")
    text = "See you on March 5. Tickets are $12.50."
    return Request(id="en", mode="zero_shot", text=text, speaker=speaker, seed=0)
