"""Every toggle's place runs on either side, and its witness tells them apart."""

from __future__ import annotations

import pytest

from harness.optimizations import named
from harness.toggling import State
from harness.worker.places import events
from tests.benchmarks.conftest import TIMED_ALONE, MakePlace

STATES: dict[str, tuple[State, ...]] = {
    "precompiled_regex": (True, {"patterns": "all"}),
    "batched_cleanup": (True, {"every": 2}, {"every": "never"}),
}


@pytest.mark.parametrize(
    ("toggle", "state"), [(name, state) for name in TIMED_ALONE for state in STATES.get(name, (True,))]
)
def test_what_the_witness_counts_happens_once_in_a_call_on_one_side_of_a_place_alone(
    toggle: str, state: State, make_place: MakePlace
) -> None:
    counted = []
    for side in (False, state):
        model, call = make_place(toggle, side)
        probe = model.probe(toggle, {} if isinstance(state, bool) else state)
        with model.inference():
            counted.append(events(probe, call))
    assert sorted(counted) == [0, 1], named(toggle).witness.unit


def test_a_call_of_a_place_gives_on_either_side_what_the_pipeline_would_get(make_place: MakePlace) -> None:
    for toggle in ("cached_cuda_check", "cached_device"):
        before, after = (make_place(toggle, state)[1]() for state in (False, True))
        assert before == after
    before, after = (make_place("resample_cache", state)[1]() for state in (False, True))
    assert before.equal(after)
    before, after = (make_place("precompiled_regex", state)[1]() for state in (False, True))
    assert before is after is None, "the text has no Chinese character"
