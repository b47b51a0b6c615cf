"""Toggles that change a whole process: how one is started, and that each arm has its own, found, compared and judged apart."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import gating, outlook, planning, runner, store, worker
from harness.designs import HOST_DOSE, PLACEBO, PROCESS, Toggle, design
from harness.errors import ScenarioError
from harness.optimizations import named, registry
from harness.optimizations.process import as_told, options_with, process_states, start_of, within_process
from harness.results import Contrast, Run
from harness.scenario import Scenario
from harness.toggling import State, setting
from tests.conftest import Quiet, fake_scenario

SLOW = {"after": {"variables": "SLOW=1"}}
STATES: dict[str, State] = {"resample_cache": True, "torch_threads": {"threads": 2}}


def contrast(run: Run, optimization: str, metric: str = "latency") -> Contrast:
    return next(c for c in run.contrasts if (c.optimization, c.metric, c.stratum) == (optimization, metric, ""))


def test_what_is_the_process_is_told_from_what_is_the_pipeline() -> None:
    assert process_states(STATES) == {"torch_threads": {"threads": 2}}
    assert within_process(STATES) == {"resample_cache": True}


def test_a_process_is_started_as_the_toggle_says() -> None:
    told = start_of("environment", state={"variables": "A=1 B=two"})
    assert told.environment == {"A": "1", "B": "two"}
    assert told.holds == (".settings:has_environment", {"variables": {"A": "1", "B": "two"}})
    assert start_of("torch_threads", state={"threads": 3}).threads == 3
    assert start_of("matmul_precision", state=True).call == (
        ".settings:set_matmul_precision", {"precision": "high"},
    )  # fmt: skip
    assert start_of("bf16_llm", state={"dtype": "float16"}).model == {"llm_dtype": "float16"}
    made = {
        "arguments": {
            "fp16": True,
            "trt_concurrent": 2,
            "scale": 0.5,
            "dtype": "half",
            "version": "1.10",
            "voice": "007",
        }
    }
    told = start_of(
        "model_arguments",
        state={"arguments": 'fp16=true trt_concurrent=2 scale=0.5 dtype=half version="1.10" voice=007'},
    )
    assert (told.model, told.holds) == (made, (".settings:is_made_with", made))
    assert start_of("environment", state=False).environment == {}


@pytest.mark.parametrize("arguments", ["fp16", "fp16=true, steps=2", "fp16=", "2=3", "fp16=true  steps=2"])
def test_arguments_that_are_none_are_refused(arguments: str) -> None:
    with pytest.raises(ScenarioError, match="model_arguments takes arguments"):
        fake_scenario(optimizations={"model_arguments": {"after": {"arguments": arguments}}})


def test_options_of_a_process_lie_over_those_of_the_scenario_key_by_key() -> None:
    options = {"weights": "w", "arguments": {"fp16": False, "load_vllm": False}}
    starts = [start_of("model_arguments", state=True), start_of("bf16_llm", state=True)]
    assert options_with(options, starts) == {
        "weights": "w", "arguments": {"fp16": True, "load_vllm": False}, "llm_dtype": "bfloat16",
    }  # fmt: skip
    assert options["arguments"] == {"fp16": False, "load_vllm": False}


@pytest.mark.parametrize("name", sorted(name for name, toggle in registry().items() if toggle.isolation == "process"))
def test_each_is_seen_by_what_its_process_is(name: str) -> None:
    """In this process, where nothing was set, its witness counts nothing."""
    with named(name).witness.probe()() as tally:
        tally.after_request()  # type: ignore[attr-defined]
        assert tally.count == 0
    assert named(name).witness.before == "none"


@pytest.mark.parametrize("variables", ["nothing", "A=1  B=2", "1A=2", "A=1;rm", " A=1"])
def test_variables_that_are_none_are_refused(variables: str) -> None:
    if variables == "A=1;rm":
        assert start_of("environment", state={"variables": variables}).environment == {"A": "1;rm"}, (
            "it is a value, and no shell reads it"
        )
        return
    with pytest.raises(ScenarioError, match="environment takes variables"):
        fake_scenario(optimizations={"environment": {"after": {"variables": variables}}})


def test_a_state_that_has_a_part_of_the_other_is_told_from_it(tmp_path: Path, quiet: Quiet) -> None:
    """In real processes: the one before has all that the one after has, and more."""
    (tmp_path / "tts.py").write_text("def speak(text, steps=1, fast=False): return text\n")
    chosen = Scenario.from_data({
        "file": str(tmp_path / "mine.yaml"), "name": "mine", "model": {"adapter": "callable", "target": f"{tmp_path / 'tts.py'}:speak"},
        "optimizations": {"model_arguments": {"before": {"arguments": "steps=4 fast=true"}, "after": {"arguments": "steps=4"}}},
        "measure": {"metrics": ["latency"], "budget": "20ms", "workers": 1, "margin": "10%"},
    })  # fmt: skip
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    found = contrast(run, "model_arguments")
    assert (found.witness_before, found.witness_after) == (0, 1)
    assert found.verdict != "inert"


def test_several_words_of_a_state_stay_apart_in_its_name() -> None:
    assert setting("environment", {"variables": "A=1 B=two"}) == "environment[variables=A=1+B=two]"
    assert setting("batched_cleanup", {"above": "2 GiB"}) == "batched_cleanup[above=2GiB]"


def toggles(*names: str) -> list[Toggle]:
    return [Toggle(name=name, before=False, after=True) for name in names]


def test_arms_whose_process_is_another_stand_apart() -> None:
    laid = design("one_at_a_time", toggles("resample_cache", "batched_cleanup", "environment"))
    assert laid.groups == {
        "request": ("none", "resample_cache", PLACEBO, HOST_DOSE), "settled": ("none", "batched_cleanup", PLACEBO),
        PROCESS: ("none", "environment", "all", PLACEBO),
    }  # fmt: skip
    assert [pair[0] for pair in laid.of_process] == ["environment", "all"]
    assert laid.sharing == {"none", "resample_cache", "batched_cleanup", PLACEBO, HOST_DOSE}


def test_of_what_is_compared_with_its_neighbour_all_have_processes_of_their_own() -> None:
    laid = design("ladder", toggles("resample_cache", "environment", "cached_device"))
    assert laid.groups["request"] == ("none", PLACEBO, HOST_DOSE)
    assert len(laid.groups[PROCESS]) == 5
    assert laid.of_process == laid.pairs


def test_where_every_arm_has_it_on_nothing_stands_apart() -> None:
    laid = design("leave_one_out", toggles("resample_cache", "environment"))
    assert laid.groups[PROCESS] == ("all", "all-but-environment", PLACEBO)
    assert "all-but-resample_cache" in laid.groups["request"]


@pytest.mark.parametrize("name", ["factorial", "fractional", "permutations"])
def test_a_design_whose_arms_share_a_process_has_no_use_for_them(name: str) -> None:
    with pytest.raises(ScenarioError, match="environment changes the whole of it"):
        fake_scenario(optimizations={"resample_cache": True, "cached_device": True, "environment": SLOW}, design=name)


def test_a_process_that_is_slower_is_found_beside_a_pipeline_that_is_faster(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(
        model={"environment": {"SLOW=1": 0.05}, "effects": {"resample_cache": -0.1}},
        optimizations={"resample_cache": True, "environment": SLOW},
        measure={"metrics": ["latency", "init", "rss_peak"]},
    )
    assert run.complete
    assert all(control.passed for control in run.controls), run.controls
    assert {"placebo", "placebo_process", "host_dose"} <= {control.name for control in run.controls}
    slower, faster, together = (contrast(run, name) for name in ("environment", "resample_cache", "all"))
    assert (slower.verdict, faster.verdict, together.verdict) == ("slower", "faster", "faster")
    assert slower.ratio == pytest.approx(1.05, abs=0.005)
    assert together.ratio == pytest.approx(0.9 * 1.05, abs=0.005)
    assert (slower.witness_before, slower.witness_after) == (0, 1)
    assert contrast(run, "environment", "init").ratio is not None
    assert contrast(run, "environment", "rss_peak").ratio == 1
    blocks = {(trial.group, trial.arm) for trial in run.trials if trial.pass_ == "latency" and trial.phase == "timed"}
    assert ("request", "environment") not in blocks
    arms_of_workers: dict[int, set[str]] = {}
    for trial in run.trials:
        if trial.group == PROCESS and trial.kind == "request":
            arms_of_workers.setdefault(trial.worker, set()).add(trial.arm)
    assert len(arms_of_workers) > 2
    assert {"none", PLACEBO} <= set.intersection(*arms_of_workers.values())
    assert sorted(name for look in run.looks for name in look.decided) == ["all", "environment", "resample_cache"], (
        "each is decided at a look of its own pass, and once"
    )


def test_equal_processes_make_no_difference(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(optimizations={"environment": {"after": {"variables": "IDLE=1"}}})
    found = contrast(run, "environment")
    assert found.verdict == "no material difference"
    assert found.ratio == pytest.approx(1, abs=0.005)


def test_a_process_that_dies_costs_its_own_arm_alone(tmp_path: Path, quiet: Quiet) -> None:
    """The variable makes Python look for its library where there is none, so that the process does not even start."""
    chosen = fake_scenario(
        optimizations={"resample_cache": True, "environment": {"after": {"variables": "PYTHONHOME=/nowhere"}}}
    )
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    assert contrast(run, "environment").verdict == "failed"
    assert contrast(run, "resample_cache").verdict == "no material difference"


def test_a_plan_says_how_many_processes_it_takes_and_that_nothing_is_foreseen() -> None:
    told = planning.outline(fake_scenario(optimizations={"environment": SLOW}), "cpu", None, None)
    assert told.processes == 3 + 3 + 24 * 3, "of latency, of outputs, and groups of three"
    lines = list(outlook._lines(told, "some"))
    assert any("each in a process of its own" in line for line in lines)
    assert not any("harness calibrate" in line for line in lines)


class Interrupting(Quiet):
    """Ctrl-C, as soon as a group of processes has been measured and looked at."""

    def update(self, device: str, doing: str, share: float, left_s: float | None) -> None:
        super().update(device, doing, share, left_s)
        if doing.startswith("pairs"):
            raise KeyboardInterrupt


def test_a_run_goes_on_where_it_was_interrupted_between_processes(tmp_path: Path, quiet: Quiet) -> None:
    chosen = fake_scenario(
        model={"environment": {"SLOW=1": 0.05}, "effects": {"resample_cache": -0.1}},
        optimizations={"resample_cache": True, "environment": SLOW},
    )
    with pytest.raises(KeyboardInterrupt):
        runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=Interrupting())
    before = store.run_from_journal(tmp_path / "run")
    run = runner.resume(tmp_path / "run", quiet)
    assert run.complete
    assert contrast(run, "environment").verdict == "slower"
    assert contrast(run, "resample_cache").verdict == "faster"
    shared = [trial for trial in run.trials if trial.group == "request"]
    assert len(shared) == sum(trial.group == "request" for trial in before.trials), "that part was over"


def test_what_could_not_be_compared_between_processes_takes_nothing_from_the_others(
    measure_fake: Callable[..., Run],
) -> None:
    """One group of processes is all that the budget holds: it has to meet thirty kinds of request."""
    run = measure_fake(
        model={"effects": {"resample_cache": -0.1}},
        workload={"texts": {f"en-{number}": "hello" * number for number in range(1, 31)}},
        optimizations={"resample_cache": True, "environment": SLOW}, measure={"budget": "4s"},
    )  # fmt: skip
    placebo = next(c for c in run.controls if (c.name, c.metric) == ("placebo_process", "latency"))
    assert not placebo.passed
    assert contrast(run, "resample_cache").verdict == "faster"
    assert contrast(run, "environment").verdict == "inconclusive"


def test_a_worker_finds_its_settings_where_there_is_no_package_of_this_project() -> None:
    """Loaded by its path under a private name, as beside somebody else's code."""
    folder = Path(worker.__file__).parent
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('_alone', {str(folder / '__init__.py')!r}, submodule_search_locations=[{str(folder)!r}])\n"
        "package = sys.modules['_alone'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(package)\n"
        "from _alone import settings\n"
        f"held = {as_told(start_of('environment', state={'variables': 'A=1'}).holds or ('', {}))!r}\n"
        "settings.begin({'A': '1'}, {})\n"
        "print(settings.do(held), 'harness' in sys.modules)\n"
        "settings.begin({'A': '1', 'B': '2'}, {})\n"
        "print(settings.do(held))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], env={"A": "1"}, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "False", "False"], "with others from toggles it is another state"


