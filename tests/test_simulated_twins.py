"""What decision 9 promises, in fewer runs than `python -m tests.simulated_twins` makes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.passes.examination import MORE_TWINS, ROUNDS
from tests.simulated_twins import HEARD, PLANTED, refused

RUNS = 200


@pytest.mark.parametrize("heard", HEARD)
def test_identical_code_is_not_refused_and_what_changes_the_sound_is(heard: float) -> None:
    rng = np.random.default_rng(1)
    identical = [refused(rng, heard, MORE_TWINS, ROUNDS, arms_again=True) for _ in range(RUNS)]
    assert sum(identical) <= 4
    changed = [refused(rng, heard, MORE_TWINS, ROUNDS, arms_again=True, arms=1, planted=PLANTED) for _ in range(RUNS)]
    assert all(changed)


def test_one_twin_alone_refuses_identical_code_in_most_runs() -> None:
    """What the rule is there for: without it the test above could not fail."""
    rng = np.random.default_rng(2)
    assert sum(refused(rng, 0.5, 0, 0, arms_again=False) for _ in range(RUNS)) > RUNS / 2
