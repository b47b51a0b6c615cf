"""Witnesses against counts of the same request that share nothing with them: `sys.setprofile` sees every call."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
import torchaudio

from harness import workload
from harness.adapters.cosyvoice2 import ADAPTER, CosyVoice2Model
from harness.models.cosyvoice2.frontend import FrontEnd
from harness.optimizations import named
from harness.toggling import State
from harness.worker.machine import machine
from harness.worker.requests import Request
from tests.conftest import fake_scenario

DEVICES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.cuda)]


def entered(function: Callable[..., Any], module: str = "", *, above: int = 1) -> Callable[[FrameType, str, Any], bool]:
    """Tell calls of a Python `function`; those from `module`, `above` frames up, where one is given."""
    code = function.__code__

    def matches(frame: FrameType, event: str, _: object) -> bool:
        if event != "call" or frame.f_code is not code:
            return False
        caller: FrameType | None = frame
        for _step in range(above):
            caller = caller.f_back if caller else None
        return not module or (caller is not None and caller.f_globals["__name__"] == module)

    return matches


def collected(frame: FrameType, event: str, argument: object) -> bool:
    """Tell calls of `gc.collect` from the toggle's file."""
    return (
        event == "c_call"
        and argument is gc.collect
        and frame.f_globals["__name__"] == "harness.optimizations.batched_cleanup"
    )


OPTIMIZATIONS = "harness.optimizations"
INDEPENDENT: Mapping[str, Callable[[FrameType, str, Any], bool]] = {
    "cached_cuda_check": entered(torch.cuda.is_available, f"{OPTIMIZATIONS}.cached_cuda_check"),
    "cached_device": entered(torch.cuda.is_available, f"{OPTIMIZATIONS}.cached_device"),
    "resample_cache": entered(torchaudio.transforms.Resample.__init__),
    "prebuilt_resample": entered(torchaudio.transforms.Resample.__init__),
    "precompiled_regex": entered(re._compile, f"{OPTIMIZATIONS}.precompiled_regex", above=2),  # type: ignore[attr-defined]
    "speaker_preregistration": entered(FrontEnd.extract),
    "batched_cleanup": collected,
}


@dataclass
class Count:
    value: int = 0


@contextmanager
def seen_by_the_interpreter(matches: Callable[[FrameType, str, Any], bool]) -> Iterator[Count]:
    """Count calls by asking the interpreter itself about each one."""
    count = Count()

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if matches(frame, event, argument):
            count.value += 1

    sys.setprofile(watch)
    try:
        yield count
    finally:
        sys.setprofile(None)


def _ignore(samples: int) -> None:
    pass


@pytest.fixture(scope="module")
def request_() -> Request:
    return workload.request(fake_scenario(workload={"texts": {"en": "It costs $2,999. Buy 3 of them, today!"}}), 0)


@pytest.fixture(scope="module", params=DEVICES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CosyVoice2Model:
    folder: Path = tmp_path_factory.mktemp("work")
    return ADAPTER.load({"size": "nano", "weights": "random", "seed": 3}, machine(request.param), folder)


@pytest.mark.parametrize("name", INDEPENDENT)
@pytest.mark.parametrize("state", [False, True])
def test_a_witness_counts_what_the_interpreter_sees(
    model: CosyVoice2Model, request_: Request, name: str, *, state: State
) -> None:
    states = {**dict.fromkeys(INDEPENDENT, False), name: state}
    if name == "prebuilt_resample":
        del states["resample_cache"]
    else:
        del states["prebuilt_resample"]
    target = model.bind(states, [request_.speaker])
    target.run(request_, _ignore)
    with seen_by_the_interpreter(INDEPENDENT[name]) as seen:
        target.run(request_, _ignore)
    with named(name).witness.probe()() as tally:
        target.run(request_, _ignore)
        counted = tally.count
    assert counted == seen.value
    if state is False:
        assert counted > 0