def planted(tmp_path: Path, **optimizations: object) -> Scenario:
    return Scenario.from_data({
        "file": str(tmp_path / "planted.yaml"), "name": "threads", "model": {"adapter": "planted", "units": 1}, "devices": ["cpu"],
        "workload": {"texts": {"en": "Yes."}}, "optimizations": optimizations,
        "measure": {"metrics": ["latency"], "budget": "20ms", "workers": 1, "time_limit": "60s"},
    })  # fmt: skip


def test_pytorch_has_the_threads_and_the_precision_that_were_asked_for(tmp_path: Path, quiet: Quiet) -> None:
    """In real processes: what the witnesses count is read from PyTorch. So small a budget decides nothing."""
    chosen = planted(tmp_path, torch_threads={"after": {"threads": 2}}, matmul_precision=True)
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    counted = {(w.optimization, w.arm): sum(w.per_request) for w in run.witnesses}
    for name in ("torch_threads", "matmul_precision"):
        assert counted[name, "none"] == 0
        assert counted[name, name] > 0
        assert counted[name, "all"] > 0
        found = contrast(run, name)
        assert found.ratio is not None
        assert math.isfinite(found.ratio)
    assert not run.failures


def test_a_model_is_loaded_as_the_toggle_says_in_the_processes_of_its_arm_alone(tmp_path: Path, quiet: Quiet) -> None:
    """In real processes, with the shipped model: other tokens are drawn, and from the same ones the sound is the same."""
    chosen = Scenario.from_data({
        "file": str(tmp_path / "half.yaml"), "name": "half", "model": {"adapter": "cosyvoice2"}, "devices": ["cpu"],
        "workload": {"texts": {"en": "Good morning, and good night."}}, "optimizations": {"bf16_llm": True},
        "measure": {"metrics": ["latency"], "budget": "20ms", "workers": 1, "time_limit": "60s"},
    })  # fmt: skip
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    assert not run.failures
    counted = {w.arm: sum(w.per_request) for w in run.witnesses if w.optimization == "bf16_llm"}
    assert counted["none"] == 0
    assert counted["bf16_llm"] > 0
    (alike,) = [item for item in run.equivalences if item.arm == "bf16_llm"]
    assert (alike.grade, alike.accepted, alike.tokens_equal) == ("bitwise", True, False)
    assert alike.agreement is not None
    assert "llm_dtype" not in run.environment["model"]
    assert not [floor for floor in run.floors if floor.arm == "bf16_llm"]


