"""The verdicts that do not rest on figures: what failed, did other work, or did nothing. They come before all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from harness.evidence import Evidence, say_work, work_of
from harness.metrics import FIRST
from harness.optimizations import named
from harness.optimizations.witness import Counts, Expected, Witness, judge
from harness.results import Equivalence, Verdict
from harness.toggling import Grade, State, toggle_of


def state_of(evidence: Evidence, optimization: str, reference: str, arm: str) -> tuple[Verdict | None, str]:
    """The verdict that does not rest on figures, if there is one; it comes before all others."""
    reasons = evidence.run.plan.refused(evidence.device)
    if toggle_of(optimization) in reasons:
        return "not applicable", reasons[toggle_of(optimization)]
    failure = evidence.failure(reference, arm)
    if failure is not None:
        return "failed", failure
    changed = [item for item in (*evidence.equivalences(reference), *evidence.equivalences(arm)) if not item.accepted]
    if changed:
        worst = max(changed, key=lambda item: (get_args(Grade).index(item.grade), item.bound or 0.0))
        return "output changed", (
            f"the output of {worst.arm} on {worst.request} is graded {worst.grade}{_apart(worst)}{_rates(worst)}; {worst.required} is required"
            f"{_remedy(evidence, optimization, worst)}"
        )
    other = other_work(evidence, reference, arm)
    if other:
        return "output changed", other
    if evidence.run.plan.limits:
        return None, ""  # the two sides of a gate differ in their revision, of which there is no witness
    return _by_witness(evidence, optimization, reference, arm)


def _remedy(evidence: Evidence, optimization: str, worst: Equivalence) -> str:
    """What may be done about outputs that are near to each other, in a gate or by the author of a toggle that alone made them: only they
    know whether that is near enough.
    """
    toggle = toggle_of(optimization)
    if worst.grade == "changed":
        return ""
    if evidence.run.plan.limits:
        return f"; if so much may change: --set gate.output={worst.grade}"
    if evidence.arms[worst.arm].toggle != toggle:
        return ""
    if not named(toggle).is_declared:
        return ""
    bound = "" if worst.bound is None else f", bound={float(f'{2 * worst.bound:.1g}'):g}"
    return f'; if so much may change, its file says so: check=Check(grade="{worst.grade}"{bound}, reason="...") (docs/plugins.md)'


def _by_witness(evidence: Evidence, optimization: str, reference: str, arm: str) -> tuple[Verdict | None, str]:
    """Whether the toggles of a pair were engaged: all of them idle is `inert`."""
    settings = evidence.settings(optimization)
    uncounted = [setting for setting in settings if not evidence.is_counted(setting, reference, arm)]
    idle = [_idle(evidence, setting, reference, arm) for setting in settings if setting not in uncounted]
    if all(idle) and uncounted:
        return "inconclusive", f"{', '.join(uncounted)}: its witness was not counted"
    return ("inert", "; ".join(idle)) if all(idle) else (None, "")


def other_work(evidence: Evidence, reference: str, arm: str) -> str:
    """How two arms did other work on a request that was timed; "" where they did not, or may.

    Outputs are compared for a few requests, before anything is timed; what a trial says of its own is of all of them.
    """
    if _may_speak_otherwise(evidence, reference, arm):
        return ""
    timed = (
        *evidence.pairs("latency", reference, arm, evidence.group_of(reference, arm)),
        *evidence.pairs(FIRST, reference, arm, ""),
    )
    for before, after in timed:
        if work_of(before) != work_of(after):
            told = f"on {before.request} {reference} made {say_work(work_of(before))}; {arm} made {say_work(work_of(after))}"
            return told + _as_many(evidence, reference, arm)
    return ""


def _as_many(evidence: Evidence, reference: str, arm: str) -> str:
    """What makes both sides do the same work, where the one may draw other tokens than the other."""
    states = evidence.arms[arm].states.items()
    changed = [toggle for toggle, state in states if state != evidence.arms[reference].states.get(toggle)]
    stops_by_itself = evidence.run.environment.get("model", {}).get("length") == "model"
    if not stops_by_itself or not any(named(toggle).check.other_tokens for toggle in changed):
        return ""
    return "; a number as model.length, of speech tokens for each text token, holds both to as many"


def _may_speak_otherwise(evidence: Evidence, reference: str, arm: str) -> bool:
    """Whether what is asked of the output of an arm is that its words are the same, or in a gate nothing at all."""
    if evidence.run.plan.limits:
        return evidence.run.scenario.get("gate", {}).get("output", "bitwise") in ("words", "any")
    before, after = (evidence.arms[name].states for name in (reference, arm))
    return any(named(toggle).check.grade == "words" for toggle, state in after.items() if state != before.get(toggle))


def _apart(row: Equivalence) -> str:
    """By how much an output is another one: in decibels between spectra, or by the largest difference of its samples or numbers."""
    figure = row.figure if row.grade == "changed" else row.bound
    told = {"changed": "{:.2g} dB apart", "spectral": "{:.2g} dB apart", "tolerance": "up to {:.2g} apart"}.get(
        row.grade
    )
    return "" if told is None or figure is None else f", {told.format(figure)}"


def _rates(row: Equivalence) -> str:
    """That the sounds are of different sample rates, where both are sound."""
    rates_hz = row.rate_before_hz, row.rate_after_hz
    if 0 in rates_hz or rates_hz[0] == rates_hz[1]:
        return ""
    return f", its sample rate being {rates_hz[1]:,} Hz and the reference's {rates_hz[0]:,} Hz"


def _idle(evidence: Evidence, setting: str, reference: str, arm: str) -> str:
    """Why the witness of a toggle in one of its states does not show it engaged between two arms; "" when it does."""
    toggle = toggle_of(setting)
    sides = [evidence.arms[side].states[toggle] for side in (reference, arm)]
    expected = [_expected(named(toggle).witness, state) for state in sides]
    off: Literal["before", "after"] | None = "before" if sides[0] is False else "after" if sides[1] is False else None
    if off is None and named(toggle).isolation == "process":
        # both sides are asked whether their process is as the side after wants it
        expected[0], off = named(toggle).witness.before, "before"
    before, after = (_counts(evidence, setting, side) for side in (reference, arm))
    reason = judge(before, after, *expected, off=off)
    return f"{setting}: {reason}" if reason else ""


def _expected(witness: Witness, state: State) -> Expected:
    """What the witness declares for a state of the toggle."""
    return witness.before if state is False else witness.expected_after(state if isinstance(state, Mapping) else {})


def _counts(evidence: Evidence, setting: str, arm: str) -> Counts:
    found = evidence.witness(setting, arm)
    return Counts() if found is None else Counts(at_bind=found.at_bind, per_request=found.per_request)
