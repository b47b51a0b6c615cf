"""What is advised, each rule by itself, and that nothing is advised without evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness import advice as advising
from harness.advice import STAGES, Seen, advice, toggles_of
from harness.optimizations.sites import SPEECH_SITES
from harness.results import Arm, Floor, Plan, Run

FLOOR = Floor(
    device="cpu", arm="none", stage="llm", strata=("s",), measured_s=1.0, floor_s=0.0, hardware_s=0.0, memory_s=0.0,
    arithmetic_s=0.0, calls_s=0.0, operations=10.0, binds="calls",
)  # fmt: skip
NONE = Arm(name="none", role="none", states={"speaker_preregistration": False})
ALL = Arm(name="all", role="all", states={"speaker_preregistration": True})
IDLE = Seen(launches=5000.0, waits=0.8)


def run(*floors: Floor, arms: tuple[Arm, ...] = (NONE, ALL)) -> Run:
    plan = Plan(
        devices=("cpu",), arms=arms, groups={}, pairs=(), requests=(), strata={}, workers=1, budget_s=1.0, margin={}
    )
    return Run(id="r", scenario={}, environment={}, plan=plan, optimizations={}, complete=True, floors=floors)


@pytest.mark.parametrize(
    ("floor", "seen", "reason"),
    [
        (FLOOR, IDLE, "waits for the host"),
        (replace(FLOOR, calls_s=0.5, floor_s=0.5), None, "bound by calls"),
        (replace(FLOOR, memory_s=0.5, floor_s=0.5, arithmetic_s=0.45), None, "bound by memory"),
        (replace(FLOOR, arithmetic_s=0.5, floor_s=0.5, memory_s=0.45), None, "bound by arithmetic"),
        (replace(FLOOR, arithmetic_s=0.1, floor_s=0.1), None, "far from every limit"),
        (FLOOR, Seen(launches=5000.0, waits=0.1), "far from every limit"),
        (replace(FLOOR, arithmetic_s=0.7, hardware_s=0.7, floor_s=0.7), IDLE, "bound by arithmetic"),
        (replace(FLOOR, memory_s=0.7, hardware_s=0.7, floor_s=0.7, calls_s=0.42), None, "bound by memory"),
    ],
)
def test_a_rule_answers_where_its_evidence_is(floor: Floor, seen: Seen | None, reason: str) -> None:
    (found,) = advice(run(floor), "cpu", {} if seen is None else {"none": seen})
    assert found.reason == reason
    assert found.seen == seen


def test_what_is_most_to_gain_comes_first_and_what_is_little_does_not_come() -> None:
    near, far = (
        replace(FLOOR, stage="flow", measured_s=4.0, floor_s=3.5, memory_s=3.5),
        replace(FLOOR, measured_s=2.0, floor_s=0.1),
    )
    done = replace(FLOOR, stage="vocoder", measured_s=3.0, floor_s=2.9)
    found = advice(run(near, far, done), "cpu")
    assert [known.floor.stage for known in found] == ["llm", "flow"]
    assert found[0].gain_s == pytest.approx(1.9)
    assert sum(known.share for known in found) == pytest.approx((1.9 + 0.5) / 9)


def test_the_arm_with_everything_on_is_advised_about_and_its_toggles_are_not_proposed_again() -> None:
    heard = replace(FLOOR, stage="frontend")
    (before,) = advice(run(heard), "cpu")
    assert "speaker_preregistration" in before.toggles
    (after,) = advice(run(heard, replace(heard, arm="all", measured_s=0.5)), "cpu")
    assert after.arm == "all"
    assert after.gain_s == pytest.approx(0.5)
    assert after.on == ("speaker_preregistration",)
    assert "speaker_preregistration" not in after.toggles


def test_a_toggle_that_cannot_stand_beside_one_that_is_on_is_not_proposed() -> None:
    cached = replace(ALL, states={"resample_cache": True})
    (found,) = advice(run(replace(FLOOR, stage="frontend", arm="all"), arms=(cached,)), "cpu")
    assert "resample_cache" in found.on
    assert "prebuilt_resample" not in found.toggles


def test_a_stage_whose_time_no_single_ceiling_and_not_their_absence_explains_is_left_alone() -> None:
    mixed = replace(FLOOR, memory_s=0.3, arithmetic_s=0.3, hardware_s=0.6, floor_s=0.6)
    assert advice(run(mixed), "cpu") == ()


def test_without_floors_nothing_is_advised() -> None:
    assert advice(run(), "cpu", {"none": IDLE}) == ()
    assert advice(run(FLOOR), "cuda:0", {"none": IDLE}) == ()


def test_every_site_of_a_speech_pipeline_has_its_stage() -> None:
    assert set(STAGES) == set(SPEECH_SITES)
    assert list(toggles_of("cleanup")) == ["batched_cleanup", "cached_cuda_check"]
    assert not list(toggles_of("llm"))


def test_every_rule_is_asked() -> None:
    rules = {
        name
        for name, item in vars(advising).items()
        if not name.startswith("_")
        and callable(item)
        and getattr(item, "__annotations__", {}).get("return") == "Reason | None"
    }
    assert rules == {rule.__name__ for rule in advising.RULES}