def test_an_adapter_that_cannot_load_its_model_so_is_refused_before_anything_starts(
    tmp_path: Path, quiet: Quiet
) -> None:
    chosen = planted(tmp_path, bf16_llm=True)
    told = "the adapter planted cannot be loaded with llm_dtype, which this toggle sets; cosyvoice2 can"
    assert list(runner.unswitchable(chosen)) == [("bf16_llm", told)]
    with pytest.raises(ScenarioError, match=told):
        runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    assert not list(runner.unswitchable(planted(tmp_path, torch_threads={"after": {"threads": 2}})))


def test_a_gate_refuses_such_a_toggle_too_and_a_limit_that_nothing_can_show(tmp_path: Path) -> None:
    """A gate has no witness: a setting that was not applied would be held."""
    chosen = planted(tmp_path, bf16_llm=True)
    with pytest.raises(ScenarioError, match="cannot be loaded with llm_dtype"):
        gating.check(chosen, chosen.gated())
    crowd = fake_scenario(
        workload={"concurrency": [1, 4]},
        gate={"peak_allocated": "0%"},
        measure={"metrics": ["latency", "peak_allocated"]},
    )
    with pytest.raises(ScenarioError, match="no interval can show of requests at the same moment"):
        gating.check(crowd, crowd.gated())
    gating.check(fake_scenario(), fake_scenario().gated())


def test_two_states_of_which_both_are_on_are_told_apart(tmp_path: Path, quiet: Quiet) -> None:
    chosen = planted(tmp_path, torch_threads={"before": {"threads": 2}, "after": {"threads": 3}})
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    found = contrast(run, "torch_threads")
    assert found.verdict not in ("inert", "failed", "output changed"), found.reason
    assert (found.witness_before, found.witness_after) == (0, 1)


def test_where_no_time_is_measured_no_groups_of_processes_are_foreseen() -> None:
    chosen = fake_scenario(optimizations={"environment": SLOW}, measure={"metrics": ["rss_peak"]})
    outline = planning.outline(chosen, "cpu", None, None)
    assert outline.workers == 0
    assert outline.processes < 20
