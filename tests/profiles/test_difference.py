"""Two profiles as one tree: what is drawn how wide, whose a change is, and which changes are beyond chance."""

from __future__ import annotations

import pytest

from harness.profiles.difference import Node, difference, widest
from harness.profiles.stacks import Stack
from tests.profiles.made import counted, held, profile, stack

BASE: dict[Stack, float] = {stack("run", "llm"): 600, stack("run", "flow"): 300, stack("run"): 100}
SLOW: dict[Stack, float] = {**BASE, stack("run", "llm", "slow"): 500}


def node(tree: Node, name: str) -> Node:
    return next(found for _, found in tree.walk() if found.frame.name == name)


def test_a_planted_slow_function_is_the_widest_red_frame_and_the_first_of_the_functions() -> None:
    told = difference(profile("none", counted(BASE, 0.1)), profile("all", counted(SLOW, 0.15)))
    found = widest(told.tree, more=True)
    assert found is not None
    assert found.frame.name == "slow"
    assert told.functions[0].frame.name == "slow"
    assert told.functions[0].own.change == pytest.approx(0.05)
    assert widest(told.tree, more=False) is None


def test_a_function_that_is_gone_is_drawn_and_blue() -> None:
    told = difference(profile("none", counted(SLOW, 0.15)), profile("all", counted(BASE, 0.1)))
    found = widest(told.tree, more=False)
    assert found is not None
    assert found.frame.name == "slow"
    assert found.total.after == 0
    assert found.width == pytest.approx(0.05)


def test_sides_are_compared_by_request_however_many_samples_they_have() -> None:
    few = {known: weight / 10 for known, weight in BASE.items()}
    told = difference(profile("none", counted(BASE, 0.1)), profile("all", counted(few, 0.1)))
    assert told.total.change == pytest.approx(0.0)
    assert all(abs(known.own.change) < 1e-9 for known in told.functions)


def test_a_frame_is_as_wide_as_the_larger_side_of_each_frame_inside() -> None:
    told = difference(
        profile("none", counted({stack("a"): 100, stack("b"): 50}, 3.0)),
        profile("all", counted({stack("a"): 50, stack("b"): 100}, 3.0)),
    )
    assert told.tree.width == pytest.approx(4.0)
    assert told.total.before == pytest.approx(3.0)


def test_native_code_is_its_python_callers_own_and_has_its_own_as_well() -> None:
    before = profile("none", counted({stack("mul", "libgemm", "libkernel"): 400, stack("other"): 600}, 1.0))
    after = profile("all", counted({stack("mul", "libgemm", "libkernel"): 1400, stack("other"): 600}, 2.0))
    told = difference(before, after)
    assert node(told.tree, "mul").own.change == pytest.approx(1.0)
    assert node(told.tree, "libkernel").own.change == pytest.approx(1.0)
    assert node(told.tree, "libgemm").own.change == 0
    found = widest(told.tree, more=True)
    assert found is not None
    assert found.frame.name == "mul"
    assert {known.frame.name for known in told.functions} == {"mul", "other"}


def test_a_change_within_what_samples_move_is_not_sure() -> None:
    near = {**BASE, stack("run", "flow"): 330.0}
    told = difference(profile("none", counted(BASE, 0.1)), profile("all", counted(near, 0.103)))
    assert not node(told.tree, "flow").own.sure
    assert widest(told.tree, more=True) is None


def test_a_change_within_what_processes_differ_is_not_sure_however_many_samples_there_are() -> None:
    many = {known: weight * 1000 for known, weight in BASE.items()}
    apart = (
        profile("none", counted(many, 0.1), counted(many, 0.12)),
        profile("all", counted(many, 0.112), counted(many, 0.125)),
    )
    assert not any(known.own.sure for known in difference(*apart).functions)
    alike = (
        profile("none", counted(many, 0.1), counted(many, 0.1001)),
        profile("all", counted(many, 0.11), counted(many, 0.1101)),
    )
    assert all(known.own.sure for known in difference(*alike).functions)


def test_a_change_that_goes_one_way_in_one_pair_of_processes_and_the_other_in_the_next_is_not_sure() -> None:
    more, less = {**BASE, stack("run", "slow"): 900.0}, {**BASE, stack("run", "slow"): 5.0}
    before = profile(
        "none", counted({**BASE, stack("run", "slow"): 10.0}, 0.1), counted({**BASE, stack("run", "slow"): 10.0}, 0.1)
    )
    told = difference(before, profile("all", counted(more, 0.19), counted(less, 0.1)))
    assert not node(told.tree, "slow").own.sure


def test_bytes_are_exact() -> None:
    told = difference(held("none", {stack("cache"): 1000.0}), held("all", {stack("cache"): 1001.0}))
    assert told.functions[0].own.sure
    assert told.functions[0].own.change == 1


def test_recursion_is_counted_once() -> None:
    told = difference(None, profile("all", counted({stack("f", "f", "f"): 10}, 1.0)))
    assert told.functions[0].total.after == pytest.approx(1.0)


def test_frames_too_narrow_to_see_are_left_out_and_their_callers_keep_their_width() -> None:
    weights = {stack("a"): 1_000_000.0, stack("a", "tiny"): 1.0}
    told = difference(None, profile("all", counted(weights, 1.0)))
    assert [known.frame.name for _, known in told.tree.walk()] == ["request", "a"]
    assert told.tree.width == pytest.approx(1.0)
