"""What decision 9 promises, in fewer runs than `python -m tests.simulated_twins` makes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulated_twins import HEARD, LARGEST, refused

RUNS = 200


@pytest.mark.parametrize("heard", HEARD)
def test_identical_code_is_not_refused_and_what_changes_the_sound_is(heard: float) -> None:
    rng = np.random.default_rng(1)
    assert sum(refused(rng, heard) for _ in range(RUNS)) <= 4
    assert all(refused(rng, heard, arms=1, planted=4 * LARGEST) for _ in range(RUNS))


def test_one_twin_alone_refuses_identical_code_in_most_runs() -> None:
    """What the rule is there for: without it the test above could not fail."""
    rng = np.random.default_rng(2)
    assert sum(refused(rng, 0.5, 0, 0, arms_again=False) for _ in range(RUNS)) > RUNS / 2
