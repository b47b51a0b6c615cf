"""What joint designs say of toggles, from planted effects to run.json."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import compare, runner, store
from harness.report import markdown
from harness.results import Attribution, Interaction, Run
from harness.scenario import load
from tests.conftest import Quiet, fake_scenario

PLANTED = {"resample_cache": -0.20, "cached_device": -0.10, "cached_cuda_check": 0.05, "precompiled_regex": 0.0}
FOUR = dict.fromkeys(PLANTED, True)
TOGETHER = {"resample_cache+cached_device": 0.06}
MIB = 2**20


def measured(measure_fake: Callable[..., Run], design: str, **keys: Any) -> Run:
    arguments: dict[str, Any] = {
        "design": design,
        "model": {"effects": PLANTED, "together": TOGETHER},
        "optimizations": FOUR,
        "measure": {"metrics": ["latency"], "budget": "40s", "workers": 6},
    }
    return measure_fake(**{**arguments, **keys})


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A factorial of what is planted, and its folder."""
    folder = tmp_path_factory.mktemp("planted") / "run"
    chosen = fake_scenario(
        design="factorial", model={"effects": PLANTED, "together": TOGETHER}, optimizations=FOUR,
        measure={"metrics": ["latency"], "budget": "40s", "workers": 6},
    )  # fmt: skip
    return runner.run(chosen, folder, devices=chosen.devices, progress=Quiet()), folder


def interactions(found: Attribution) -> Mapping[tuple[str, str], Interaction]:
    return {(pair.a, pair.b): pair for pair in found.interactions}


def truth(on: tuple[str, ...]) -> float:
    """The log-ratio of an arm by what is planted."""
    pairs = sum(math.log1p(change) for pair, change in TOGETHER.items() if set(pair.split("+")) <= set(on))
    return sum(math.log1p(PLANTED[name]) for name in on) + pairs


def test_a_factorial_finds_shares_interactions_and_the_order_that_were_planted(planted: tuple[Run, Path]) -> None:
    found = planted[0].attribution
    (total,) = found.total_log
    assert sum(share.share_log for share in found.shares) == pytest.approx(total.value)
    assert total.value == pytest.approx(truth(tuple(PLANTED)), abs=0.003)
    halved = math.log1p(0.06) / 2
    for share in found.shares:
        extra = halved if share.optimization in ("resample_cache", "cached_device") else 0.0
        assert share.share_log == pytest.approx(math.log1p(PLANTED[share.optimization]) + extra, abs=0.002)
    verdicts = {pair: item.verdict for pair, item in interactions(found).items()}
    assert verdicts.pop(("resample_cache", "cached_device")) == "hinder"
    assert set(verdicts.values()) == {"independent"}
    assert [step.optimization for step in found.steps][:2] == ["resample_cache", "cached_device"]
    assert found.steps[-1].optimization == "cached_cuda_check"
    assert found.steps[-1].so_far_log == pytest.approx(total.value)


def test_the_total_is_the_ratio_of_all_to_none(planted: tuple[Run, Path]) -> None:
    run, _ = planted
    together = next(c for c in run.contrasts if c.optimization == "all")
    assert math.exp(run.attribution.total_log[0].value) == pytest.approx(together.ratio)


def test_a_joint_design_keeps_all_its_arms_to_the_end_and_looks_at_nothing_before(planted: tuple[Run, Path]) -> None:
    run, _ = planted
    assert (run.looks, run.plan.looks) == ((), ())
    timed = [t for t in run.trials if (t.group, t.kind, t.phase) == ("joint", "request", "timed")]
    counts = {arm: sum(t.arm == arm for t in timed) for arm in run.plan.joint}
    assert len(set(counts.values())) == 1


def test_a_fraction_says_which_interactions_it_cannot_tell_apart_and_rows_have_main_effects(
    measure_fake: Callable[..., Run],
) -> None:
    run = measured(measure_fake, "fractional")
    pair = interactions(run.attribution)["resample_cache", "cached_device"]
    assert pair.aliases == (("cached_cuda_check", "precompiled_regex"),)
    assert run.attribution.generators == (
        "precompiled_regex = resample_cache \u00d7 cached_device \u00d7 cached_cuda_check",
    )
    assert sum(share.share_log for share in run.attribution.shares) == pytest.approx(run.attribution.total_log[0].value)
    rows = {contrast.optimization: contrast for contrast in run.contrasts}
    assert rows["cached_cuda_check"].ratio == pytest.approx(1.05, abs=0.003)
    assert rows["cached_cuda_check"].verdict == "slower"
    assert rows["cached_cuda_check"].witness_before is not None
    assert "main effect" in rows["cached_cuda_check"].statistic


def test_sampled_orders_have_shares_that_add_up(measure_fake: Callable[..., Run]) -> None:
    found = measured(measure_fake, "permutations").attribution
    assert sum(share.share_log for share in found.shares) == pytest.approx(found.total_log[0].value)
    assert found.interactions == ()


