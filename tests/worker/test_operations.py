"""How many operations each stage asks for."""

from __future__ import annotations

import torch

from harness.worker import spans
from harness.worker.operations import Counter


def counts_of(call: object) -> dict[str, int]:
    counter = Counter()
    with torch.inference_mode(), spans.recording(counter), counter.counting():
        call()  # type: ignore[operator]
    return counter.counts


def test_operations_count_in_the_outermost_stage_and_views_do_not() -> None:
    x = torch.ones(4, 4)

    def request() -> None:
        with spans.span("flow"), spans.span("flow.encoder"):
            torch.add(x, x)
            x.view(16).t()
            torch.mm(x, x)
        with spans.span("llm"):
            x.exp()
        x.sin()

    assert counts_of(request) == {"flow": 2, "llm": 1, "": 1}


def test_a_composed_operation_counts_as_what_reaches_a_kernel() -> None:
    x, layer = torch.ones(4, 4), torch.nn.Linear(4, 4)
    assert counts_of(lambda: layer(x)) == {"": 1}
