"""What is still to be measured in the latency pass: open pairs, and the arms of each group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harness import designs, units, workload
from harness.designs import CONTROLS, DOSES, PLACEBO, PROCESS, Pair, control_name
from harness.session import Session


def is_settled(session: Session) -> bool:
    """Whether every contrast of arms that share a process is decided and the controls of latency have passed; never where the design
    has no contrast.
    """
    return bool(session.design.pairs) and _is_calibrated(session) and not open_pairs(session)


def _is_calibrated(session: Session) -> bool:
    """Whether the controls of arms that share a process have passed; what is compared between processes has one of its own."""
    groups = session.design.groups
    if PROCESS not in groups:
        return session.ledger.calibrated
    wanted = {
        control_name(arm, name)
        for name, arms in groups.items()
        if name != PROCESS
        for arm in arms
        if arm in (PLACEBO, *DOSES)
    }
    return wanted <= session.ledger.passed


def open_pairs(session: Session) -> list[tuple[str, str]]:
    """Pairs (reference, arm) that share a process, are not decided and can still be measured."""
    return _open(session, [pair for pair in session.design.pairs if pair not in session.design.of_process])


def open_between_processes(session: Session) -> list[tuple[str, str]]:
    """The same of the pairs that do not."""
    return _open(session, session.design.of_process)


def _open(session: Session, pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    alive = set(session.arms(controls=True))
    return [
        (reference, arm)
        for optimization, reference, arm in pairs
        if optimization not in session.ledger.decided and {reference, arm} <= alive
    ]


def active(session: Session) -> dict[str, list[str]]:
    """The arms that blocks of each group still hold: both sides of its undecided pairs, the reference and the controls.

    Arms that are only of use together stay, all of them. A dose that has passed is given no more. A group all of whose pairs are decided has no more blocks, unless one of its
    controls has yet to pass. Where controls are all there is, they all stay to the end.
    """
    pairs, groups = open_pairs(session), session.design.groups
    wanted: dict[str, set[str]] = defaultdict(set)
    for pair in (*pairs, *([session.design.joint] if session.design.joint else ())):
        home = next((name for name, arms in groups.items() if set(pair) <= set(arms)), None)
        if home is not None:
            wanted[home] |= set(pair)
    left = {}
    for name, arms in groups.items():
        if name == PROCESS:
            continue
        controls = [arm for arm in arms if arm in CONTROLS]
        doubted = [arm for arm in controls if _is_doubted(session, arm, name)]
        if wanted[name] or doubted:
            kept = {*wanted[name], session.design.reference, *doubted, *(arm for arm in controls if arm not in DOSES)}
            left[name] = session.alive([arm for arm in arms if arm in kept])
    return left


def _is_doubted(session: Session, arm: str, group: str) -> bool:
    """Whether a control has yet to pass, or is there for its own sake."""
    return not session.design.pairs or control_name(arm, group) not in session.ledger.passed


def say_what_fits(session: Session, request_s: float) -> None:
    """Say, before a joint design is measured, how many of its blocks the budget has; and what to do if they are too few."""
    design, measure = session.design, session.scenario.measure
    if not design.joint or session.ledger.latency_workers or request_s <= 0:
        return
    round_s = design.requests_of_round * request_s
    rounds = measure.budget_s / (round_s * measure.workers)
    session.progress.note(
        f"{session.device}: a block of {len(design.joint)} arms and controls ({design.requests_of_round} requests) takes about "
        f"{units.seconds(round_s, 2)}: {rounds:.1f} for each of {measure.workers} workers in the budget"
    )
    kinds = len(workload.strata(session.scenario))
    too_few = designs.advice(session.scenario.design, len(session.scenario.optimizations), rounds=rounds, kinds=kinds)
    if too_few:
        session.progress.note(f"{session.device}: {too_few}")