def test_a_ladder_has_steps_in_its_order_and_no_shares(measure_fake: Callable[..., Run]) -> None:
    found = measured(measure_fake, "ladder").attribution
    assert [step.optimization for step in found.steps] == list(PLANTED)
    assert found.steps[1].so_far_log == pytest.approx(truth(("resample_cache", "cached_device")), abs=0.003)
    assert found.shares == ()


def test_the_other_designs_attribute_nothing(measure_fake: Callable[..., Run]) -> None:
    assert measured(measure_fake, "one_at_a_time").attribution == Attribution()


def test_memory_is_read_of_all_arms_in_one_process_and_else_of_none_each_and_all(
    measure_fake: Callable[..., Run],
) -> None:
    run = measured(
        measure_fake, "factorial", devices=["cuda"], optimizations={"resample_cache": True, "cached_device": True},
        model={"effects": PLANTED, "memory": {"resample_cache": 100 * MIB, "cached_device": -60 * MIB}},
        measure={"metrics": ["latency", "peak_allocated", "peak_reserved"], "budget": "10s", "workers": 2,
                 "memory_repeats": 1},
    )  # fmt: skip
    shares = {s.optimization: s for s in run.attribution.shares if s.metric == "peak_allocated"}
    (total,) = (t for t in run.attribution.total_log if t.metric == "peak_allocated")
    assert total.value == pytest.approx(math.log(360 / 400))
    assert shares["resample_cache"].share_log == pytest.approx((math.log(300 / 400) + math.log(360 / 460)) / 2)
    assert shares["resample_cache"].low == pytest.approx(shares["resample_cache"].high)
    assert not [t for t in run.attribution.total_log if t.metric == "peak_reserved"]
    assert {p.optimization: p.efficient for p in run.frontier} == {
        "before": False, "resample_cache": True, "all": True,
    }  # fmt: skip


def test_where_an_arm_may_not_be_compared_nothing_is_attributed_and_a_finding_says_why(
    measure_fake: Callable[..., Run],
) -> None:
    run = measured(
        measure_fake, "factorial", optimizations={"resample_cache": True, "cached_device": True},
        model={"faults": {"cached_device": "change"}},
    )  # fmt: skip
    assert run.attribution == Attribution()
    told = next(finding.message for finding in run.findings if finding.kind == "attribution")
    assert "cached_device (output changed)" in told


def test_run_json_has_lists_of_the_documented_keys(planted: tuple[Run, Path]) -> None:
    run, folder = planted
    data = json.loads((folder / store.RUN_FILE).read_text())["attribution"]
    assert set(data["total_log"][0]) == {"metric", "device", "value"}
    assert set(data["shares"][0]) == {"optimization", "metric", "device", "share_log", "low", "high"}
    assert {"a", "b", "metric", "device", "ratio", "ratio_low", "ratio_high"} <= set(data["interactions"][0])
    assert store.load(folder) == run
    assert compare.evaluate(run) == run


def test_a_run_of_an_older_schema_has_no_attribution(measure_fake: Callable[..., Run], tmp_path: Path) -> None:
    measure_fake(measure={"metrics": ["latency"], "budget": "2s", "workers": 2})
    path = tmp_path / "run" / store.RUN_FILE
    data = json.loads(path.read_bytes())
    data["schema_version"] = 2
    del data["attribution"], data["plan"]["joint"], data["plan"]["orders"]
    path.write_text(json.dumps(data))
    assert store.load(tmp_path / "run").attribution == Attribution()


FAKE_SIX = (
    "{adapter: fake, base: 130ms, noise: 0.02, effects: {speaker_preregistration: -0.2, batched_cleanup: -0.25, "
    "resample_cache: -0.03}, together: {speaker_preregistration+batched_cleanup: 0.04}}"
)
"""About what a request takes on two cores of a server, and two toggles that matter and give less together."""


def six(design: str, budget: str, folder: Path) -> Run:
    """The shipped scenario, on the fake adapter and its clock."""
    settings = [f"model={FAKE_SIX}", f"design={design}", f"measure.budget={budget}", "measure.metrics=[latency]",
                "measure.margin=5%"]  # fmt: skip
    return runner.run(load("seed-attribution", settings), folder, devices=["cpu"], progress=Quiet())


