"""A request of the shipped model after a spin kernel, and the same after a longer one, as `paired_benchmark` compares them.

CUDA does not survive a fork: nothing here touches it but the two functions, which are called in the workers alone. Imports
do survive it, so that all are made before.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch  # noqa: F401  imported once, and not by each worker
from numpy.typing import NDArray

from harness import workload
from harness.adapters import planted
from harness.models.cosyvoice2 import pipeline  # noqa: F401  likewise
from harness.pytest_plugin import PairedBenchmark
from harness.scenario import Scenario, load
from harness.worker.machine import machine
from harness.worker.requests import Output
from tests.prove.call import PAIRED_RESULT, SCENARIO_VARIABLE

Side = Literal["before", "after"]


@cache
def _model() -> planted.DelayedModel:
    """The model, once in each process."""
    scenario = _scenario()
    work_dir = Path(tempfile.mkdtemp(dir=Path.cwd())) / "work"
    model = planted.ADAPTER.load(scenario.options(), machine(scenario.devices[0]), work_dir)
    assert isinstance(model, planted.DelayedModel)
    return model


@cache
def _request(side: Side) -> Callable[[], Output]:
    """The request, with `planted_work` as the scenario has it on that side."""
    scenario = _scenario()
    request, *_ = workload.requests(scenario)
    state = getattr(scenario.optimizations["planted_work"], side)
    target = _model().bind({"planted_work": state}, workload.speakers(scenario))
    return lambda: target.run(request, lambda _: None)


def _spoken(side: Side) -> NDArray[np.float32]:
    return _request(side)().audio


@cache
def _scenario() -> Scenario:
    return load(os.environ[SCENARIO_VARIABLE])


def test_request(paired_benchmark: PairedBenchmark) -> None:
    """Waits of different length change no output."""
    found = paired_benchmark(partial(_spoken, "before"), partial(_spoken, "after"), margin="1%", check=np.array_equal)
    Path(PAIRED_RESULT).write_text(json.dumps(found.as_data()), encoding="utf-8")
