"""The first pass: init and the first request of fresh processes, one arm in each, in rounds of all arms.

What a process does once (it looks things up, compiles, allocates, starts threads) falls into its first request, whichever
arm that is of. So arms cannot share a process here, and the unit of pairing is a round: a fresh process for each arm, on
the same request, in random order, strictly one after the other (docs/decisions/0031).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack

from harness import workload
from harness.designs import PLACEBO
from harness.errors import WorkerError
from harness.metrics import FIRST, FIRST_INIT, START, WORK
from harness.passes.cycle import alone, known_requests_of, starters
from harness.processes import WorkerProcess
from harness.results import Pass
from harness.session import Session

_PASS: Pass = "first"
_Started = tuple[int, WorkerProcess]


def first_pass(session: Session) -> None:
    """Rounds of fresh processes, of the arms that have processes of their own and the reference's twin.

    Left out where the scenario does not ask for the metric. Processes start two at a time on the CPU; nothing starts while
    one is timed.
    """
    if FIRST not in session.scenario.measure.metrics:
        return
    rounds = session.scenario.measure.first_repeats
    wanted = len([*alone(session), *session.alive([PLACEBO])])
    session.progress.note(
        f"{session.device}: first requests take {rounds * wanted} fresh processes: {wanted} arms, {rounds} rounds"
    )
    for number in range(rounds):
        arms = [*alone(session), *session.alive([PLACEBO])]
        random.Random(f"{session.journal.folder.name} {session.device} first {number}").shuffle(arms)  # noqa: S311  not secrets
        while todo := [arm for arm in session.alive(arms) if (arm, number) not in session.ledger.firsts]:
            session.check_time()
            _some(session, todo[: 2 if session.device == "cpu" and not session.pins else 1], number)
            doing = f"first requests, round {number + 1} of {rounds}"
            session.progress.update(session.device, doing, 0.8 + 0.01 * number / rounds, None)


def _some(session: Session, arms: Sequence[str], number: int) -> None:
    """Start a process for each of `arms`, then time one after the other; what dies is dealt with, and not recorded.

    The threads that start them live as long, because a worker ends with the thread that started it.
    """
    with starters(session, len(arms)) as pool, ExitStack() as stack:
        starting = {arm: pool.submit(_start, session, stack, arm) for arm in arms}
        wait(starting.values())
        for arm, started in starting.items():
            try:
                _time(session, arm, started, number)
            except WorkerError as error:
                session.deal_with(_PASS, error)


def _start(session: Session, stack: ExitStack, arm: str) -> _Started:
    return stack.enter_context(session.worker(_PASS, arm))


def _time(session: Session, arm: str, started: Future[_Started], number: int) -> None:
    """Build the pipeline of `arm`, and run the first request of the process."""
    worker, process = started.result()
    index = known_requests_of(session)[0]
    (bound,) = process.ask({"do": "bind", "arms": [arm]}, limit_s=session.limit_s)
    block = session.wire.block([arm], index, workload.WARM_UP, rehearse=False, settle=False)
    (ran,) = process.ask({"do": "blocks", "blocks": [block]}, limit_s=session.limit_s)
    (trial,) = ran["trials"]
    first_s = trial["values"]["latency"]
    built = {} if "init" in process.ready["unavailable"] else {FIRST_INIT: bound["values"]["init"]}
    request = workload.request(session.scenario, index, workload.WARM_UP)
    session.record(
        "block", pass_=_PASS, kind="request", phase="timed", worker=worker, block=number, group="",
        request=request.id, stratum=request.stratum, wall_s=0.0,
        trials=[{"arm": arm, "values": {
            **built, FIRST: first_s, START: first_s + sum(built.values()), **{name: trial["values"].get(name) for name in WORK},
        }}],
    )  # fmt: skip
