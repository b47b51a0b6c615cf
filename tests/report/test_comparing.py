"""Runs side by side: what is shown, what is refused, and a page in need of nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.report import comparing
from harness.report.comparing.model import Comparison, Line
from harness.report.comparing.plot import intervals
from harness.results import Run
from tests.report import sample_gates, sample_runs
from tests.report.in_browser import chromium, opened, overflow
from tests.report.sample_comparisons import elsewhere, first, leaving_one_out, with_states
from tests.report.test_html import Elements

HOSTILE = "<script>alert(1)</script>|`x`\x1b[31m\u202egnp @all \u4f60\u597d ${1} $x^2$"


def _line(found: Comparison, metric: str, name: str) -> Line:
    part = next(part for part in found.parts if part.metric == metric)
    return next(line for line in part.lines if line.name == name)


def _hostile() -> Run:
    """Every text of a run file is as bad as it can be, names of optimizations, arms and devices too."""
    run = elsewhere()
    arms = tuple(
        replace(arm, name=HOSTILE if arm.name == "resample_cache" else arm.name,
                states={HOSTILE if name == "resample_cache" else name: state for name, state in arm.states.items()})
        for arm in run.plan.arms
    )  # fmt: skip
    named = (replace(c, optimization=HOSTILE, arm=HOSTILE) if c.arm == "resample_cache" else c for c in run.contrasts)
    contrasts = tuple(replace(contrast, reason=HOSTILE, device=HOSTILE) for contrast in named)
    optimizations = {
        HOSTILE if name == "resample_cache" else name: {**known, "title": HOSTILE, "witness_unit": HOSTILE}
        for name, known in run.optimizations.items()
    }
    return replace(
        run, id=HOSTILE, scenario={**run.scenario, "name": HOSTILE, HOSTILE: {HOSTILE: HOSTILE}}, contrasts=contrasts,
        optimizations=optimizations, plan=replace(run.plan, arms=arms, devices=(HOSTILE,)), unavailable={HOSTILE: {"ttfa": HOSTILE}},
        environment={"cpu": {"model": HOSTILE}, "git": {"commit": HOSTILE}, "versions": {HOSTILE: HOSTILE}},
        controls=tuple(replace(control, device=HOSTILE, reason=HOSTILE) for control in run.controls), timing={},
    )  # fmt: skip


def test_each_device_of_each_run_is_a_side_with_its_machine_commit_and_calibration() -> None:
    sides = comparing.compare([first(), elsewhere()]).sides
    assert [side.label for side in sides] == ["A cpu", "A cuda:0", "B cpu"]
    assert sides[1].device == "cuda:0, NVIDIA H100 80GB HBM3"
    assert (sides[2].machine, sides[2].commit) == ("AMD EPYC 9654, 512.0\u202fGiB", "9f8e7d6c5b")
    assert {side.calibrated.text for side in sides} == {"calibrated"}


def test_runs_of_one_device_are_called_by_their_letters_alone() -> None:
    runs = [elsewhere(), replace(elsewhere(), id="again")]
    assert [side.label for side in comparing.compare(runs).sides] == ["A", "B"]


def test_ratio_interval_and_verdict_of_each_run_stand_next_to_each_other() -> None:
    line = _line(comparing.compare([first(), elsewhere()]), "latency", "all")
    told = [(row.change, row.interval, row.verdict.text) for row in line.cells if row]
    assert told[0] == ("12.3\u202f% faster", "11.6 to 13.0\u202f% faster", "faster")
    assert told[2] == ("7.6\u202f% faster", "7.1 to 8.0\u202f% faster", "faster")
    assert line.apart == "each from every other"


def _on_the_cpu(run: Run) -> Run:
    contrasts = tuple(contrast for contrast in run.contrasts if contrast.device == "cpu")
    return replace(run, contrasts=contrasts, plan=replace(run.plan, devices=("cpu",)))


def test_intervals_apart_are_named_in_pairs_and_overlapping_ones_are_none() -> None:
    found = comparing.compare([elsewhere(), replace(elsewhere(), id="again"), _on_the_cpu(first())])
    assert _line(found, "latency", "resample_cache").apart == "none"
    assert _line(found, "latency", "all").apart == "A and C, B and C"


def test_of_many_intervals_apart_groups_are_named_from_the_lowest_on_and_what_the_bar_means() -> None:
    found = comparing.compare([elsewhere(), replace(elsewhere(), id="again"), first()])
    assert _line(found, "latency", "all").apart == "C cuda:0 | C cpu | A cpu, B cpu"
    assert "a bar stands between runs whose intervals have nothing in common" in comparing.html(found)
    few = comparing.compare([elsewhere(), replace(elsewhere(), id="again")])
    assert "a bar stands" not in comparing.html(few)


def test_intervals_that_hang_together_in_a_chain_are_named_in_pairs() -> None:
    made = [replace(_on_the_cpu(first()), id=str(number)) for number in range(5)]
    chain = [
        replace(run, contrasts=tuple(
            replace(contrast, ratio=0.80 + 0.02 * number, ratio_low=0.785 + 0.02 * number, ratio_high=0.815 + 0.02 * number)
            if (contrast.optimization, contrast.metric) == ("all", "latency") and not contrast.stratum else contrast
            for contrast in run.contrasts
        ))
        for number, run in enumerate(made)
    ]  # fmt: skip
    assert (
        _line(comparing.compare(chain), "latency", "all").apart
        == "A and C, A and D, A and E, B and D, B and E, C and E"
    )


def test_effects_that_a_far_one_would_press_into_a_point_have_a_panel_of_their_own() -> None:
    found = comparing.compare([first(), elsewhere()])
    labels = [side.label for side in found.sides]
    part = next(part for part in found.parts if part.metric == "latency")
    assert "near to no change" in intervals(part, labels)
    alone = replace(part, lines=tuple(line for line in part.lines if line.name == "cached_cuda_check"))
    assert "near to no change" not in intervals(alone, labels)


def test_times_of_different_machines_are_shown_and_no_verdict_is_about_them() -> None:
    found = comparing.compare([first(), elsewhere()])
    row_of_first, _, row_of_other = _line(found, "latency", "resample_cache").cells
    assert row_of_first is not None
    assert row_of_other is not None
    assert (row_of_first.before, row_of_other.before) == ("2.083\u202fs", "4.166\u202fs")
    assert {row_of_first.verdict.text, row_of_other.verdict.text} == {"no material difference"}
    text = comparing.html(found)
    assert "those of two runs are not compared, and no verdict rests on them" in text
    assert "2.0 times" not in text.replace("\u202f", " ")


def test_an_arm_that_may_not_be_compared_has_its_state_and_no_figure() -> None:
    found = comparing.compare([first(), elsewhere()])
    cells = [row for row in _line(found, "latency", "half_precision").cells if row]
    assert {row.verdict.text for row in cells} == {"output changed"}
    assert {(row.change, row.interval, row.before, row.after, row.ratio, row.low) for row in cells} == {
        ("", "", "", "", None, None)
    }
    assert _line(found, "latency", "half_precision").apart == ""
    assert "29.0" not in comparing.markdown(found)
    (drawn,) = [part for part in found.parts if part.metric == "latency"]
    assert "half_precision" not in intervals(drawn, [side.label for side in found.sides])


def test_a_run_that_is_not_calibrated_is_named_and_draws_no_verdict() -> None:
    found = comparing.compare([elsewhere(), sample_runs.not_calibrated()])
    assert found.notices[0].startswith("Not calibrated: B cpu.")
    row = _line(found, "latency", "all").cells[1]
    assert row is not None
    assert (row.change, row.verdict.text) == ("12.3\u202f% faster", "inconclusive")
    assert found.sides[1].state.startswith("not finished")


def test_other_parameters_leave_that_row_out_and_say_why() -> None:
    other = with_states(elsewhere(), "batched_cleanup", batched_cleanup={"every": 8})
    found = comparing.compare([replace(elsewhere(), id="one"), other])
    assert all(line.name != "batched_cleanup" for part in found.parts for line in part.lines)
    (item,) = found.left_out
    assert (item.name, item.side) == ("batched_cleanup", "B")
    assert item.reason == "in its arm batched_cleanup is on with every: 8, in the first run's on with every: request"
    assert item.metrics.startswith("latency, time to first audio")


def test_a_metric_that_one_device_cannot_measure_is_left_out_with_its_reason() -> None:
    found = comparing.compare([first(), elsewhere()])
    reasons = {(item.side, item.metrics): item.reason for item in found.left_out}
    assert reasons["A cpu", "peak allocated, peak reserved"] == "not in this run: the CPU has no caching allocator"


def test_runs_of_other_requests_are_refused_with_every_reason() -> None:
    other = replace(elsewhere(), plan=replace(elsewhere().plan, requests=("fr",)))
    with pytest.raises(
        UsageError, match="elsewhere beside first: its requests are fr, in the first run they are zh-news"
    ):
        comparing.compare([first(), other])


def test_runs_with_nothing_in_common_are_refused_with_the_reason_of_each_row() -> None:
    with pytest.raises(UsageError, match=r"nothing that may stand side by side: .*reference arm"):
        comparing.compare([replace(elsewhere(), id="one"), leaving_one_out()])


def test_two_gates_of_the_same_commits_stand_side_by_side_in_their_own_words() -> None:
    revisions = {"base": {"commit": 40 * "a"}, "head": {"commit": 40 * "b"}}
    runs = [replace(sample_gates.run(environment={"revisions": revisions}), id=name) for name in ("one", "two")]
    text = comparing.html(comparing.compare(runs))
    assert '<th scope="col">Setting</th>' in text
    assert "With no optimization" in text
    assert "aaaaaaaaaa \u2192 bbbbbbbbbb" in text


def test_what_differs_is_listed_and_what_is_the_same_or_moves_from_minute_to_minute_is_not() -> None:
    busy = {**first().environment, "cpu": {**first().environment["cpu"], "load_1min": 3.0}}
    found = comparing.compare([first(), elsewhere(), replace(first(), id="busy", environment=busy)])
    told = {(item.group, item.name): item.values for item in found.differences}
    assert told["Scenario", "measure.margin.latency"] == ("not set", "not set", "1%", "not set", "not set")
    assert told["Machine", "Processor"][0] == "Intel Xeon Platinum 8481C"
    assert told["Versions", "python"][2] == "3.12.3"
    assert told["Code", "Commit"][2] == "9f8e7d6c5b"
    assert not any("load" in name or name == "torch" for _, name in told)
    assert list(dict.fromkeys(item.group for item in found.differences)) == ["Scenario", "Machine", "Versions", "Code"]


def test_changed_code_of_a_toggle_is_a_difference() -> None:
    run = elsewhere()
    changed = {
        **run.optimizations,
        "all_new": {},
        "resample_cache": {**run.optimizations["resample_cache"], "after_source": "new"},
    }
    found = comparing.compare([elsewhere(), replace(run, id="changed", optimizations=changed)])
    (item,) = found.differences
    assert item.name == "resample_cache, code after, as a hash"


def test_changed_code_that_is_measured_is_a_difference_and_other_times_of_the_same_weights_are_none() -> None:
    def measured(digest: str) -> Run:
        told = {"model.target": digest, "plugins.0": "55d7fb913767", "model.weights": digest}
        return replace(elsewhere(), id=digest, environment={**elsewhere().environment, "measured": told})

    (item,) = comparing.compare([measured("0c8922cd3f03"), measured("4b185359b0bb")]).differences
    assert (item.name, item.values) == ("model.target, its code as a hash", ("0c8922cd3f03", "4b185359b0bb"))


def test_what_lies_on_somebodys_disk_is_named_and_not_located() -> None:
    def model(run: Run, home: str, folder: str) -> Run:
        said = {
            "weights": f"{home}/{folder}",
            "python": f"{home}/{folder}/bin/python3",
            "supply": f"{home}/{folder}.py",
        }
        return replace(run, scenario={**run.scenario, "model": {"adapter": "checkout", **said}})

    found = comparing.compare([model(first(), "/home/ada", "big"), model(elsewhere(), "/home/bob", "small")])
    told = {item.name: item.values for item in found.differences}
    assert told["model.weights"] == ("big", "big", "small")
    assert told["model.supply"] == ("big.py", "big.py", "small.py")
    assert any("different models" in notice for notice in found.notices)
    assert "/home" not in comparing.html(found) + comparing.markdown(found)


@pytest.mark.parametrize("runs", [[first(), elsewhere()], [elsewhere(), _hostile()]], ids=["plain", "hostile"])
def test_the_page_is_well_formed_loads_nothing_and_runs_nothing(runs: Sequence[Run]) -> None:
    text = comparing.html(comparing.compare(runs))
    page = Elements(text)
    assert page.open == []
    ids = list(page.attributes("id"))
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.attributes("href", "xlink:href") if link.startswith("#")} <= set(ids)
    assert all(link.startswith(("#", "data:")) for link in page.attributes("src", "href", "xlink:href"))
    assert "script" not in {tag for tag, _ in page.found}
    assert "http:" not in text
    assert "https:" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert not {"\x1b", "\u202e"} & set(text)


def test_hostile_names_stay_text_in_markdown_and_in_messages() -> None:
    found = comparing.compare([elsewhere(), _hostile()])
    text = comparing.markdown(found)
    assert "<script" not in text
    assert "@all" not in text
    assert "\\|\\`x\\`" in text
    assert not {"\x1b", "\u202e"} & set(text)
    other = replace(_hostile(), plan=replace(_hostile().plan, requests=(HOSTILE,)))
    with pytest.raises(UsageError) as refused:
        comparing.compare([first(), other])
    assert not {"\x1b", "\u202e", "\n"} & set(str(refused.value))


def test_markdown_has_a_row_for_each_optimization_and_folds_other_metrics_away() -> None:
    text = comparing.markdown(comparing.compare([first(), elsewhere()]))
    assert text.startswith("## 2 runs side by side\n")
    assert (
        "| **all** | **12.3\u202f% faster** (11.6 to 13.0\u202f% faster)<br>\u2714 faster<br>2.083\u202fs \u2192 1.827\u202fs |"
        in text
    )
    assert "<details><summary>Time to first audio</summary>" in text
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("| **all**")}
    assert widths == {4}


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_opens_the_page_without_complaints_or_overflow(tmp_path: Path, width: int) -> None:
    path = tmp_path / "comparison.html"
    path.write_text(comparing.html(comparing.compare([first(), _hostile()])), encoding="utf-8")
    with chromium() as browser:
        page, complaints = opened(browser, path.as_uri(), viewport={"width": width, "height": 900})
        assert overflow(page) == 0
    assert complaints == []
