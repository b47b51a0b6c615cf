"""Targets of these tests: small CosyVoices, written, loaded and spoken with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from harness.worker.checkout.model import CheckoutModel, load
from harness.worker.requests import Request, Speaker
from tests.checkout.samples import written

CPU = SimpleNamespace(device="cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads of OpenMP that share a core spin, and make these small networks slow."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def speaker(tmp_path: Path) -> Speaker:
    file = tmp_path / "recording.wav"
    rate_hz = 22_050
    soundfile.write(file, np.sin(np.arange(rate_hz) / 20).astype(np.float32), rate_hz)
    return Speaker(id="s", audio=file, text="what it says", digest="0123")


@pytest.fixture
def request_of(speaker: Speaker) -> Callable[..., Request]:
    made = Request(id="r", mode="zero_shot", text="下午见 .|See you at three.", speaker=speaker, seed=7)
    return lambda **changes: replace(made, **changes)


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Callable[..., CheckoutModel]]:
    """Writes a sample and loads it; what was imported is forgotten afterwards."""
    before = set(sys.modules), list(sys.path), sys.dont_write_bytecode

    def make(options: dict[str, Any] | None = None, **parts: Any) -> CheckoutModel:
        written(tmp_path / "code", **parts)
        given = {"path": tmp_path / "code", "weights": tmp_path / "code" / "weights", "length": "forced"}
        return load({**given, **(options or {})}, CPU, tmp_path)

    yield make
    for name in set(sys.modules) - before[0]:
        if name.startswith("sample_voice"):
            del sys.modules[name]
    sys.path[:], sys.dont_write_bytecode = before[1:]
