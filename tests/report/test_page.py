"""What a report says, before it is laid out."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from harness.report import html, page
from harness.report.model import Device
from harness.results import Failure, Finding, Run, Trial, Verdict
from tests.report import sample_gates, sample_runs


def _device(run: Run, name: str = "cpu") -> Device:
    return next(device for device in page.build(run).devices if device.name == name)


def test_inert_changed_and_failed_arms_are_never_among_the_rows_that_are_compared() -> None:
    for name in ("cpu", "cuda:0"):
        device = _device(sample_runs.calibrated(), name)
        refused = {entry.name for entry in device.invalid}
        assert {"precompiled_patterns", "half_precision"} <= refused
        for table in (device.headline, *device.tables):
            assert not refused & {row.name for row in table.rows}


def test_every_optimization_is_in_the_headline_table_or_beside_it_with_a_reason() -> None:
    device = _device(sample_runs.calibrated(), "cuda:0")
    names = [row.name for row in device.headline.rows] + [entry.name for entry in device.invalid]
    assert sorted(names) == sorted([*sample_runs.TITLES, "all"])
    assert all(entry.reason for entry in device.invalid)
    failed = next(entry for entry in device.invalid if entry.name == "static_cache")
    assert failed.reason == "out of memory: tried to allocate 2.00 GiB with 1.31 GiB free"


def test_what_may_not_be_compared_has_no_change_in_its_card_nor_at_the_top() -> None:
    run = sample_runs.calibrated()
    card = next(toggle for toggle in page.build(run).toggles if toggle.name == "half_precision")
    rows = [row for device in card.devices for row in (*device.rows, *device.stages)]
    assert {(row.verdict.text, row.change, row.interval) for row in rows} == {("output changed", "–", "–")}
    assert not any(re.search(r"\d %", device.sentence) for device in card.devices)
    together = [replace(c, verdict="output changed") if c.optimization == "all" else c for c in run.contrasts]
    tiles = _device(replace(run, contrasts=tuple(together))).together
    assert {row.change for row in tiles} == {"–"}


def test_an_optimization_without_any_comparison_is_named_too() -> None:
    run = sample_runs.calibrated()
    kept = tuple(contrast for contrast in run.contrasts if contrast.optimization != "resample_cache")
    entry = next(entry for entry in _device(replace(run, contrasts=kept)).invalid if entry.name == "resample_cache")
    assert entry.verdict.text == "not measured"


def test_a_failed_control_leaves_figures_and_takes_verdicts() -> None:
    device = _device(sample_runs.not_calibrated())
    assert not device.calibrated
    assert {row.verdict.text for row in device.headline.rows} == {"inconclusive"}
    assert device.headline.rows[0].change == "12.3\u202f% faster"
    assert device.answer.startswith("not calibrated: placebo failed; the interval reaches 0.8 %, the limit is 0.5 %.")


def test_a_failed_control_of_one_device_says_nothing_about_another() -> None:
    assert _device(sample_runs.not_calibrated(), "cuda:0").calibrated


def test_without_controls_nothing_is_calibrated() -> None:
    device = _device(replace(sample_runs.calibrated(), controls=()))
    assert not device.calibrated
    assert "no controls" in device.answer


def test_a_run_in_which_nothing_can_be_told_apart_gives_the_bound() -> None:
    answer = _device(sample_runs.nothing_told_apart()).answer
    assert answer == (
        "no optimization makes a material difference to latency; any change of latency is smaller than 0.4\u202f% "
        "(95 % intervals)."
    )


ANSWER_TO_ALL = "all eight together: not decided yet, 0.3 % faster to 0.4 % slower (95 % interval); of the six, "


@pytest.mark.parametrize(
    ("undecided", "rest"),
    [
        ({"all"}, "six make no material difference (none changes latency by more than 0.4 %)."),
        ({"all", "resample_cache"}, "five make no material difference (none changes latency by more than 0.4 %), one is not decided yet (a change of up to 0.4 % is possible)."),
    ],
)  # fmt: skip
def test_what_was_decided_is_told_beside_what_was_not(undecided: set[str], rest: str) -> None:
    run = sample_runs.nothing_told_apart()
    contrasts = (replace(c, verdict="inconclusive") if c.optimization in undecided else c for c in run.contrasts)
    assert _device(replace(run, contrasts=tuple(contrasts))).answer.replace("\u202f", " ") == ANSWER_TO_ALL + rest


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        ("faster", "speaker_preregistration 18.0 % faster (95 % interval 17.2 to 18.8 %)."),
        ("output changed", "speaker_preregistration: output changed."),
    ],
)
def test_of_one_optimization_the_answer_names_it(verdict: Verdict, answer: str) -> None:
    run = sample_runs.calibrated()
    alone = [
        replace(c, verdict=verdict, ratio=0.82, ratio_low=0.812, ratio_high=0.828)
        for c in run.contrasts
        if (c.optimization, c.metric, c.stratum) == ("speaker_preregistration", "latency", "")
    ]
    plan = replace(run.plan, pairs=tuple(pair for pair in run.plan.pairs if pair[0] == "speaker_preregistration"))
    scenario = {**run.scenario, "optimizations": {"speaker_preregistration": {"before": False, "after": True}}}
    known = {"speaker_preregistration": run.optimizations["speaker_preregistration"]}
    found = _device(replace(run, plan=plan, scenario=scenario, optimizations=known, contrasts=tuple(alone[:1])))
    assert found.answer.replace("\u202f", " ") == answer


def test_a_device_that_gave_up_says_why() -> None:
    failure = Failure(
        device="cpu", pass_="latency", arm=None, kind="crash", message="the model does not load", final=True
    )
    run = replace(sample_runs.calibrated(), contrasts=(), controls=(), failures=(failure,))
    assert _device(run).answer == "could not be measured: the model does not load."


def test_memory_that_could_not_be_read_is_named_and_never_zero() -> None:
    device = _device(sample_runs.calibrated())
    assert dict(device.unavailable) == {
        "Peak allocated": "the CPU has no caching allocator",
        "Peak reserved": "the CPU has no caching allocator",
    }
    assert [bar.title for bar in device.memory] == ["Peak resident"]


def test_equal_bytes_read_as_no_change_and_exact() -> None:
    device = _device(sample_runs.calibrated(), "cuda:0")
    row = next(row for row in device.together if row.metric == "peak_allocated")
    assert (row.change, row.interval, row.verdict.text) == ("no change", "exact", "no material difference")


def test_stages_stand_beside_the_request_with_what_none_of_them_covers_as_other() -> None:
    device = _device(sample_runs.calibrated())
    assert [stage.name for stage in device.stages] == ["frontend", "llm", "flow", "vocoder", "other"]
    assert device.request_s[0] == pytest.approx(sample_runs.SECONDS["cpu"])
    assert sum(stage.before_s for stage in device.stages) == pytest.approx(device.request_s[0], rel=0.01)


def test_what_is_left_of_a_request_is_not_the_noise_of_its_stages() -> None:
    """Of medians the sum is not the median: by them, 2.1 s would be left here of each request, and not 0.1 s."""
    run = sample_runs.calibrated()
    worked_s = ((1.0, 5.0), (2.0, 1.0), (9.0, 2.0))
    counted: dict[str, int] = {}

    def noisy(trial: Trial) -> Trial:
        counted[trial.arm] = counted.get(trial.arm, -1) + 1
        llm, flow = worked_s[counted[trial.arm] % 3]
        return replace(trial, values={"latency": llm + flow + 0.1, "stage.llm": llm, "stage.flow": flow})

    timed = [trial for trial in run.trials if (trial.device, trial.kind, trial.phase) == ("cpu", "request", "timed")]
    of_arm = [[trial for trial in timed if trial.arm == arm][:3] for arm in ("none", "all")]
    trials = tuple(noisy(trial) for trials in of_arm for trial in trials)
    stages = {stage.name: stage for stage in _device(replace(run, trials=trials, contrasts=())).stages}
    assert stages["other"].before_s == pytest.approx(0.1)
    assert stages["other"].after_s == pytest.approx(0.1)


def test_a_stage_is_in_colour_where_its_change_is_decided_and_nowhere_else() -> None:
    def with_verdicts(run: Run, **verdicts: Verdict) -> Run:
        changed = (
            replace(c, verdict=verdicts[name]) if (name := c.metric.partition(".")[2]) in verdicts else c
            for c in run.contrasts
        )
        return replace(run, contrasts=tuple(changed))

    run = with_verdicts(sample_runs.calibrated(), llm="inconclusive", flow="slower", frontend="faster")
    tones = {stage.name: stage.tone for stage in _device(run).stages}
    assert (tones["frontend"], tones["llm"], tones["flow"], tones["other"]) == ("good", "open", "bad", "open")
    doubted = with_verdicts(sample_runs.not_calibrated(), flow="faster")
    assert {stage.tone for stage in _device(doubted).stages} == {"open"}, "nothing is concluded without controls"


def test_device_times_are_preferred_for_stages() -> None:
    run = sample_runs.calibrated()
    timed = tuple(
        replace(trial, values={**trial.values, "device.latency": 1.0, "device.llm": 0.7}) for trial in run.trials
    )
    assert [stage.name for stage in _device(replace(run, trials=timed)).stages] == ["llm", "other"]


def test_an_interrupted_run_says_so() -> None:
    assert page.build(sample_runs.not_calibrated()).notices[0].startswith("This run was not finished.")


def test_importing_reports_imports_no_torch() -> None:
    code = "import sys, harness.report, harness.units; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"adapter": "cosyvoice2", "weights": "/home/ada/CosyVoice2-0.5B"}, "cosyvoice2, weights CosyVoice2-0.5B"),
        ({"adapter": "callable", "target": "/home/ada/tts.py:speak"}, "callable, target tts.py:speak"),
        ({"adapter": "fake", "noise": 0.1, "seed": 0, "faults": {}, "size": None, "cold": False}, "fake, noise 0.1, seed 0"),
        ({"adapter": "planted", "over": {"adapter": "vits", "voice": "/home/ada/joe.onnx"}}, "planted, over (adapter vits, voice joe.onnx)"),
    ],
)  # fmt: skip
def test_what_a_model_was_told_is_named_and_files_are_not_located(model: dict[str, object], told: str) -> None:
    run = sample_runs.calibrated()
    facts = dict(page.build(replace(run, scenario={**run.scenario, "model": model})).facts)
    assert facts["Model"] == told


REVISIONS = {
    "base": {"name": "main", "commit": "abc1234" + 33 * "0", "subject": "Cache the <kernel>", "dirty": False},
    "head": {"name": "working tree", "commit": "def5678" + 33 * "0", "subject": "Faster vocoder", "dirty": True},
}


def test_the_page_of_a_gate_speaks_of_revisions_and_settings() -> None:
    made = sample_gates.run(environment={"revisions": REVISIONS})
    built = page.build(made)
    assert built.words.about == "head def5678000 against base abc1234000"
    assert ("Base", "main (abc1234000): Cache the <kernel>") in built.facts
    assert ("Head", "working tree (def5678000) with uncommitted changes: Faster vocoder") in built.facts
    (device,) = built.devices
    assert "with no optimization, the head makes no material difference to latency (0.4" in device.answer.lower()
    assert {row.title for row in device.headline.rows} == {"With no optimization", "With all optimizations"}
    assert not any(row.against for row in device.headline.rows)
    text = html(made)
    assert "Cache the &lt;kernel&gt;" in text
    assert ">Setting</th>" in text
    assert not any(word in text for word in ("Everything on", "Nothing on", "what each optimization is worth"))


def test_the_page_of_a_gate_says_what_changed_and_what_cannot_be_compared() -> None:
    made = sample_gates.run(
        sample_gates.contrast("none", "latency", sample_gates.SLOWER, "slower"), sample_gates.crashed()
    )
    answer = page.build(made).devices[0].answer
    assert "with no optimization, the head is 6.1\u202f% slower" in answer
    assert "with all optimizations, the revisions cannot be compared: failed" in answer


def test_a_comparison_with_a_stored_run_says_so_at_the_head_of_the_page() -> None:
    finding = Finding(kind="stored", device="", message="unpaired, which is weaker")
    assert "unpaired, which is weaker" in page.build(sample_gates.run(findings=(finding,))).notices


def test_the_answer_begins_with_all_together_where_these_may_not_be_judged() -> None:
    run = sample_runs.nothing_told_apart()
    changed = [replace(c, verdict="output changed") if c.optimization == "all" else c for c in run.contrasts]
    answer = _device(replace(run, contrasts=tuple(changed))).answer
    assert "together cannot be judged: output changed" in answer.partition(";")[0]


def test_a_run_of_memory_alone_says_so_and_not_that_nothing_was_timed() -> None:
    run = sample_runs.calibrated()
    measure = {**run.scenario.get("measure", {}), "metrics": ["peak_allocated"]}
    of_memory = tuple(
        replace(trial, pass_="memory", worker=worker, values={"peak_allocated": 1e9})
        for worker, trial in enumerate(run.trials[:3])
    )
    told = page.build(
        replace(
            run,
            scenario={**run.scenario, "measure": measure},
            trials=of_memory,
            timing={**run.timing, "measured_s": {"cpu": 0.0}},
        )
    )
    assert told.where.endswith(": memory alone in 3 processes.")
    assert "Measured for" not in dict(told.facts)


def test_an_optimization_says_what_the_run_set_it_to_beside_its_defaults() -> None:
    run = sample_runs.calibrated()
    asked = {
        "batched_cleanup": {"before": {"every": 2}, "after": [{"every": "never", "above": "4:GiB"}, {"every": 4}]},
        "resample_cache": {"before": False, "after": True},
    }
    cards = page.build(replace(run, scenario={**run.scenario, "optimizations": asked})).toggles
    facts = {card.name: dict(card.facts) for card in cards}
    assert facts["batched_cleanup"]["Set to"] == "every=never, above=4:GiB; every=4"
    assert [name for name, told in facts.items() if "Set to" in told] == ["batched_cleanup"]


def test_an_answer_that_is_open_names_what_is_open_as_other_metrics_may_be_decided() -> None:
    run = sample_runs.nothing_told_apart()
    contrasts = tuple(replace(c, verdict="inconclusive") if c.metric == "latency" else c for c in run.contrasts)
    assert _device(replace(run, contrasts=contrasts)).answer.startswith("nothing about latency is decided yet; ")
