"""Models are run in this process: with one thread, as a worker runs them."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
