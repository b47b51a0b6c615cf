"""Plots as SVG text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib as mpl
import pytest

from harness.report import canvas, plots, svgs
from harness.report.axes import round_shares
from tests.report import sample_runs


def test_plots_are_the_same_bytes_for_the_same_run_and_change_no_global_state() -> None:
    before = dict(mpl.rcParams)
    first, second = svgs(sample_runs.calibrated()), svgs(sample_runs.calibrated())
    assert first == second
    assert dict(mpl.rcParams) == before
    parts = ("distributions", "effects", "effects-narrow", "levels", "memory", "quantiles", "stages", "warmup")
    assert set(first) == {f"device-{device}-{part}.svg" for device in ("cpu", "cuda-0") for part in parts}


def test_plots_are_svg_whose_text_is_text() -> None:
    for text in svgs(sample_runs.calibrated()).values():
        root = ET.fromstring(text)  # noqa: S314  our own output
        assert root.get("role") == "img"
        assert root.get("aria-label")
    effects = svgs(sample_runs.calibrated())["device-cpu-effects.svg"]
    assert ">speaker_preregistration</text>" in effects
    assert ">12.3\u202f% faster</text>" in effects
    assert "precompiled_patterns" not in effects
    narrow = svgs(sample_runs.calibrated())["device-cpu-effects-narrow.svg"]
    for said in (
        ">speaker_preregistration</text>",
        ">12.3\u202f% faster</text>",
        ">placebo</text>",
        ">host dose</text>",
    ):
        assert said in narrow


def test_states_of_a_toggle_are_drawn_time_against_peak_in_a_panel_for_each_concurrency() -> None:
    (name,) = set(svgs(sample_runs.several_states())) - set(svgs(sample_runs.calibrated()))
    assert name == "device-cuda-0-frontier-batched_cleanup.svg"
    text = svgs(sample_runs.several_states())[name]
    assert [f">{title}</text>" in text for title in ("alone", "2 at once", "4 at once", "8 at once")] == [True] * 4
    assert text.count(">every=never</text>") == 3
    assert text.count(">every=never,above=2GiB</text>") == 4


def test_a_frontier_without_peaks_is_a_table_and_no_plot() -> None:
    run = sample_runs.several_states()
    bare = replace(run, frontier=tuple(replace(point, peak=None) for point in run.frontier))
    assert set(svgs(bare)) == set(svgs(sample_runs.calibrated()))


def test_a_run_without_figures_has_no_plots() -> None:
    assert svgs(replace(sample_runs.calibrated(), contrasts=(), trials=())) == {}


def test_names_of_a_run_file_stay_text_in_plots() -> None:
    run = sample_runs.calibrated()
    renamed = tuple(
        replace(row, optimization=sample_runs.HOSTILE) if row.optimization == "resample_cache" else row
        for row in run.contrasts
    )
    for text in svgs(replace(run, contrasts=renamed)).values():
        assert "<script" not in text


@pytest.mark.parametrize("parts", [5, 7])
@pytest.mark.parametrize(("low", "high"), [(-0.01, 0.02), (-3.0, 3.0), (-12.0, 12.0), (-700.0, 840.0), (0.0, 1e-9)])
def test_round_changes_are_few_however_wide_the_axis(low: float, high: float, parts: int) -> None:
    shares, step = round_shares(low, high, (0.1, 1.0, 20.0), parts)
    assert len(shares) <= 2 * parts + 2
    assert all(share > -1 for share in shares)
    assert step > 0


def held(*sizes: float) -> set[str]:
    """The words of a plot of memory that held `sizes`, a second apart."""
    with canvas.style():
        drawn = plots.held(list(enumerate(sizes)), "none")
    return set(re.findall(r">([^<>]*)</text>", drawn.replace("\u202f", " ")))


def test_memory_over_time_begins_where_it_never_goes_below_if_that_is_most_of_it() -> None:
    weights, mib = 3 * 2**30, 2**20
    assert {"3.000 GiB", "+100 MiB"} <= held(weights, weights + 190 * mib, weights)
    assert {"0 B", "100 MiB"} <= held(10 * mib, 200 * mib, 10 * mib)


def test_memory_that_never_moves_has_an_axis() -> None:
    assert "3.000 GiB" in held(3 * 2**30, 3 * 2**30)
