"""Every sample: what is drawn of thousands, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.report import html, page, series, svgs
from harness.report.reading import Reading
from tests.report import sample_gates, sample_runs
from tests.report.large_run import large_run


def test_few_values_are_all_drawn_and_many_keep_their_extremes_and_their_shape() -> None:
    few, many = (
        np.sort(np.random.default_rng(1).lognormal(size=40)),
        np.sort(np.random.default_rng(2).lognormal(size=9000)),
    )
    assert series.by_rank(few, 100) is few
    drawn = series.by_rank(many, 300)
    assert len(drawn) == 300
    assert (drawn[0], drawn[-1]) == (many[0], many[-1])
    for share in (0.1, 0.5, 0.9, 0.99):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(many, share), rel=0.05)


def test_a_single_spike_among_thousands_in_a_row_is_kept() -> None:
    values = np.ones(10_000)
    values[7777], values[1234] = 9.0, 0.1
    kept = series.by_stretch(values, 600)
    assert len(kept) <= 600
    assert {7777, 1234} <= set(kept.tolist())


def test_spreads_are_those_of_the_table_with_the_baseline_first_and_every_sample_counted() -> None:
    reading = Reading(sample_runs.calibrated())
    device = page.build(reading.run).devices[0]
    found = series.spreads(reading, device)
    assert [spread.label for spread in found] == ["before", "all together"]
    assert [len(spread.values) for spread in found] == [48, 48]
    assert all((np.diff(spread.values) >= 0).all() for spread in found)


def test_warm_up_ends_where_the_run_says_so_and_its_first_request_stands_out() -> None:
    found = series.warmup(Reading(sample_runs.calibrated()), "cpu")
    assert found is not None
    places, warm = found
    assert warm == 3
    assert places.medians[0] > 1.5
    assert places.medians[warm:].max() < 1.2


def test_without_warm_up_there_is_no_curve_of_it() -> None:
    run = sample_runs.calibrated()
    timed = replace(run, trials=tuple(trial for trial in run.trials if trial.phase == "timed"))
    assert series.warmup(Reading(timed), "cpu") is None
    assert "device-cpu-warmup.svg" not in svgs(timed)


def test_a_place_in_the_block_that_costs_shows() -> None:
    run = large_run(arms=6, requests=400, stages=2)
    slowed = [
        replace(trial, values={**trial.values, "latency": (trial.values["latency"] or 0.0) * 1.2})
        if trial.position == 3
        else trial
        for trial in run.trials
    ]
    before, after = (series.positions(Reading(made), "cpu") for made in (run, replace(run, trials=tuple(slowed))))
    assert before is not None
    assert after is not None
    assert np.abs(before.medians - 1).max() < 0.02
    assert after.medians.argmax() == 3
    assert after.medians[3] > 1.1


def test_the_page_says_how_many_samples_are_drawn_and_keeps_below_three_megabytes_for_64_arms() -> None:
    text = html(large_run(requests=400))
    assert len(text.encode()) < 3_000_000
    words = " ".join(text.split())
    assert "Of 9 600 samples 4 992 are drawn, of each arm at even ranks" in words
    assert "The first 24 of 64 arms of the table are drawn." in words


def test_effects_far_from_no_change_get_a_near_view_only_where_something_is_near() -> None:
    assert "near to no change" in svgs(sample_runs.calibrated())["device-cpu-effects.svg"]
    assert "near to no change" not in svgs(sample_runs.nothing_told_apart())["device-cpu-effects.svg"]


def test_controls_stand_among_the_effects_and_a_dose_where_it_is_known_to_be() -> None:
    device = page.build(sample_runs.calibrated()).devices[0]
    dose = next(control for control in device.controls if control.name == "host dose")
    assert dose.log_known == pytest.approx(np.log1p(0.02))
    effects = svgs(sample_runs.calibrated())["device-cpu-effects.svg"]
    assert ">placebo</text>" in effects
    assert ">host dose</text>" in effects


def test_a_limit_is_drawn_where_it_is_known_and_not_far_away() -> None:
    from harness.report import canvas, forest

    device = page.build(sample_runs.calibrated()).devices[0]
    with canvas.style():
        assert ">limit</text>" not in forest.effects(device)
        assert ">limit</text>" in forest.effects(replace(device, limit=0.9))
        assert ">limit</text>" not in forest.effects(replace(device, limit=0.001))


def test_the_plot_of_a_gate_names_its_settings() -> None:
    effects = next(svg for name, svg in svgs(sample_gates.run()).items() if "effects" in name)
    assert ">With all optimizations</text>" in effects
