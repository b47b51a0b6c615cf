"""Arms, groups and pairs of the designs."""

from __future__ import annotations

from itertools import combinations

import pytest

from harness.designs import DEVICE_DOSE, HOST_DOSE, PLACEBO, TWIN, Toggle, combination, design, smaller

TOGGLES = [
    Toggle(name=name, before=False, after=True) for name in ("resample_cache", "cached_device", "batched_cleanup")
]


def test_one_at_a_time_has_none_each_and_all() -> None:
    laid = design("one_at_a_time", TOGGLES)
    names = [arm.name for arm in laid.arms]
    assert names == ["none", "resample_cache", "cached_device", "batched_cleanup", "all", PLACEBO, HOST_DOSE]
    assert laid.pairs[-1] == ("all", "none", "all")
    assert laid.reference == "none"


def test_controls_are_the_reference_with_two_twins_and_a_dose_and_nothing_to_compare() -> None:
    laid = design("controls", TOGGLES)
    assert [arm.name for arm in laid.arms] == ["none", PLACEBO, TWIN, HOST_DOSE]
    assert (laid.pairs, list(laid.groups)) == ((), ["request"])


def test_leave_one_out_compares_all_with_all_but_each() -> None:
    laid = design("leave_one_out", TOGGLES)
    assert laid.pairs[0] == ("resample_cache", "all-but-resample_cache", "all")
    without = next(arm for arm in laid.arms if arm.name == "all-but-resample_cache")
    assert without.states == {"resample_cache": False, "cached_device": True, "batched_cleanup": True}
    assert next(arm.states for arm in laid.arms if arm.role == "placebo") == laid.arms[0].states


def test_what_leaves_a_mark_is_measured_settled_and_apart() -> None:
    laid = design("one_at_a_time", TOGGLES)
    assert set(laid.groups["settled"]) == {"none", "batched_cleanup", "all", PLACEBO}
    assert not {"batched_cleanup", "all"} & set(laid.groups["request"])


def test_without_marks_all_arms_share_their_blocks() -> None:
    laid = design("one_at_a_time", TOGGLES[:2])
    assert list(laid.groups) == ["request"]


def test_a_gpu_has_a_device_dose_as_well() -> None:
    assert DEVICE_DOSE in design("one_at_a_time", TOGGLES, device_dose=True).groups["request"]


def test_without_times_of_a_device_none_is_dosed_on_it() -> None:
    assert DEVICE_DOSE not in [arm.name for arm in design("one_at_a_time", TOGGLES).arms]


def test_a_single_toggle_needs_no_arm_with_all() -> None:
    laid = design("one_at_a_time", TOGGLES[:1])
    assert [pair[0] for pair in laid.pairs] == ["resample_cache"]


CLEANUP = Toggle(
    name="batched_cleanup", before=False, after={"every": "request"}, further=({"every": 4}, {"above": "2 GiB"})
)


def test_each_after_state_is_an_arm_of_its_own_against_none() -> None:
    laid = design("one_at_a_time", [CLEANUP])
    names = ["batched_cleanup[every=request]", "batched_cleanup[every=4]", "batched_cleanup[above=2GiB]"]
    assert laid.pairs == tuple((name, "none", name) for name in names)
    arms = {arm.name: arm for arm in laid.arms}
    assert [arms[name].states["batched_cleanup"] for name in names] == [CLEANUP.after, *CLEANUP.further]
    assert {arms[name].toggle for name in names} == {"batched_cleanup"}
    assert "all" not in arms
    assert set(laid.groups["settled"]) == {"none", *names, PLACEBO}


def test_where_all_are_on_the_first_after_state_stands() -> None:
    laid = design("one_at_a_time", [CLEANUP, TOGGLES[0]])
    together = next(arm for arm in laid.arms if arm.name == "all")
    assert together.states == {"batched_cleanup": {"every": "request"}, "resample_cache": True}


def test_leave_one_out_has_an_arm_for_each_further_state() -> None:
    laid = design("leave_one_out", [CLEANUP, TOGGLES[0]])
    assert laid.pairs == (
        ("batched_cleanup[every=request]", "all-but-batched_cleanup", "all"),
        ("batched_cleanup[every=4]", "all-but-batched_cleanup", "all-with-batched_cleanup[every=4]"),
        ("batched_cleanup[above=2GiB]", "all-but-batched_cleanup", "all-with-batched_cleanup[above=2GiB]"),
        ("resample_cache", "all-but-resample_cache", "all"),
    )


