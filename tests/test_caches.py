"""Caches: planted gains in hits and losses in misses are found again, and what entries hold is what was planted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import compare, store
from harness.caches import BreakEven, Kinds, break_even
from harness.optimizations import registry
from harness.results import CacheEffect, Run
from tests.conftest import fake_scenario
from tests.simulated_caches import CASES, simulate

pytestmark = pytest.mark.usefixtures("_own_cache")
SPEAKERS = "speaker_preregistration"
HIT, MISS, ENTRY_BYTES = -0.3, 0.1, 4096
MODEL = {
    "noise": 0.005, "seed": 3, "effects": {SPEAKERS: HIT, "resample_cache": -0.05}, "misses": {SPEAKERS: MISS},
    "entry_bytes": {SPEAKERS: ENTRY_BYTES},
}  # fmt: skip
SHORT = {"budget": "4s", "memory_repeats": 1}
TOGGLES = {SPEAKERS: True, "resample_cache": True, "batched_cleanup": True}
BASE_S = 0.05


def run_of(measure_fake: Callable[..., Run], repeat: float, count: int = 3, **keys: Any) -> Run:
    workload = {"texts": {"zh": "你好", "en": "hello"}, "speakers": {"count": count, "repeat": repeat}}
    return measure_fake(**{"measure": SHORT, "model": MODEL, "optimizations": TOGGLES, "workload": workload, **keys})


def effect(run: Run, optimization: str = SPEAKERS) -> CacheEffect:
    return next(found for found in run.caches if found.optimization == optimization)


def changes(found: CacheEffect) -> Mapping[float, tuple[float, float, float]]:
    return {at.rate: (at.low_s or 0.0, at.change_s, at.high_s or 0.0) for at in found.at}


def test_the_toggles_that_are_caches_say_what_they_keep_by_what_and_how_it_ends() -> None:
    found = {name: toggle.cache for name, toggle in registry().items() if toggle.cache is not None}
    assert set(found) == {
        "resample_cache", "prebuilt_resample", SPEAKERS, "cached_cuda_check", "cached_device", "precompiled_regex",
    }  # fmt: skip
    assert all(cache.entry and cache.key for cache in found.values())
    assert [name for name, cache in found.items() if cache.grows] == [SPEAKERS]
    assert {name for name, cache in found.items() if cache.misses == "first use"} == {"resample_cache"}


def test_what_hits_save_and_misses_cost_and_where_they_cancel_is_found_again(measure_fake: Callable[..., Run]) -> None:
    run = run_of(measure_fake, 0.5)
    found = effect(run)
    curve = changes(found)
    for rate in (0.0, found.stated_rate, 1.0):
        low, _, high = curve[rate]
        assert low <= BASE_S * (rate * HIT + (1 - rate) * MISS) <= high
    assert found.stated_rate == 0.5
    assert found.before_s == pytest.approx(BASE_S, rel=0.01)
    truth = MISS / (MISS - HIT)
    assert found.break_even == pytest.approx(truth, abs=0.03)
    assert found.break_even_low is not None
    assert found.break_even_high is not None
    assert 0 < found.break_even_low <= truth <= found.break_even_high < 1
    assert found.warnings == ()
    assert (found.entries, found.entry_bytes, found.grows) == (3, ENTRY_BYTES, True)
    assert {held.arm for held in run.held} == {SPEAKERS, "all"}
    assert [found.optimization for found in run.caches] == [SPEAKERS, "resample_cache"], "the third toggle is none"
    other = effect(run, "resample_cache")
    assert (other.misses, other.stated_rate, other.grows) == ("first use", 1.0, False), (
        "a new speaker misses nothing here"
    )
    low, _, high = changes(other)[1.0]
    assert low <= BASE_S * -0.05 <= high


def test_a_cache_that_helps_in_misses_too_has_no_break_even(measure_fake: Callable[..., Run]) -> None:
    found = effect(run_of(measure_fake, 0.5, model={**MODEL, "misses": {SPEAKERS: -0.05}}))
    assert (found.break_even, found.break_even_low, found.break_even_high) == (None, None, None)
    assert all((at.high_s or 0.0) < 0 for at in found.at)


@pytest.mark.parametrize(("repeat", "rate", "planted"), [(1.0, 1.0, HIT), (0.0, 0.0, MISS)], ids=["hits", "misses"])
def test_requests_of_one_kind_say_nothing_of_the_other(
    measure_fake: Callable[..., Run], repeat: float, rate: float, planted: float
) -> None:
    found = effect(run_of(measure_fake, repeat))
    assert list(changes(found)) == [rate]
    low, _, high = changes(found)[rate]
    assert low <= BASE_S * planted <= high
    assert (found.break_even, found.stated_rate) == (None, rate)
    assert found.warnings == (("only hits",) if repeat else ())


def test_one_speaker_who_always_returns_is_warned_of(measure_fake: Callable[..., Run]) -> None:
    run = run_of(measure_fake, 1.0, count=1)
    assert effect(run).warnings == ("only hits", "one speaker")
    assert effect(run, "resample_cache").warnings == ()


def test_an_arm_that_may_not_be_judged_has_its_reason_and_no_figures(measure_fake: Callable[..., Run]) -> None:
    found = effect(run_of(measure_fake, 0.5, model={**MODEL, "faults": {SPEAKERS: "change"}}))
    assert found.reason.startswith("output changed: ")
    assert found.at == ()


def test_every_pair_of_leave_one_out_is_judged_by_itself(measure_fake: Callable[..., Run]) -> None:
    run = run_of(measure_fake, 0.5, design="leave_one_out", model={**MODEL, "faults": {"resample_cache": "inert"}})
    assert effect(run, "resample_cache").reason.startswith("inert: ")
    low, _, high = changes(effect(run))[1.0]
    assert low <= 0.95 * BASE_S * HIT <= high


def test_a_run_is_read_again_with_its_caches_and_an_older_one_without(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    run = run_of(measure_fake, 0.5)
    assert store.load(tmp_path / "run").caches == run.caches
    file = tmp_path / "run" / store.RUN_FILE
    data = json.loads(file.read_text(encoding="utf-8"))
    for name in ("caches", "held"):
        del data[name]
    file.write_text(json.dumps(data), encoding="utf-8")
    older = store.load(tmp_path / "run")
    assert (older.caches, older.held) == ((), ())
    again = effect(compare.evaluate(older))
    assert (again.at, again.entries) == (effect(run).at, None)


def test_a_scenario_that_is_not_read_today_is_not_warned_of(measure_fake: Callable[..., Run]) -> None:
    run = run_of(measure_fake, 1.0, count=1)
    older = compare.evaluate(replace(run, scenario={**run.scenario, "unknown": 1}))
    assert effect(older).warnings == ("only hits",)


@pytest.mark.parametrize("name", ["even", "near 0", "near the noise"])
def test_intervals_of_the_break_even_rate_hold_it_as_often_as_they_say(name: str) -> None:
    assert simulate(*CASES[name], workers=6, runs=200).held >= 0.9, (
        "where 95 % hold it, fewer than 90 % of 200 do so about once in 860 times"
    )


def test_a_rate_at_which_nothing_changes_is_not_told_apart_by_one_worker() -> None:
    one = Kinds(hits=np.array([[-0.1]]), misses=np.array([[0.1]]))
    assert break_even(one, blocks=9, level=0.95) == BreakEven(rate=0.5, low=None, high=None)


def test_scenarios_name_what_is_planted_of_caches() -> None:
    options = fake_scenario(model=MODEL).options()
    assert (options["misses"], options["entry_bytes"]) == ({SPEAKERS: MISS}, {SPEAKERS: ENTRY_BYTES})
