"""Plots as SVG text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib as mpl

from harness.report import svgs
from tests.report import sample_runs


def test_plots_are_the_same_bytes_for_the_same_run_and_change_no_global_state() -> None:
    before = dict(mpl.rcParams)
    first, second = svgs(sample_runs.calibrated()), svgs(sample_runs.calibrated())
    assert first == second
    assert dict(mpl.rcParams) == before
    assert sorted(first) == [
        "device-cpu-effects.svg", "device-cpu-levels.svg", "device-cpu-memory.svg", "device-cpu-stages.svg",
        "device-cuda-0-effects.svg", "device-cuda-0-levels.svg", "device-cuda-0-memory.svg", "device-cuda-0-stages.svg",
    ]  # fmt: skip


def test_plots_are_svg_whose_text_is_text() -> None:
    for text in svgs(sample_runs.calibrated()).values():
        root = ET.fromstring(text)  # noqa: S314  our own output
        assert root.get("role") == "img"
        assert root.get("aria-label")
    effects = svgs(sample_runs.calibrated())["device-cpu-effects.svg"]
    assert ">speaker_preregistration</text>" in effects
    assert ">12.3\u202f% faster</text>" in effects
    assert "precompiled_patterns" not in effects


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
