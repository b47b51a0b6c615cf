"""Which runs, and which of their contrasts, may stand side by side: all rules, one function each (docs/decisions/0023).

A rule takes the first of two and another one, and yields in words what forbids to compare them; nothing if it holds. Rules of
`RUNS` are about whole runs: where one is broken, nothing of the other run is shown beside the first. Those of `CONTRASTS` are
about one optimization in one metric: where one is broken, that row alone is left out, and why is said.

What may differ, because it is what one compares runs for: machine, device, versions, commit, the model and its size, budget,
workers, threads and margins. Pure: Runs in, words of the language spoken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import units
from harness.report.words import mark, say
from harness.results import Contrast, Run
from harness.toggling import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A contrast in the run that holds it."""

    run: Run
    contrast: Contrast


_COMMITS = {
    "base": mark("its base is {now}, in the first run {then}"),
    "head": mark("its head is {now}, in the first run {then}"),
}
RunRule = Callable[[Run, Run], Iterator[str]]
ContrastRule = Callable[[Measured, Measured], Iterator[str]]


def another_run(first: Run, other: Run) -> Iterator[str]:
    """A run beside itself would look like a second measurement that agrees."""
    if first.id == other.id:
        yield say("it is the same run")


def same_question(first: Run, other: Run) -> Iterator[str]:
    """Optimizations on one code, or two revisions: and then the same two."""
    if bool(first.plan.limits) != bool(other.plan.limits):
        yield (
            say("it compares two revisions, the first run optimizations")
            if other.plan.limits
            else say("it compares optimizations, the first run two revisions")
        )
        return
    for side in _COMMITS if first.plan.limits else ():
        commits = [_commit(run, side) for run in (first, other)]
        if commits[0] != commits[1] or commits[0] is None:
            then, now = (commit or say("not known") for commit in commits)
            yield say(_COMMITS[side], now=now, then=then)


def same_requests(first: Run, other: Run) -> Iterator[str]:
    """The same texts, speakers, seeds and ways of delivery, in the same shares: an effect is one on requests.

    A key of the workload that one of the runs does not know was not there when it was made, and is not held against it.
    """
    then, now = first.scenario.get("workload"), other.scenario.get("workload")
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in then.keys() & now.keys():
            if then[key] != now[key]:
                yield say(
                    "its workload.{key} is {now}; in the first run it is {then}",
                    key=key, now=repr(now[key]), then=repr(then[key]),
                )  # fmt: skip
    if set(first.plan.requests) != set(other.plan.requests):
        yield say(
            "its requests are {now}, in the first run they are {then}",
            now=_listed(other.plan.requests), then=_listed(first.plan.requests),
        )  # fmt: skip
    elif first.plan.strata and other.plan.strata and first.plan.strata != other.plan.strata:
        yield say("its kinds of request have other shares of the workload")
    elif _crowds(first) != _crowds(other):
        yield say("other numbers of its requests were made at the same moment")


def same_definition(first: Measured, other: Measured) -> Iterator[str]:
    """A metric of the same unit, an estimate of the same kind, an interval of the same certainty."""
    then, now = first.contrast, other.contrast
    if then.unit != now.unit:
        yield say("the unit is {now}, in the first run {then}", now=now.unit, then=then.unit)
    if then.statistic != now.statistic:
        yield say(
            "the estimate is another one ({now}; in the first run: {then})",
            now=now.statistic or say("not named"), then=then.statistic or say("not named"),
        )  # fmt: skip
    if then.level != now.level:
        yield say(
            "its interval is one of {now}, in the first run of {then}",
            now=units.percent(now.level), then=units.percent(then.level),
        )  # fmt: skip


def same_reference(first: Measured, other: Measured) -> Iterator[str]:
    """The same toggles on in what it is compared with: leaving one out of all is not adding it to none."""
    for told in _other_states(first, other, first.contrast.reference_arm, other.contrast.reference_arm):
        yield say("in its reference arm {told}", told=told)


def same_parameters(first: Measured, other: Measured) -> Iterator[str]:
    """The same toggles on, with the same parameters, defaults written out."""
    for told in _other_states(first, other, first.contrast.arm, other.contrast.arm):
        yield say("in its arm {told}", told=told)


RUNS: Sequence[RunRule] = (another_run, same_question, same_requests)
CONTRASTS: Sequence[ContrastRule] = (same_definition, same_reference, same_parameters)


def broken_by_run(first: Run, other: Run) -> list[str]:
    """Why nothing of `other` may be shown beside `first`; empty where it may."""
    return [told for rule in RUNS for told in rule(first, other)]


def broken_by_contrast(first: Measured, other: Measured) -> list[str]:
    """Why a contrast may not be shown beside another one of the same name and metric; empty where it may."""
    return [told for rule in CONTRASTS for told in rule(first, other)]


def states_of(run: Run, arm: str) -> Mapping[str, Any]:
    """The toggles that are on in an arm, each with all of its parameters. A toggle that a scenario does not list is off."""
    found = next((known.states for known in run.plan.arms if known.name == arm), {})
    return {toggle: _parameters(run, toggle, state) for toggle, state in found.items() if state is not False}


def _parameters(run: Run, toggle: str, state: State) -> Mapping[str, Any]:
    defaults = run.optimizations.get(toggle, {}).get("parameters") or {}
    return {**defaults, **(state if isinstance(state, Mapping) else {})}


def _other_states(first: Measured, other: Measured, then_arm: str, now_arm: str) -> Iterator[str]:
    then, now = states_of(first.run, then_arm), states_of(other.run, now_arm)
    for toggle in dict.fromkeys([*then, *now]):
        if then.get(toggle) != now.get(toggle):
            yield say(
                "{toggle} is {now}, in the first run's {then}",
                toggle=toggle, now=_state(now.get(toggle)), then=_state(then.get(toggle)),
            )  # fmt: skip


def _state(parameters: Mapping[str, Any] | None) -> str:
    if parameters is None:
        return say("off")
    told = ", ".join(f"{key}: {value}" for key, value in parameters.items())
    return say("on with {told}", told=told) if told else say("on")


def _crowds(run: Run) -> Mapping[str, int]:
    """The kinds of request of which several are made at the same moment."""
    return {kind: number for kind, number in run.plan.concurrency.items() if number != 1}


def _commit(run: Run, side: str) -> str | None:
    found = (run.environment.get("revisions") or {}).get(side) or {}
    return str(found["commit"])[:10] if found.get("commit") else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or say("not known")
