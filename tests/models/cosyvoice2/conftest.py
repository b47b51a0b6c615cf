"""Recordings, a nano model and its pipelines, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from harness.models.cosyvoice2.config import NANO
from harness.models.cosyvoice2.pipeline import Networks, Pipeline, random_networks
from harness.models.cosyvoice2.weights import fingerprint
from harness.optimizations import BindContext, bind
from harness.toggling import State
from harness.worker.requests import Request, Speaker

Record = Callable[..., Path]
Build = Callable[..., Pipeline]
Ask = Callable[..., Request]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Writes a recording: a gliding voice-like tone whose pitch starts at `pitch_hz`, and returns its path."""

    def write(name: str = "voice.wav", *, pitch_hz: float = 120.0, seconds: float = 2.0, rate_hz: int = 16_000) -> Path:
        time = np.arange(int(seconds * rate_hz)) / rate_hz
        phase = 2 * np.pi * pitch_hz * (time + 0.05 * np.sin(3 * time))
        tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
        path = tmp_path / name
        soundfile.write(path, 0.2 * tone * (1.2 + np.sin(9 * time)), rate_hz)
        return path

    return write


@pytest.fixture
def speaker(record: Record) -> Speaker:
    return Speaker(id="ada", audio=record(), text="今天天气很好。", digest="ada-1")


@pytest.fixture(scope="session")
def shared_networks() -> Networks:
    return random_networks(NANO, "cpu", seed=0)


@pytest.fixture
def bind_context(tmp_path: Path) -> BindContext:
    """What the builders of toggles may know of a pipeline of size nano."""
    return BindContext(
        device="cpu",
        prompt_rate_hz=NANO.prompt_rate_hz,
        model_rate_hz=NANO.sample_rate_hz,
        store_dir=tmp_path / "speakers",
        model_fingerprint=fingerprint(NANO, 0),
    )


@pytest.fixture
def sites_of(bind_context: BindContext) -> Callable[[Mapping[str, State]], dict[str, Any]]:
    """The implementations of all sites, for the toggles that are given."""
    return lambda states: bind(states, bind_context)


@pytest.fixture
def build(
    shared_networks: Networks, sites_of: Callable[[Mapping[str, State]], dict[str, Any]], speaker: Speaker
) -> Build:
    """Builds a pipeline with the toggles that are given, and with single sites replaced by `sites`.

    It does not collect garbage after each segment, which would take longer than the rest of a test.
    """
    quick: Mapping[str, State] = {"batched_cleanup": {"every": "never"}}

    def make(states: Mapping[str, State] | None = None, sites: Mapping[str, Any] | None = None) -> Pipeline:
        return Pipeline(shared_networks, sites_of({**quick, **(states or {})}) | dict(sites or {}), [speaker])

    return make


@pytest.fixture
def ask(speaker: Speaker) -> Ask:
    """A short zero-shot request; keywords replace its fields."""

    def make(**changed: Any) -> Request:
        fields: dict[str, Any] = {
            "id": "r1", "mode": "zero_shot", "text": "你好，世界。", "speaker": speaker, "seed": 7,
        }  # fmt: skip
        return Request(**(fields | changed))

    return make