def test_the_fraction_of_the_six_has_the_main_effects_of_the_factorial_in_a_quarter_of_its_time(tmp_path: Path) -> None:
    whole, part = six("factorial", "300s", tmp_path / "whole"), six("fractional", "75s", tmp_path / "part")
    assert whole.timing["measured_s"]["cpu"] <= 330
    assert part.timing["measured_s"]["cpu"] <= 85
    found = {effect.optimization: effect for effect in part.attribution.effects}
    for effect in whole.attribution.effects:
        inside = found[effect.optimization]
        assert (inside.ratio_low or 0.0) <= effect.ratio <= (inside.ratio_high or 0.0)
    verdicts = {effect.optimization: effect.verdict for effect in whole.attribution.effects}
    assert verdicts["speaker_preregistration"] == verdicts["batched_cleanup"] == "faster"
    assert [step.optimization for step in whole.attribution.steps][:2] == ["batched_cleanup", "speaker_preregistration"]
    assert interactions(part.attribution)["speaker_preregistration", "batched_cleanup"].aliases
    assert not interactions(whole.attribution)["speaker_preregistration", "batched_cleanup"].aliases


def test_a_toggle_that_does_nothing_or_is_there_already_is_no_gain_of_a_joint_design(
    measure_fake: Callable[..., Run],
) -> None:
    model = {"effects": PLANTED, "faults": {"resample_cache": "inert"}}
    run = measured(measure_fake, "factorial", model=model)
    verdicts = {effect.optimization: effect.verdict for effect in run.attribution.effects}
    assert (verdicts["resample_cache"], verdicts["cached_device"]) == ("inert", "faster")
    assert run.attribution.smallest == ()
    acting = {frozenset((pair.a, pair.b)): pair.verdict for pair in run.attribution.interactions}
    assert {verdict for pair, verdict in acting.items() if "resample_cache" in pair} == {"inconclusive"}
    assert {verdict for pair, verdict in acting.items() if "resample_cache" not in pair} != {"inconclusive"}
    plan = replace(run.plan, already_present={"cached_device": "in its line 3"})
    present = compare.evaluate(replace(run, plan=plan)).attribution
    assert {e.verdict for e in present.effects if e.optimization == "cached_device"} == {"already present"}
    page = markdown(run)
    assert "since of these nothing can be had: " in page
    assert "adopt" not in page.replace("What to adopt is not said", "").lower().partition("### controls")[0]


def refusing(run: Run, toggle: str) -> Run:
    """As where the model cannot take a toggle on the CPU."""
    return compare.evaluate(replace(run, plan=replace(run.plan, not_applicable_on={"cpu": {toggle: "none here"}})))


def test_a_toggle_that_cannot_be_had_is_no_gain_of_a_fraction(measure_fake: Callable[..., Run]) -> None:
    part = refusing(measured(measure_fake, "fractional"), "resample_cache")
    assert {e.optimization for e in part.attribution.effects if e.verdict == "not applicable"} == {"resample_cache"}
    assert part.attribution.smallest == ()
    assert "since of these nothing can be had: " in markdown(part)


def test_a_factorial_with_a_toggle_that_cannot_be_had_attributes_nothing_and_says_so(planted: tuple[Run, Path]) -> None:
    run = refusing(planted[0], "resample_cache")
    assert run.attribution == Attribution()
    told = next(finding.message for finding in run.findings if finding.kind == "attribution")
    assert "resample_cache (not applicable: none here)" in told


def test_a_device_that_cannot_take_a_toggle_says_nothing_of_another(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(devices=["cpu", "cuda"])
    plan = replace(
        run.plan,
        not_applicable={"resample_cache": "on a GPU alone"},
        not_applicable_on={"cpu": {"resample_cache": "on a GPU alone"}, "cuda:0": {}},
    )
    again = compare.evaluate(replace(run, plan=plan))
    verdicts = {
        c.device: c.verdict for c in again.contrasts if (c.optimization, c.metric) == ("resample_cache", "latency")
    }
    assert verdicts["cpu"] == "not applicable"
    assert verdicts["cuda:0"] != "not applicable"
    of_old = compare.evaluate(replace(run, plan=replace(plan, not_applicable_on={})))
    assert {c.verdict for c in of_old.contrasts if c.optimization == "resample_cache"} == {"not applicable"}


def test_what_is_known_by_arms_of_several_toggles_is_not_told_where_one_of_these_changed_its_output(
    measure_fake: Callable[..., Run],
) -> None:
    run = measured(measure_fake, "fractional")
    aside = [c for c in run.contrasts if c.metric == "latency" and c.arm not in run.plan.joint]
    assert {c.verdict for c in aside} >= {"faster"}
    changed = tuple(replace(e, accepted=False) if e.arm == "all" else e for e in run.equivalences)
    shorter = tuple(replace(t, values={**t.values, "audio": 0.01}) if t.arm == "all" else t for t in run.trials)
    assert "all (output changed)" in told(compare.evaluate(replace(run, trials=shorter)))
    again = compare.evaluate(replace(run, equivalences=changed))
    aside = [c for c in again.contrasts if c.metric == "latency" and c.arm not in run.plan.joint]
    assert {(c.verdict, c.ratio, "all (output changed)" in c.reason) for c in aside} == {("inconclusive", None, True)}


def told(run: Run) -> str:
    """What the findings say of the attribution."""
    return " ".join(finding.message for finding in run.findings if finding.kind == "attribution")
