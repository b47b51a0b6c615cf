"""How many operations each stage asks for."""

from __future__ import annotations

import torch

from harness.worker import spans
from harness.worker.operations import Counter
from harness.worker.serving import Worker


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


def test_on_a_device_what_the_host_computes_by_itself_is_not_counted() -> None:
    """PyTorch's device `meta` stands for the card: its tensors have a place and no numbers."""
    counter = Counter("meta:0")
    with torch.inference_mode(), spans.recording(counter), counter.counting():
        torch.ones(4).exp()
        torch.ones(4, device="meta").exp()
    assert counter.counts == {"": 2}


def test_what_cannot_be_counted_is_told_and_fails_no_arm() -> None:
    class Uncountable:
        def work(self, *_: object) -> object:
            message = "this operation knows no dispatch mode"
            raise RuntimeError(message)

    told: list[tuple[str, dict[str, object]]] = []
    worker = object.__new__(Worker)
    worker._bench = Uncountable()  # type: ignore[assignment]  # all that the command asks for
    worker._reply = lambda event, **data: told.append((event, data))
    worker.work("all", [])
    assert told == [("uncounted", {"message": "RuntimeError: this operation knows no dispatch mode"})]
