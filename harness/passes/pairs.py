"""The pair pass of a gate: what cannot share a process is measured in fresh processes that take turns.

Base, head and the base's twin are a process each and share one core; single requests alternate between them in random
order for a few seconds, and then three fresh processes come. A difference between processes that run the same code is
as large as what a gate looks for and does not go away with more requests: so the interval is across many such groups of
three, each of which is one worker of the statistics (docs/decisions/0014).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial

from harness import groups, sequential, workload
from harness.designs import CONFIRMATION
from harness.errors import WorkerError
from harness.load import Load
from harness.passes.cycle import known_requests_of, starters
from harness.passes.latency import look
from harness.processes import WorkerProcess, started_at_once
from harness.results import Finding
from harness.session import Session
from harness.worker.cores import usable


def pair_pass(session: Session, *, to_the_end: bool = False, dose_s: float = 0.0) -> None:
    """Fresh processes in turn until all is decided or the budget, less what a confirmation takes, is spent; `to_the_end`
    until it is spent. The arm `HEAD_DOSE`, where there is one, is delayed by `dose_s`.
    """
    ledger, budget_s = session.ledger, session.scenario.measure.budget_s * (1 - groups.FOR_CONFIRMATION)
    if not session.fake and usable() and not _fits_one_core(session):
        message = "Processes kept to no core: several threads, or requests at the same moment, take several."
        session.record("finding", **asdict(Finding(kind="pinning", device=session.device, message=message)))
    looks = sequential.shares_left(ledger.spent_s, budget_s)
    began_s, before_s = time.monotonic(), ledger.spent_s
    with starters(session, started_at_once(session.device)) as pool:
        while looks and (to_the_end or not _is_decided(session)):
            _group_of_three(session, pool, "request", partial(groups.part_s, budget_s, groups.LEAST), dose_s)
            due = [number for number, when_s in looks if when_s <= ledger.spent_s]
            if due:
                look(session, due[-1])
                looks = [item for item in looks if item[0] not in due]
            share, spent_s = min(1.0, ledger.spent_s / budget_s), ledger.spent_s - before_s
            left_s = (budget_s - ledger.spent_s) * (time.monotonic() - began_s) / spent_s if spent_s else None
            session.progress.update(session.device, f"pairs: {ledger.blocks} blocks", 0.8 * share, left_s)


def _is_decided(session: Session) -> bool:
    ledger = session.ledger
    return ledger.calibrated and ledger.decided >= {name for name, _, _ in session.design.pairs}


def confirmation_pass(session: Session, *, dose_s: float = 0.0) -> None:
    """Fresh processes again, for what is about to be called a regression; nobody looks meanwhile."""
    ledger, budget_s = session.ledger, session.scenario.measure.budget_s * groups.FOR_CONFIRMATION
    until_s, done = ledger.spent_s + budget_s, 0
    with starters(session, started_at_once(session.device)) as pool:
        while done < groups.LEAST_FURTHER or ledger.spent_s < until_s:
            part_s = partial(groups.part_s, budget_s, groups.LEAST_FURTHER)
            done += _group_of_three(session, pool, CONFIRMATION, part_s, dose_s)
            share = 1 - max(0.0, until_s - ledger.spent_s) / budget_s
            session.progress.update(session.device, "confirming a regression", 0.8 + 0.1 * share, None)


def _group_of_three(
    session: Session, pool: ThreadPoolExecutor, group: str, part_s: Callable[[float], float], dose_s: float
) -> bool:
    """Measure with fresh processes, for `part_s` of the time that they took to start; False where one of them died, which was
    then dealt with.
    """
    ledger, starting_s = session.ledger, time.monotonic()
    number = ledger.workers
    cores = usable() if not session.fake else []
    arms = session.alive(session.design.groups["request"])
    by_side: dict[str, list[str]] = {}
    for arm in arms:
        by_side.setdefault(arm.rpartition("@")[2], []).append(arm)
    core = cores[number // len(by_side) % len(cores)] if cores and _fits_one_core(session) else None
    with ExitStack() as stack:
        try:
            starting = [pool.submit(_start, session, stack, some[0], core) for some in by_side.values()]
            wait(starting)
            processes = {side: future.result() for side, future in zip(by_side, starting, strict=True)}
            for side, process in processes.items():
                _warm_up(session, process, by_side[side])
            load = Load(*(process.pid for process in processes.values()), active=not session.fake)
            began_s, block = time.monotonic(), ledger.blocks
            _alternate(session, number, group, processes, arms, part_s(began_s - starting_s), dose_s)
            session.record_conditions("latency", number, block, began_s, load.since_start())
        except WorkerError as error:
            session.deal_with("latency", error)
            return False
    return True


def _fits_one_core(session: Session) -> bool:
    """Whether a request runs in one thread, so that the processes of a group can keep to one core."""
    scenario = session.scenario
    return scenario.measure.threads == 1 and max(scenario.workload.concurrency) == 1


def _start(session: Session, stack: ExitStack, arm: str, core: int | None) -> WorkerProcess:
    """A worker that does not start has an arm too: where the others of its group do, nothing else would end the gate."""
    job = session.worker("latency", arm, pin=core is not None, core=core)
    try:
        return stack.enter_context(job)[1]
    except WorkerError as error:
        if error.arm is not None or error.kind == "usage":
            raise
        raise WorkerError(str(error), kind=error.kind, arm=arm) from error


def _warm_up(session: Session, process: WorkerProcess, arms: Sequence[str]) -> None:
    process.ask({"do": "bind", "arms": list(arms)}, limit_s=session.limit_s)
    known = session.wire.requests(known_requests_of(session), workload.WARM_UP)
    process.ask({"do": "warm_up", "arms": list(arms), "requests": known, "others": known}, limit_s=session.limit_s)


def _alternate(
    session: Session,
    number: int,
    group: str,
    processes: Mapping[str, WorkerProcess],
    arms: Sequence[str],
    share_s: float,
    dose_s: float,
) -> None:
    """Blocks of single requests in random order; every kind of request at least once.

    A group goes on with the workload where the one before it stopped, so that all of its requests come.
    """
    ledger, start_s = session.ledger, session.ledger.spent_s
    rng = random.Random(f"{session.journal.folder.name} {session.device} {number}")  # noqa: S311  order, not secrets
    missing = set(workload.strata(session.scenario))
    while missing or ledger.spent_s - start_s < share_s:
        index = ledger.blocks
        request = workload.request(session.scenario, index)
        order = list(arms)
        rng.shuffle(order)
        trials, wall_s = [], 0.0
        for arm in order:
            single = session.wire.block([arm], index, rehearse=False, settle=len(arms) > len(processes), dose_s=dose_s)
            process = processes[arm.rpartition("@")[2]]
            (event,) = process.ask({"do": "blocks", "blocks": [single]}, limit_s=session.limit_s)
            trials += event["trials"]
            wall_s += event["wall_s"]
        session.record(
            "block", pass_="latency", kind="request", phase="timed", worker=number, block=ledger.blocks, group=group,
            request=request.id, stratum=request.stratum, trials=trials, wall_s=wall_s,
        )  # fmt: skip
        missing.discard(request.stratum)
        session.check_time()
    session.record("latency_worker", worker=number)
