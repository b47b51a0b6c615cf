"""Effects by kind of request and the listener's table, before they are laid out, and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.report import html, markdown, page, svgs
from harness.report.kinds import kind_labels
from harness.report.model import PlaybackRow
from tests.report import sample_runs
from tests.report.sample_streaming import LENGTHS, METRICS, by_length

KINDS = ["zh-3s stream", "zh-10s stream", "zh-30s stream"]


def test_every_toggle_that_may_be_compared_has_its_kinds_in_the_order_of_the_workload() -> None:
    (device,) = page.build(by_length()).devices
    names = [table.name for table in device.kinds]
    assert names[0] == "all"
    assert {"precompiled_patterns", "half_precision"}.isdisjoint(names)
    assert {"speaker_preregistration", "resample_cache"} <= set(names)
    for table in device.kinds:
        assert [row.kind for row in table.rows if row.metric == "latency"] == KINDS
        assert {row.metric for row in table.rows} == set(METRICS)
        assert {row.level for row in table.rows} == {"98.3\u202f%"}
        assert [row.kind for row in table.plotted] == ["whole workload", *KINDS]


def test_the_row_of_the_whole_workload_is_the_only_one_in_the_other_tables() -> None:
    with_kinds, without = by_length(), by_length()
    without = replace(without, contrasts=tuple(c for c in without.contrasts if not c.stratum))
    first, second = page.build(with_kinds), page.build(without)
    assert first.devices[0].headline.rows == second.devices[0].headline.rows
    assert "medians over 3 kinds of request" in first.devices[0].headline.note
    assert not second.devices[0].headline.note
    assert first.devices[0].answer == second.devices[0].answer
    assert [table.rows for table in first.devices[0].tables] == [table.rows for table in second.devices[0].tables]
    assert first.toggles == second.toggles
    assert second.devices[0].kinds == ()


def test_the_words_that_all_kinds_share_are_left_out_of_their_names() -> None:
    assert list(kind_labels(list(LENGTHS)).values()) == KINDS
    new = ["en zero_shot", "en zero_shot, new speaker", "zero_shot zero_shot stream"]
    assert list(kind_labels(new).values()) == ["en", "en, new speaker", "zero_shot stream"]
    assert list(kind_labels(["en zero_shot", "en sft"]).values()) == ["en zero_shot", "en sft"]
    assert list(kind_labels(["", "cycle"]).values()) == ["", "cycle"]


def test_a_listener_hears_each_arm_by_kind_and_arms_that_may_not_be_compared_are_left_out() -> None:
    (device,) = page.build(by_length()).devices
    assert [(row.kind, row.arm) for row in device.playback] == [
        (kind, arm) for kind in _turns(device.playback) for arm in ("none", "all")
    ]
    before = [row for row in device.playback if row.arm == "none"]
    assert any(row.underruns != "0" for row in before)
    after = [row for row in device.playback if row.arm == "all"]
    assert {(row.dry.partition(" ")[0], row.underruns, row.silence) for row in after} == {("0", "0", "0\u202fs")}


def _turns(rows: Sequence[PlaybackRow]) -> list[str]:
    return list(dict.fromkeys(row.kind for row in rows))


def test_nothing_streamed_has_no_table_for_a_listener() -> None:
    device = page.build(sample_runs.calibrated()).devices[0]
    assert device.playback == ()
    assert device.kinds == ()


def test_names_of_kinds_in_a_run_file_stay_text() -> None:
    run = by_length()
    named = tuple(replace(c, stratum=c.stratum and sample_runs.HOSTILE) for c in run.contrasts)
    trials = tuple(replace(trial, stratum=sample_runs.HOSTILE) for trial in run.trials)
    hostile = replace(run, contrasts=named, trials=trials)
    assert html(hostile).count("<script") == 1  # the page's own
    assert "<script" not in markdown(hostile)


def test_each_kind_is_on_the_page_with_a_plot_of_its_own() -> None:
    text = html(by_length())
    assert "What a listener hears on cpu" in text
    assert text.count("whole workload</text>") == len(page.build(by_length()).devices[0].kinds)
    assert "device-cpu-kinds-resample_cache.svg" in svgs(by_length())


def test_a_toggle_shows_the_kinds_of_each_of_its_settings() -> None:
    run = by_length()
    named = tuple(
        replace(c, optimization="resample_cache[limit=4]") if c.optimization == "resample_cache" else c
        for c in run.contrasts
    )
    text = html(replace(run, contrasts=named))
    assert "Keep one Resample kernel per pair of rates [limit=4] by kind of request, on cpu" in text
    assert "device-cpu-kinds-resample_cache-limit-4.svg" in svgs(replace(run, contrasts=named))
