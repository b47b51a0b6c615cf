"""The generators of a request on somebody's code."""

from __future__ import annotations

import random

import numpy as np
import torch

from harness.worker.checkout.randomness import Draws


def test_a_request_is_seeded_as_torch_seeds_and_leaves_nothing_to_a_card_that_is_not_in_use() -> None:
    draws = Draws()
    draws.start(7)
    found = torch.rand(4), random.random(), np.random.rand()  # noqa: NPY002, S311  what code that is measured uses
    torch.manual_seed(7)
    assert torch.equal(found[0], torch.rand(4))
    assert found[1] == random.Random(7).random()  # noqa: S311
    assert found[2] == np.random.RandomState(7).rand()
    if not torch.cuda.is_initialized():
        queued = len(torch.cuda._queued_calls)
        draws.start(8)
        assert len(torch.cuda._queued_calls) == queued