def test_a_ladder_turns_toggles_on_one_after_the_other() -> None:
    laid = design("ladder", TOGGLES[:2])
    assert [arm.name for arm in laid.arms[:3]] == ["none", "resample_cache", "all"]
    assert laid.pairs == (
        ("resample_cache", "none", "resample_cache"),
        ("cached_device", "resample_cache", "all"),
        ("all", "none", "all"),
    )


@pytest.mark.parametrize("name", ["ladder", "factorial", "permutations"])
def test_arms_of_several_toggles_all_share_their_blocks_and_are_settled_where_any_leaves_a_mark(name: str) -> None:
    laid = design(name, TOGGLES)
    timed = [arm.name for arm in laid.arms if arm.name in laid.timed and arm.role not in ("placebo", "dose")]
    assert set(laid.groups["settled"]) == {*timed, PLACEBO}
    assert set(laid.groups["request"]) == {"none", PLACEBO, HOST_DOSE}


def test_a_factorial_has_its_controls_in_a_group_of_their_own() -> None:
    laid = design("factorial", TOGGLES[:2])
    assert laid.groups == {
        "request": ("none", PLACEBO, HOST_DOSE),
        "joint": ("none", "resample_cache", "cached_device", "all", PLACEBO),
    }
    assert [laid.blocks_of_round(group) for group in laid.groups] == [3, 1]
    assert laid.requests_of_round == 3 * 3 + 5


def test_a_factorial_has_every_combination_and_compares_each_toggle_and_all_with_none() -> None:
    laid = design("factorial", TOGGLES)
    states = {tuple(arm.states.values()) for arm in laid.arms if arm.name in laid.joint}
    assert (len(laid.joint), len(states)) == (8, 8)
    assert [pair[0] for pair in laid.pairs] == ["resample_cache", "cached_device", "batched_cleanup", "all"]
    assert laid.joint[0] == "none"
    assert laid.joint[-1] == "all"


def six() -> list[Toggle]:
    names = (
        "cached_cuda_check", "cached_device", "resample_cache", "precompiled_regex", "speaker_preregistration",
        "batched_cleanup",
    )  # fmt: skip
    return [Toggle(name=name, before=False, after=True) for name in names]


def test_a_fraction_of_six_has_a_quarter_of_the_arms_with_each_toggle_alone_standing_aside() -> None:
    laid = design("fractional", six())
    assert len(laid.joint) == len(design("factorial", six()).joint) / 4
    assert {"none", "all"} <= set(laid.joint)
    aside = [arm.name for arm in laid.arms if arm.name not in laid.timed]
    assert aside == [toggle.name for toggle in six()]


def test_sampled_orders_are_the_same_each_time_and_each_is_followed_by_its_reverse() -> None:
    first, second = (design("permutations", six()) for _ in range(2))
    assert first == second
    assert all(tuple(reversed(a)) == b for a, b in zip(first.orders[::2], first.orders[1::2], strict=True))
    prefixes = {frozenset(order[:n]) for order in first.orders for n in range(7)}
    on = {frozenset(t for t, s in arm.states.items() if s) for arm in first.arms if arm.name in first.joint}
    assert on == prefixes


def test_levels_are_the_states_of_one_toggle() -> None:
    assert design("levels", [CLEANUP]) == design("one_at_a_time", [CLEANUP])


def test_names_of_combinations_are_short_and_differ() -> None:
    names = [toggle.name for toggle in six()]
    sets = [on for size in range(7) for on in combinations(names, size)]
    made = [combination(on, names) for on in sets]
    assert len(set(made)) == len(sets)
    assert combination(names[:5], names) == "all-but-batched_cleanup"
    assert combination(names[:2], names) == "cached_cuda_check+cached_device"


@pytest.mark.parametrize(
    ("name", "count", "instead"),
    [("factorial", 6, "fractional"), ("factorial", 3, "one_at_a_time"), ("fractional", 6, "one_at_a_time"), ("ladder", 6, "")],
)  # fmt: skip
def test_a_design_that_is_too_large_has_a_smaller_one(name: str, count: int, instead: str) -> None:
    assert smaller(name, count) == instead
