"""Speaking with a target in a test, and what its witnesses count meanwhile."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from harness.optimizations.witness import Counts
from harness.worker.checkout.model import CheckoutModel
from harness.worker.requests import Request


def spoken(model: CheckoutModel, request: Request, states: dict[str, Any] | None = None) -> Any:
    return model.bind(states or {}, [request.speaker]).run(request, lambda _: None)


def counted(model: CheckoutModel, toggle: str, request: Request, state: Any) -> tuple[Counts, list[Any]]:
    parameters = state if isinstance(state, dict) else {}
    with model.probe(toggle, parameters)() as tally:
        target = model.bind({toggle: state}, [request.speaker])
        readings, outputs = [tally.count], []
        for _ in range(3):
            outputs.append(target.run(request, lambda _: None))
            readings.append(tally.count)
    steps = [after - before for before, after in pairwise(readings)]
    return Counts(at_bind=readings[0], per_request=steps), outputs
