"""Effects along text, prompt and concurrency of a run: which axes there are, and planted costs found again in a whole run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from harness import compare, sequential, store, workload
from harness.errors import ScenarioError
from harness.lengths import merged
from harness.results import EffectCurve, Run
from tests.conftest import fake_scenario

pytestmark = pytest.mark.usefixtures("_own_cache")
CROSSING, KEPT = "resample_cache", "cached_device"
FIXED_S, EACH_S = -0.010, 0.0025
LOOK_UP_S, HIT_S = 0.030, -0.010
MODEL = {
    "base": "200ms", "pace": 0.1, "speech": "100ms", "noise": 0.001, "seed": 5,
    "costs": {CROSSING: {"fixed": FIXED_S, "audio": EACH_S}, KEPT: {"fixed": LOOK_UP_S, "prompt": HIT_S}},
}  # fmt: skip
WORKLOAD = {
    "texts": {"en-a": "a" * 10, "en-b": "b" * 30, "en-c": "c" * 100},
    "prompts": ["builtin:aishell-0121"],
    "prompt_lengths": ["2s", "8s"],
}
KEYS: dict[str, Any] = {
    "model": MODEL, "workload": WORKLOAD, "optimizations": dict.fromkeys((CROSSING, KEPT), True),
    "measure": {"metrics": ["latency"], "budget": "400s", "workers": 4, "memory_repeats": 1},
}  # fmt: skip


def curve(run: Run, optimization: str, axis: str) -> EffectCurve:
    return next(c for c in run.curves if (c.optimization, c.axis) == (optimization, axis))


def told(found: EffectCurve, edge: str) -> tuple[float, float, float]:
    crossing = next(c for c in found.crossings if c.edge == edge and c.told)
    assert crossing.low is not None
    assert crossing.at is not None
    assert crossing.high is not None
    return crossing.low, crossing.at, crossing.high


def test_planted_crossings_over_text_and_prompt_are_found_again(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    run = measure_fake(**KEYS)
    assert {(c.optimization, c.axis) for c in run.curves} == {
        (name, axis) for name in (CROSSING, KEPT, "all") for axis in ("audio", "prompt")
    }
    over_text = curve(run, CROSSING, "audio")
    assert [point.at for point in over_text.measured] == pytest.approx([1.0, 3.0, 10.0])
    assert [point.before_s for point in over_text.measured] == pytest.approx([0.3, 0.5, 1.2], rel=0.02)
    low, _, high = told(over_text, "zero")
    assert low <= -FIXED_S / EACH_S <= high
    for point in over_text.measured:
        assert point.low is not None
        assert point.high is not None
        assert point.low <= 1 + (FIXED_S + EACH_S * point.at) / (0.2 + 0.1 * point.at) <= point.high
    over_prompt = curve(run, KEPT, "prompt")
    assert [point.at for point in over_prompt.measured] == pytest.approx([2.0, 8.0])
    assert not over_prompt.checked
    low, _, high = told(over_prompt, "zero")
    assert low <= -LOOK_UP_S / HIT_S <= high
    assert store.load(tmp_path / "run").curves == run.curves


def test_a_planted_crossing_over_requests_at_once_is_found_again(measure_fake: Callable[..., Run]) -> None:
    costs = {CROSSING: {"fixed": 0.006, "at_once": -0.004}}
    run = measure_fake(**{
        **KEYS, "model": {"base": "100ms", "noise": 0.003, "seed": 2, "costs": costs}, "optimizations": {CROSSING: True},
        "workload": {"texts": {"en": "hello"}, "prompts": ["builtin:aishell-0121"], "concurrency": [1, 2, 4]},
    })  # fmt: skip
    found = curve(run, CROSSING, "concurrency")
    assert [point.at for point in found.points] == [1.0, 2.0, 3.0, 4.0]
    low, at, high = told(found, "zero")
    assert low <= 2.5 <= high
    assert at == pytest.approx(2.5, abs=0.5)


def test_an_arm_that_may_not_be_judged_has_its_reason_and_no_figures(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(**{**KEYS, "model": {**MODEL, "faults": {CROSSING: "inert"}}})
    found = curve(run, CROSSING, "audio")
    assert found.reason.startswith("inert: ")
    assert (found.points, found.crossings, found.stretches) == ((), (), ())
    assert curve(run, KEPT, "prompt").reason == ""


def test_a_verdict_that_chance_may_show_mutes_the_curves_beside_it(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = measure_fake(**KEYS)
    assert curve(run, KEPT, "prompt").stretches
    monkeypatch.setattr(sequential, "allowed_error", lambda *_: -1.0)  # as among very many comparisons
    again = compare.evaluate(run)
    contrast = next(c for c in again.contrasts if (c.optimization, c.metric, c.stratum) == (KEPT, "latency", ""))
    assert contrast.verdict == "inconclusive"
    found = curve(again, KEPT, "prompt")
    assert (found.stretches, [one for one in found.crossings if one.told]) == ((), [])
    assert found.points
    assert found.muted == contrast.reason
    assert found.muted.endswith("by chance")


def test_voice_conversion_is_not_followed_along_the_prompt(measure_fake: Callable[..., Run]) -> None:
    """It hears two recordings, its own and the prompt, and one of them only has the length of the axis."""
    mixed = measure_fake(**{
        **KEYS, "workload": {**WORKLOAD, "texts": {"en": "a" * 10}, "mode": ["zero_shot", "voice_conversion"]},
    })  # fmt: skip
    found = curve(mixed, KEPT, "prompt")
    assert [point.before_s for point in found.measured] == pytest.approx([0.3, 0.3], rel=0.02)
    trials = tuple(t for t in mixed.trials if t.stratum != "en zero_shot")
    assert {t.stratum for t in trials if t.kind == "request"} == {"voice_conversion"}
    assert "prompt" not in {c.axis for c in compare.evaluate(replace(mixed, trials=trials)).curves}


def test_workers_that_did_not_meet_every_value_are_counted(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(**KEYS)
    assert (curve(run, CROSSING, "audio").workers, curve(run, CROSSING, "audio").of_workers) == (4, 4)
    one, *_, last = workers = sorted({t.worker for t in run.trials if t.pass_ == "latency"})
    for missing, met in (
        ({"en-c": {one}}, 3), ({"en-c": {*workers} - {last}}, 1), ({"en-c": {*workers} - {last}, "en-a": {last}}, 0),
    ):  # fmt: skip
        kept = tuple(t for t in run.trials if t.worker not in missing.get(t.stratum.partition(" ")[0], ()))
        found = curve(compare.evaluate(replace(run, trials=kept)), CROSSING, "audio")
        assert (found.workers, found.of_workers) == (met, 4)
        assert found.reason == ("" if met else "none of 4 workers met every value")


def test_requests_that_are_alike_in_length_have_no_curve(measure_fake: Callable[..., Run]) -> None:
    texts = {"zh": "a" * 10, "en": "b" * 14}
    run = measure_fake(**{**KEYS, "workload": {"texts": texts, "prompts": ["builtin"]}})
    assert run.curves == ()


def test_an_older_run_has_curves_over_its_texts_and_none_over_prompts(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    run = measure_fake(**KEYS)
    file = tmp_path / "run" / store.RUN_FILE
    data = json.loads(file.read_text(encoding="utf-8"))
    del data["curves"], data["plan"]["prompt_s"]
    file.write_text(json.dumps(data), encoding="utf-8")
    older = store.load(tmp_path / "run")
    assert older.curves == ()
    again = compare.evaluate(older)
    assert {c.axis for c in again.curves} == {"audio"}
    assert [p.ratio for p in curve(again, CROSSING, "audio").measured] == pytest.approx(
        [p.ratio for p in curve(run, CROSSING, "audio").measured], abs=0.003
    )


def test_without_audio_lengths_are_those_of_the_text(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(**KEYS)
    silent = tuple(replace(t, values={**t.values, "audio": None}) for t in run.trials)
    again = compare.evaluate(replace(run, trials=silent))
    assert [point.at for point in curve(again, CROSSING, "characters").measured] == [10.0, 30.0, 100.0]


def test_values_that_hardly_differ_count_as_one() -> None:
    assert merged([3.0, 1.0, 3.2, 1.0]) == pytest.approx({1.0: 1.0, 3.0: 3.1, 3.2: 3.1})


def test_prompts_are_repeated_and_cut_to_the_lengths_asked_for() -> None:
    scenario = fake_scenario(workload=WORKLOAD)
    speakers = workload.speakers(scenario)
    assert [soundfile.info(str(speaker.audio)).duration for speaker in speakers] == [2.0, 8.0]
    short, long = (len(speaker.text) for speaker in speakers)
    assert 3 * short < long < 5 * short
    seconds = workload.prompt_s(scenario)
    assert sorted(seconds.values()) == [2.0] * 3 + [8.0] * 3
    assert set(seconds) == {request.id for request in workload.requests(scenario)}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"prompt_lengths": ["200ms"]}, "found 0.2 s; a prompt lasts 1 to 30 s"),
        ({"prompt_lengths": ["2s", "2s"]}, "is given twice"),
        ({"prompts": [], "prompt_lengths": ["2s"]}, "there are no prompts of these lengths"),
    ],
)
def test_lengths_that_no_prompt_can_have_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        fake_scenario(workload={"texts": {"en": "hello"}, **keys})
