"""The planted call, as pytest-benchmark times it."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from tests.prove.call import told_call


def test_call(benchmark: BenchmarkFixture) -> None:
    benchmark(told_call())
