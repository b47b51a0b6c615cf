"""Shared fixtures: a fake scenario that can be planted with costs and faults, and a silent progress."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness import runner, scenario, workload
from harness.results import Run
from harness.scenario import Scenario

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch is imported: threads of several test processes wait by spinning
pytest_plugins = ("pytester",)
TOGGLES = ("resample_cache", "cached_device", "cached_cuda_check")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="PyTorch finds no CUDA device here"))


@pytest.fixture(autouse=True, scope="module")
def _short_collections() -> None:
    """Collections that models make of themselves pass over what pytest and other tests hold, half a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Excerpts of prompts go to a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    workload._plan.cache_clear()


class Quiet:
    """Keeps what a run said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def update(self, device: str, doing: str, share: float, left_s: float | None) -> None:
        assert 0 <= share <= 1
        assert left_s is None or left_s > 0

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


def fake_scenario(
    model: Mapping[str, Any] | None = None, measure: Mapping[str, Any] | None = None, **keys: Any
) -> Scenario:
    """A scenario of the fake adapter with three toggles; `model`, `measure` and further keys override its own."""
    data = {
        "name": "fake",
        "model": {"adapter": "fake", "base": "50ms", "noise": 0.0005, **(model or {})},
        "devices": ["cpu"],
        "workload": {"texts": {"en": "hello"}},
        "optimizations": dict.fromkeys(TOGGLES, True),
        "measure": {
            "metrics": ["latency", "init"],
            "budget": "20s",
            "workers": 3,
            "memory_repeats": 2,
            "time_limit": "20s",
            **(measure or {}),
        },
        **keys,
    }
    return scenario.Scenario.from_data({"file": "fake.yaml", **data})


@pytest.fixture
def measure_fake(tmp_path: Path, quiet: Quiet) -> Callable[..., Run]:
    """Run a fake scenario (arguments as `fake_scenario`) in `tmp_path/run` and return the Run."""

    def measure(**arguments: Any) -> Run:
        chosen = fake_scenario(**arguments)
        return runner.run(chosen, tmp_path / "run", devices=chosen.devices, progress=quiet)

    return measure


@pytest.fixture
def user_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write files of a user into a folder, which can be imported from; what they register and import goes with the test."""
    toggles = sys.modules["harness.optimizations.registry"]  # the package's function of that name hides the module
    toggles.registry()
    monkeypatch.setattr(toggles, "_REGISTRY", dict(toggles._REGISTRY))
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        monkeypatch.syspath_prepend(tmp_path)
        return tmp_path

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
