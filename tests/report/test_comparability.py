"""What may stand side by side: each rule of harness/report/comparing/rules.py holds, and is broken."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest

from harness.report.comparing import rules as module
from harness.report.comparing.rules import CONTRASTS, RUNS, Measured, broken_by_contrast, broken_by_run
from harness.results import Run
from tests.report import sample_gates
from tests.report.sample_comparisons import elsewhere, first, leaving_one_out, with_states


def _measured(run: Run, optimization: str = "batched_cleanup", metric: str = "latency", **keys: Any) -> Measured:
    found = next(c for c in run.contrasts if (c.optimization, c.metric, c.device) == (optimization, metric, "cpu"))
    return Measured(run=run, contrast=replace(found, **keys))


def _with_workload(run: Run, **workload: Any) -> Run:
    return replace(run, scenario={**run.scenario, "workload": workload})


def test_another_machine_commit_budget_and_margin_are_what_one_compares_for() -> None:
    assert broken_by_run(first(), elsewhere()) == []
    assert broken_by_contrast(_measured(first()), _measured(elsewhere(), margin=0.05, blocks=3, workers=2)) == []


def test_a_run_beside_itself_is_refused() -> None:
    assert broken_by_run(first(), first()) == ["it is the same run"]


def test_a_gate_is_not_compared_with_a_run_of_optimizations() -> None:
    assert broken_by_run(first(), sample_gates.run())[0] == "it compares two revisions, the first run optimizations"


def _gate(name: str, base: str, head: str) -> Run:
    revisions = {"base": {"commit": base * 40}, "head": {"commit": head * 40}}
    return replace(sample_gates.run(), id=name, environment={"revisions": revisions})


def test_gates_are_compared_where_both_are_about_the_same_two_commits() -> None:
    assert broken_by_run(_gate("one", "a", "b"), _gate("two", "a", "b")) == []
    assert broken_by_run(_gate("one", "a", "b"), _gate("two", "a", "c")) == [
        "its head is cccccccccc, in the first run bbbbbbbbbb"
    ]
    unknown = replace(sample_gates.run(), id="two")
    assert broken_by_run(_gate("one", "a", "b"), unknown)[0] == "its base is not known, in the first run aaaaaaaaaa"


def test_other_texts_under_the_same_names_are_other_requests() -> None:
    one = _with_workload(first(), texts={"zh-news": "a"}, stream=False)
    two = _with_workload(elsewhere(), texts={"zh-news": "b"}, stream=False)
    assert broken_by_run(one, replace(one, id="again")) == []
    assert broken_by_run(one, two) == [
        "its workload.texts is {'zh-news': 'b'}; in the first run it is {'zh-news': 'a'}"
    ]


def test_a_key_of_the_workload_that_an_older_run_does_not_know_is_not_held_against_it() -> None:
    one = _with_workload(first(), texts={"zh": "a"})
    assert broken_by_run(one, _with_workload(elsewhere(), texts={"zh": "a"}, concurrency=[1])) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"requests": ("zh-news",)}, "its requests are zh-news, in the first run they are zh-news, en-dialogue"),
        ({"strata": {"zh": 0.9, "en": 0.1}}, "its kinds of request have other shares of the workload"),
        ({"concurrency": {"zh": 4}}, "other numbers of its requests were made at the same moment"),
    ],
)
def test_other_requests_shares_or_numbers_at_once_are_refused(keys: dict[str, Any], said: str) -> None:
    one = replace(first(), plan=replace(first().plan, strata={"zh": 0.5, "en": 0.5}))
    two = replace(elsewhere(), plan=replace(one.plan, devices=("cpu",), **keys))
    assert broken_by_run(one, two) == [said]


def test_the_order_of_requests_and_kinds_made_alone_do_not_matter() -> None:
    one = first()
    plan = replace(one.plan, requests=tuple(reversed(one.plan.requests)), concurrency={"zh": 1})
    assert broken_by_run(one, replace(elsewhere(), plan=plan)) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"unit": "ms"}, "the unit is ms, in the first run s"),
        ({"statistic": "mean"}, "the estimate is another one (mean; in the first run: median of paired log-ratios)"),
        ({"level": 0.99}, "its interval is one of 99.0\u202f%, in the first run of 95.0\u202f%"),
    ],
)
def test_a_metric_that_is_defined_otherwise_is_refused(keys: dict[str, Any], said: str) -> None:
    assert broken_by_contrast(_measured(first()), _measured(elsewhere(), **keys)) == [said]


def test_leaving_one_out_of_all_is_not_adding_it_to_none() -> None:
    told = broken_by_contrast(_measured(first()), _measured(leaving_one_out()))
    assert "in its reference arm resample_cache is on, in the first run's off" in told
    assert not any(text.startswith("in its reference arm batched_cleanup") for text in told)


def test_other_parameters_of_a_toggle_are_another_toggle() -> None:
    other = with_states(elsewhere(), "batched_cleanup", batched_cleanup={"every": 8})
    assert broken_by_contrast(_measured(first()), _measured(other)) == [
        "in its arm batched_cleanup is on with every: 8, in the first run's on with every: request"
    ]


def test_a_default_that_is_written_out_is_the_same_as_one_that_is_not() -> None:
    other = with_states(elsewhere(), "batched_cleanup", batched_cleanup={"every": "request"})
    assert broken_by_contrast(_measured(first()), _measured(other)) == []


def test_a_default_that_changed_between_two_commits_is_another_parameter() -> None:
    run = elsewhere()
    changed = {
        **run.optimizations,
        "batched_cleanup": {**run.optimizations["batched_cleanup"], "parameters": {"every": 2}},
    }
    told = broken_by_contrast(_measured(first()), _measured(replace(run, optimizations=changed)))
    assert told == ["in its arm batched_cleanup is on with every: 2, in the first run's on with every: request"]


def test_all_together_of_other_toggles_is_refused_and_names_them() -> None:
    other = with_states(elsewhere(), "all", half_precision=False, prebuilt=True)
    assert broken_by_contrast(_measured(first(), "all"), _measured(other, "all")) == [
        "in its arm half_precision is off, in the first run's on",
        "in its arm prebuilt is on, in the first run's off",
    ]


def test_a_toggle_that_the_other_scenario_does_not_list_is_off_in_it() -> None:
    run = elsewhere()
    arms = tuple(
        replace(arm, states={name: state for name, state in arm.states.items() if name != "half_precision"})
        for arm in run.plan.arms
    )
    assert broken_by_contrast(_measured(first()), _measured(replace(run, plan=replace(run.plan, arms=arms)))) == []


def test_every_rule_is_named_here_and_says_what_it_is_for() -> None:
    rules = {*RUNS, *CONTRASTS}
    named = {"another_run", "same_question", "same_requests", "same_definition", "same_reference", "same_parameters"}
    assert {rule.__name__ for rule in rules} == named
    assert all(inspect.getdoc(getattr(module, name)) for name in named)
