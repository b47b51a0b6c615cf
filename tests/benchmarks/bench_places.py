"""Micro-benchmarks of every toggle's place, before and after, by pytest-benchmark: `nox -s microbench`.

Made from the registry: a new toggle is among them by itself. `harness run` with the metric `site` times the same calls in
several processes, with intervals; this is for a quick look, and for those who use pytest-benchmark already. The ordinary
tests do not collect this file; that each place runs, `test_places.py` makes sure.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.conftest import TIMED_ALONE, MakePlace


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("toggle", TIMED_ALONE)
def test_place(toggle: str, side: str, make_place: MakePlace, benchmark: BenchmarkFixture) -> None:
    model, call = make_place(toggle, side == "after")
    benchmark.group = toggle
    with model.inference():
        call()  # what is built once is not what is timed
        benchmark(call)
