"""What rows are called where there is little room, and what is said to be before and after."""

from __future__ import annotations

from dataclasses import replace

from harness.report import html, labels, markdown, page
from harness.report.memory import courses
from harness.report.model import Row
from harness.report.reading import Reading
from harness.results import Arm, Finding, MemoryCourse, Run
from tests.report import sample_runs

CUDA, REQUEST, NEVER = "cuda:0", "batched_cleanup[every=request]", "batched_cleanup[every=never]"


def settings_of_one() -> Run:
    """A run of one toggle in two settings, the first of which has the figures of `all`."""
    run = sample_runs.calibrated()
    arms = [
        Arm(name=name, role="toggle", toggle="batched_cleanup", states={"batched_cleanup": state})
        for name, state in ((REQUEST, {"every": "request"}), (NEVER, {"every": "never"}))
    ]
    others = [arm for arm in run.plan.arms if arm.role not in {"toggle", "all"}]
    pairs = ((REQUEST, "none", REQUEST), (NEVER, "none", NEVER))
    contrasts = [
        replace(contrast, optimization=name, arm=name)
        for contrast in run.contrasts
        if contrast.optimization == "all"
        for name in (REQUEST, NEVER)
    ]
    points = ((0.0, "", 1.0, 2.0, 1.0), (0.5, "llm", 3.0, 4.0, 3.0))
    heard = [MemoryCourse(device=CUDA, arm=arm, requests=("r0",), points=points) for arm in (NEVER, "none", REQUEST)]
    return replace(
        run, plan=replace(run.plan, arms=(*others, *arms), pairs=pairs), contrasts=tuple(contrasts), memory_courses=tuple(heard),
        optimizations={"batched_cleanup": run.optimizations["batched_cleanup"]},
    )  # fmt: skip


def rows(*names: str) -> list[Row]:
    shown = page.build(sample_runs.calibrated()).devices[0].headline.rows[0]
    return [replace(shown, name=name, setting=name.partition("[")[2].strip("]")) for name in names]


def test_settings_of_one_toggle_go_by_their_settings_where_one_name_is_too_long() -> None:
    assert labels.of_rows(rows(REQUEST, NEVER), 28) == ["every=request", "every=never"]
    assert labels.of_rows(rows(REQUEST, NEVER), 40) == [REQUEST, NEVER]


def test_settings_that_begin_alike_are_called_by_what_they_differ_in() -> None:
    many = [f"model_arguments[arguments=fp16=true+load_jit=true+{last}=true]" for last in ("load_trt", "load_vllm")]
    assert labels.of_rows(rows(*many), 28) == ["load_trt=true", "load_vllm=true"]
    few = [f"model_arguments[arguments=number_of_steps={steps}]" for steps in (4, 8)]
    assert labels.of_rows(rows(*few), 26) == ["number_of_steps=4", "number_of_steps=8"]
    assert labels.of_rows(rows(few[0]), 26) == ["arguments=number_of_steps…"]


def test_beside_other_toggles_only_what_is_too_long_loses_its_toggle() -> None:
    assert labels.of_rows(rows(REQUEST, "resample_cache"), 28) == ["every=request", "resample_cache"]
    assert labels.of_rows(rows(REQUEST, "cache[size=2]"), 28) == ["every=request", "cache[size=2]"]
    assert labels.of_rows(rows("speaker_preregistration"), 12) == ["speaker_pre…"]


def test_a_page_names_the_setting_that_its_tiles_and_stages_are_of() -> None:
    text = html(settings_of_one())
    assert f"Nothing on before, {REQUEST} after" in text
    assert "everything on after" not in text
    assert f">{REQUEST}<span" in text
    whole = html(sample_runs.calibrated())
    assert "Nothing on before, everything on after" in whole
    assert ">Everything on<span" in whole


def test_a_before_that_is_not_off_is_named_too() -> None:
    run = settings_of_one()
    every = {"batched_cleanup": {"every": 4}}
    arms = tuple(replace(arm, states=every) if arm.role == "none" else arm for arm in run.plan.arms)
    text = html(replace(run, plan=replace(run.plan, arms=arms)))
    assert f"batched_cleanup[every=4] before, {REQUEST} after" in text
    assert "Nothing on before" not in text
    whole = sample_runs.calibrated()
    arms = tuple(replace(arm, states={**arm.states, **every}) if arm.role == "none" else arm for arm in whole.plan.arms)
    text = html(replace(whole, plan=replace(whole.plan, arms=arms)))
    assert "Each in its state before, each in its state after" in text
    assert "Nothing on before" not in text


def test_memory_over_time_is_drawn_of_every_setting() -> None:
    assert [course.label for course in courses(Reading(settings_of_one()), CUDA)] == ["before", REQUEST, NEVER]


def test_a_finding_about_no_device_begins_with_its_kind() -> None:
    told = (Finding(kind="resumed", device="", message="elsewhere"), Finding(kind="drift", device=CUDA, message="up"))
    text = markdown(replace(sample_runs.calibrated(), findings=told))
    assert "- resumed: elsewhere" in text
    assert "- cuda:0, drift: up" in text
