"""The choice of a core: by its worst moment, not by its best."""

from __future__ import annotations

import os
from itertools import cycle

import pytest

from harness.worker import cores


def test_the_core_that_is_never_slow_is_chosen_over_one_that_is_sometimes_faster() -> None:
    speeds = {0: cycle([1.0, 0.6]), 1: cycle([0.9]), 2: cycle([0.8])}
    choice = cores.quietest([0, 1, 2], lambda core: next(speeds[core]), rounds=4)
    assert choice == cores.Choice(core=1, slowest=0.9, median_slowest=0.8)


def test_no_core_is_an_error() -> None:
    with pytest.raises(ValueError, match="no core to choose from"):
        cores.quietest([])


@pytest.mark.skipif(not cores.usable(), reason="this system cannot pin")
def test_a_thread_stays_on_the_chosen_core() -> None:
    before = os.sched_getaffinity(0)
    try:
        choice = cores.quietest(cores.usable(), rounds=1)
        cores.stay_on(choice.core)
        assert os.sched_getaffinity(0) == {choice.core}
        assert choice.slowest is not None
        assert choice.slowest > 0
    finally:
        os.sched_setaffinity(0, before)
