"""A function, an adapter for it, and a toggle that replaces part of it: a whole plug-in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.adapters.callable import CallableAdapter, CallableModel
from harness.optimizations import replaces

TARGET = "example_toggles:answer"


def sum_of_squares(n: int) -> int:
    """Add the squares below `n` one after the other."""
    return sum(i * i for i in range(n))


def answer(n: int = 30_000) -> Mapping[str, int]:
    """What is measured."""
    return {"n": n, "sum": sum_of_squares(n)}


class ExampleAdapter(CallableAdapter):
    """`model: {adapter: example, n: 30000}`."""

    name = "example"

    def check(self, options: Mapping[str, Any]) -> None:
        super().check({"target": TARGET})

    def load(self, options: Mapping[str, Any], machine: Any, work_dir: Path) -> CallableModel:
        return super().load({"target": TARGET, "arguments": dict(options)}, machine, work_dir)


ADAPTER = ExampleAdapter()


@replaces("example_toggles:sum_of_squares")
def sum_of_squares_by_formula(n: int) -> int:
    """Compute the sum by its formula, without a loop."""
    return (n - 1) * n * (2 * n - 1) // 6
