"""What one stage costs the request that it stands in, by pytest-benchmark: `nox -s microbench`.

An empty stage to which nobody listens, one to which the harness does, and a context that does nothing, for comparison.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.worker.spans import Recorder, recording, span

TIMES = 1000
"""Stages in a call that is timed: as many ns here as µs there."""


@pytest.mark.parametrize("kind", ["nothing", "unheard", "listened to"])
def test_stage(kind: str, benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"{TIMES} empty stages"
    recorder, nothing = Recorder(), nullcontext()

    def stages() -> None:
        recorder.spans.clear()
        for _ in range(TIMES):
            with span("stage"):
                pass

    def nothings() -> None:
        for _ in range(TIMES):
            with nothing:
                pass

    if kind == "listened to":
        with recording(recorder):
            benchmark(stages)
        assert len(recorder.spans) == TIMES
    else:
        benchmark(stages if kind == "unheard" else nothings)
        assert not recorder.spans
