"""Toggles that the measured code has already: what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness import compare
from harness.report.markdown import markdown
from harness.results import Run
from harness.worker.checkout.toggles.toggle import NOT_PUT_BACK

WHERE = "FrontEnd keeps them in self.kept"


def present(run: Run, *names: str) -> Run:
    return compare.evaluate(replace(run, plan=replace(run.plan, already_present=dict.fromkeys(names, WHERE))))


def test_a_toggle_that_the_code_has_is_no_gain_and_its_reason_says_what_was_measured(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(model={"effects": {"resample_cache": -0.2}})
    found = {c.optimization: c for c in present(run, "resample_cache").contrasts if c.metric == "latency"}
    plain = {c.optimization: c for c in run.contrasts if c.metric == "latency"}
    assert plain["resample_cache"].verdict == "faster"
    assert found["resample_cache"].verdict == "already present"
    assert found["resample_cache"].reason.startswith(
        f"{WHERE}; against the code before, put back by a patch: faster in"
    )
    assert found["resample_cache"].ratio == plain["resample_cache"].ratio
    others = set(found) - {"resample_cache"}
    assert {name: found[name] for name in others} == {name: plain[name] for name in others}


def test_a_finding_says_that_all_gains_more_than_the_code_can(measure_fake: Callable[..., Run]) -> None:
    run = present(measure_fake(), "resample_cache")
    (finding,) = [finding for finding in run.findings if finding.kind == "already present"]
    assert finding.message.startswith("The measured code has resample_cache already.")
    assert "more than this code can gain" in finding.message
    assert not [finding for finding in measure_fake().findings if finding.kind == "already present"]


def test_one_whose_output_changed_stays_what_it_is(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"faults": {"resample_cache": "change"}})
    before = {c.optimization: c.verdict for c in run.contrasts if c.metric == "latency"}
    after = {c.optimization: c.verdict for c in present(run, "resample_cache").contrasts if c.metric == "latency"}
    assert after["resample_cache"] == before["resample_cache"] == "output changed"


def test_an_inert_one_is_already_present_only_where_its_code_before_is_not_put_back(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(model={"faults": {"resample_cache": "inert"}})
    assert {c.verdict for c in present(run, "resample_cache").contrasts if c.optimization == "resample_cache"} == {
        "inert"
    }
    told = replace(run, plan=replace(run.plan, already_present={"resample_cache": f"{WHERE}; {NOT_PUT_BACK}"}))
    found = [c for c in compare.evaluate(told).contrasts if c.optimization == "resample_cache"]
    assert {c.verdict for c in found} == {"already present"}
    assert all(c.reason == f"{WHERE}; {NOT_PUT_BACK}, so that there is nothing to compare" for c in found)


def test_the_report_lists_it_among_those_that_are_not_compared(measure_fake: Callable[..., Run]) -> None:
    text = markdown(present(measure_fake(), "resample_cache"))
    (line,) = [line for line in text.splitlines() if "already present" in line and WHERE in line][:1]
    assert "put back by a patch" in line
