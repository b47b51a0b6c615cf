"""The micro pass: the place of each toggle timed alone, before and after, in fresh workers one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from harness import workload
from harness.designs import EMPTY_CALL, EMPTY_TWIN, Pair
from harness.errors import WorkerError
from harness.metrics import SITE
from harness.optimizations.process import of_process
from harness.processes import WorkerProcess
from harness.results import TOGETHER, Finding, Pass
from harness.session import Session
from harness.toggling import toggle_of

_PASS: Pass = "micro"
_EMPTY: Pair = ("", EMPTY_CALL, EMPTY_TWIN)
_WHERE = "place"
"""What stands for request and stratum in trials that are of no request."""


def micro_pass(session: Session) -> None:
    """Every toggle's place in as many workers as latency has, and an empty call beside itself as their control.

    Left out where the scenario does not ask for the metric. A place that fails is told as a finding and timed no further:
    what is measured of requests does not depend on it.
    """
    if SITE not in session.scenario.measure.metrics:
        return
    while todo := _pairs(session):
        session.check_time()
        session.guarded(_PASS, partial(_work, session, todo))


def _report_other_calls(session: Session) -> None:
    """Say of which request a place is timed, where there are others, whose calls may take longer or shorter."""
    timed = workload.request(session.scenario, 0)
    if set(workload.strata(session.scenario)) != {timed.stratum}:
        message = f"Places were timed with the first call that {timed.id} makes of each. Other requests may make longer or shorter calls, of which what is expected of a request knows nothing."
        session.record("finding", **asdict(Finding(kind="place", device=session.device, message=message)))


def _pairs(session: Session) -> list[Pair]:
    """The pairs whose place was not yet timed by as many workers as planned, of toggles that the target can take."""
    workers, timed, broken = session.scenario.measure.workers, session.ledger.places, session.ledger.broken_places
    toggles = [pair for pair in session.design.pairs if pair[0] != TOGETHER and not of_process([toggle_of(pair[0])])]
    pairs = [_EMPTY, *(pair for pair in toggles if _is_alive(session, pair))]
    return [pair for pair in pairs if pair[0] not in broken and timed[pair[0]] < workers]


def _is_alive(session: Session, pair: Pair) -> bool:
    _, reference, arm = pair
    return session.alive([reference, arm]) == [reference, arm]


def _work(session: Session, todo: Sequence[Pair], number: int, worker: WorkerProcess) -> None:
    """Time the places one after the other in one worker, which ends with the first that fails."""
    for done, (name, reference, arm) in enumerate(todo):
        session.progress.update(
            session.device, f"places: {name or 'an empty call'}", 0.8 + 0.01 * done / len(todo), None
        )
        try:
            _time(session, number, worker, (name, reference, arm))
        except WorkerError as error:
            session.record("broken place", optimization=name)
            message = f"The place of {name or 'an empty call'} could not be timed alone: {error}."
            session.record("finding", **asdict(Finding(kind="place", device=session.device, message=message)))
            return


def _time(session: Session, number: int, worker: WorkerProcess, pair: Pair) -> None:
    name, reference, arm = pair
    message = {
        "do": "place", "toggle": toggle_of(name), "arms": [reference, arm], "parameters": _parameters(session, pair),
        "request": session.wire.request(0), "seed": f"{session.journal.folder.name} {session.device} {number} {name}",
    }  # fmt: skip
    for event in worker.stream(message, limit_s=session.limit_s):
        session.record(
            "block", pass_=_PASS, kind=_WHERE, phase="timed", worker=number, block=session.ledger.batches, group="",
            request=_WHERE, stratum=_WHERE, trials=event["trials"], wall_s=0.0,
        )  # fmt: skip
    if name and not any(session.ledger.places[known] for known, *_ in session.design.pairs):
        _report_other_calls(session)
    session.record("place", optimization=name, worker=number)


def _parameters(session: Session, pair: Pair) -> dict[str, Any]:
    """The parameters with which the witness of a pair's toggle is counted: those of the side after, if it has any."""
    name, *sides = pair
    states = [
        item.states.get(toggle_of(name))
        for side in reversed(sides)
        for item in session.design.arms
        if item.name == side
    ]
    return next((dict(state) for state in states if isinstance(state, Mapping)), {})
