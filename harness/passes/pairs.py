"""What cannot share a process is measured in fresh processes that take turns: the revisions of a gate, and toggles that change a whole process.

Base, head and the base's twin (or each arm, and the reference's twin) are a process each and share one core; single requests alternate between them in random
order for a few seconds, and then fresh processes come. A difference between processes that run the same code is
as large as what a gate looks for and does not go away with more requests: so the interval is across many such groups of
processes, each of which is one worker of the statistics (docs/decisions/0014).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from harness import groups, sequential, workload
from harness.designs import CONFIRMATION, PLACEBO, PROCESS, Pair
from harness.errors import WorkerError
from harness.load import Load
from harness.metrics import memory_alone
from harness.optimizations.process import process_states
from harness.passes.active import open_between_processes
from harness.passes.cycle import known_requests_of, starters
from harness.passes.latency import look
from harness.processes import WorkerProcess, started_at_once
from harness.results import Finding
from harness.session import MAX_DEATHS, Session
from harness.worker.cores import usable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How groups of processes are measured: `group` is the name of their blocks, `pairs` are compared in them, `arms` are those that are still
    measured, and `process_of` says which of these share one. `part_s` is how long a group measures that took so many seconds to start. `deal_with` takes
    account of a process that died. The arm `HEAD_DOSE`, where there is one, is delayed by `dose_s`.
    """

    group: str
    pairs: Sequence[Pair]
    arms: Callable[[], list[str]]
    process_of: Callable[[str], str]
    part_s: Callable[[float], float]
    deal_with: Callable[[WorkerError], None]
    dose_s: float = 0.0


def pair_pass(session: Session, *, to_the_end: bool = False, dose_s: float = 0.0) -> None:
    """Fresh processes in turn until all is decided or the budget, less what a confirmation takes, is spent; `to_the_end`
    until it is spent. The arm `HEAD_DOSE`, where there is one, is delayed by `dose_s`.
    """
    budget_s = session.scenario.measure.budget_s * (1 - groups.FOR_CONFIRMATION)
    _say_if_not_pinned(session)
    part_s = partial(groups.part_s, budget_s, groups.LEAST)
    _with_looks(
        session, _of_gate(session, "request", part_s, dose_s), budget_s, lambda: session.ledger.spent_s,
        lambda: not to_the_end and _is_decided(session), share_of_all=0.8,
    )  # fmt: skip


def process_pass(session: Session) -> None:
    """Arms whose toggles change their whole process, and the reference's twin, in fresh processes of their own, until all is decided or their part
    of the budget, with what others left of theirs, is spent. Left out where there are none, or memory alone is asked for.
    """
    if not open_between_processes(session) or memory_alone(session.scenario.measure.metrics):
        return
    ledger, whole_s = session.ledger, session.scenario.measure.budget_s
    budget_s = max(whole_s - session.shared_budget_s, whole_s - ledger.shared_s)
    if not ledger.apart_s:
        _say_if_not_pinned(session)
        count = len(session.alive(session.design.groups[PROCESS]))
        session.progress.note(
            f"{session.device}: what changes a whole process takes groups of {count} fresh processes, {groups.LEAST} of them unless it is "
            "decided before"
        )
    turns = _Turns(session)
    plan = _Plan(
        group=PROCESS, pairs=session.design.of_process, arms=turns.arms, process_of=lambda arm: arm,
        part_s=partial(groups.part_s, budget_s, groups.LEAST), deal_with=turns.deal_with,
    )  # fmt: skip
    _with_looks(
        session, plan, budget_s, lambda: ledger.apart_s, lambda: turns.is_over or not open_between_processes(session),
        share_of_all=1.0,
    )  # fmt: skip


class _Turns:
    """Which arms are in the next group of processes: both sides of the pairs that are open, the reference and its twin.

    Where memory does not hold so many processes (one died of it), arms take turns beside the reference and its twin. What dies of
    those two costs what is compared between processes alone: everything else has been measured.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._most = len(session.design.groups[PROCESS])
        self._made = 0
        self._deaths = 0
        self.is_over = False

    def arms(self) -> list[str]:
        session, always = self._session, (self._session.design.reference, PLACEBO)
        wanted = {arm for pair in open_between_processes(session) for arm in pair}
        others = [arm for arm in session.alive(session.design.groups[PROCESS]) if arm in wanted and arm not in always]
        room = max(1, self._most - len(always))
        if len(others) > room:
            first = self._made * room % len(others)
            others = (others * 2)[first : first + room]
        self._made += 1
        return [*session.alive([always[0]]), *others, *session.alive([always[1]])]

    def deal_with(self, error: WorkerError) -> None:
        """An arm's death is dealt with as everywhere. Of memory, fewer processes are started next time."""
        session = self._session
        if error.kind == "out_of_memory" and self._most > len((session.design.reference, PLACEBO, "an arm")):
            self._most -= 1
            session.progress.note(f"{session.device}: so many processes do not fit; {self._most} at a time")
            return
        if error.arm not in (None, session.design.reference, PLACEBO):
            session.deal_with("latency", error)
            return
        self._deaths += 1
        if self._deaths >= MAX_DEATHS:
            self.is_over = True
            message = f"Nothing more was compared between processes: {error}"
            session.record("finding", **asdict(Finding(kind="processes", device=session.device, message=message)))


def _say_if_not_pinned(session: Session) -> None:
    if not session.fake and usable() and not _fits_one_core(session):
        message = "Processes kept to no core: several threads, or requests at the same moment, take several."
        session.record("finding", **asdict(Finding(kind="pinning", device=session.device, message=message)))


def _of_gate(session: Session, group: str, part_s: Callable[[float], float], dose_s: float) -> _Plan:
    """Each side of a gate is a process, or several where its settings start them in several ways; and so is the base's twin."""
    return _Plan(
        group=group, pairs=session.design.pairs, arms=lambda: session.alive(session.design.groups["request"]),
        process_of=lambda arm: f"{arm.rpartition('@')[2]} {process_states(session.states_of(arm))}", part_s=part_s,
        deal_with=partial(session.deal_with, "latency"), dose_s=dose_s,
    )  # fmt: skip


def _with_looks(
    session: Session, plan: _Plan, budget_s: float, spent_s: Callable[[], float], is_decided: Callable[[], bool],
    *, share_of_all: float,
) -> None:  # fmt: skip
    """Groups of fresh processes, and looks, until `is_decided` or `budget_s` is spent, of which `spent_s` says how much is."""
    looks = sequential.shares_left(spent_s(), budget_s)
    began_s, before_s = time.monotonic(), spent_s()
    with starters(session, started_at_once(session.device)) as pool:
        while looks and not is_decided():
            _group_of_processes(session, pool, plan)
            due = [number for number, when_s in looks if when_s <= spent_s()]
            if due:
                look(session, due[-1], plan.pairs)
                looks = [item for item in looks if item[0] not in due]
            share, here_s = min(1.0, spent_s() / budget_s), spent_s() - before_s
            left_s = max(0.0, budget_s - spent_s()) * (time.monotonic() - began_s) / here_s if here_s else None
            session.progress.update(
                session.device, f"pairs: {session.ledger.blocks} blocks", share_of_all * share, left_s or None
            )


def _is_decided(session: Session) -> bool:
    ledger = session.ledger
    return ledger.calibrated and ledger.decided >= {name for name, _, _ in session.design.pairs}


def confirmation_pass(session: Session, *, dose_s: float = 0.0) -> None:
    """Fresh processes again, for what is about to be called a regression; nobody looks meanwhile."""
    ledger, budget_s = session.ledger, session.scenario.measure.budget_s * groups.FOR_CONFIRMATION
    until_s, done = ledger.spent_s + budget_s, 0
    plan = _of_gate(session, CONFIRMATION, partial(groups.part_s, budget_s, groups.LEAST_FURTHER), dose_s)
    with starters(session, started_at_once(session.device)) as pool:
        while done < groups.LEAST_FURTHER or ledger.spent_s < until_s:
            done += _group_of_processes(session, pool, plan)
            share = 1 - max(0.0, until_s - ledger.spent_s) / budget_s
            session.progress.update(session.device, "confirming a regression", 0.8 + 0.1 * share, None)


def _group_of_processes(session: Session, pool: ThreadPoolExecutor, plan: _Plan) -> bool:
    """Measure with fresh processes, for a part of the time that they took to start; False where one of them died, which was
    then dealt with.
    """
    ledger, starting_s = session.ledger, time.monotonic()
    number = ledger.workers
    rng = random.Random(f"{session.journal.folder.name} {session.device} {number}")  # noqa: S311  order, not secrets
    cores = usable() if not session.fake else []
    arms = plan.arms()
    by_process: dict[str, list[str]] = {}
    for arm in rng.sample(arms, len(arms)):  # which starts first must not always be the reference: decision 35
        by_process.setdefault(plan.process_of(arm), []).append(arm)
    core = cores[number // len(by_process) % len(cores)] if cores and _fits_one_core(session) else None
    with ExitStack() as stack:
        try:
            starting = [pool.submit(_start, session, stack, some[0], core) for some in by_process.values()]
            wait(starting)
            processes = {name: future.result() for name, future in zip(by_process, starting, strict=True)}
            _warm_up(session, plan, number, {name: (processes[name], by_process[name]) for name in processes})
            load = Load(*(process.pid for process in processes.values()), active=not session.fake)
            began_s, block = time.monotonic(), ledger.blocks
            _alternate(session, number, plan, rng, processes, arms, plan.part_s(began_s - starting_s))
            session.record_conditions("latency", number, block, began_s, load.since_start())
        except WorkerError as error:
            plan.deal_with(error)
            return False
    return True


def _fits_one_core(session: Session) -> bool:
    """Whether a request runs in one thread, so that the processes of a group can keep to one core."""
    threads = {session.threads_of(arm.name) for arm in session.design.arms}
    return threads == {1} and max(session.scenario.workload.concurrency) == 1


def _start(session: Session, stack: ExitStack, arm: str, core: int | None) -> WorkerProcess:
    """A worker that does not start has an arm too: where the others of its group do, nothing else would end the gate."""
    job = session.worker("latency", arm, pin=core is not None, core=core)
    try:
        return stack.enter_context(job)[1]
    except WorkerError as error:
        if error.arm is not None or error.kind == "usage":
            raise
        raise WorkerError(str(error), kind=error.kind, arm=arm) from error


def _warm_up(
    session: Session,
    plan: _Plan,
    number: int,
    processes: Mapping[str, tuple[WorkerProcess, list[str]]],
) -> None:
    """Bind the arms of every process, and then run each untimed."""
    bound: list[dict[str, Any]] = []
    for process, arms in processes.values():
        bound += process.ask({"do": "bind", "arms": arms}, limit_s=session.limit_s)
    _record_inits(session, plan, number, [process for process, _ in processes.values()], bound)
    known = session.wire.requests(known_requests_of(session), workload.WARM_UP)
    for process, arms in processes.values():
        process.ask({"do": "warm_up", "arms": arms, "requests": known, "others": known}, limit_s=session.limit_s)


def _record_inits(
    session: Session, plan: _Plan, number: int, processes: Iterable[WorkerProcess], bound: Sequence[Mapping[str, Any]]
) -> None:
    """Each process has built the pipeline of its arm once: a figure of `init`, where the scenario asks for it."""
    if plan.group != PROCESS or not all(session.times_init(process) for process in processes):
        return
    session.record(
        "block", pass_="latency", kind="init", phase="timed", worker=number, block=session.ledger.blocks, group=plan.group,
        request="init", stratum="init", wall_s=0.0,
        trials=[{"arm": event["arm"], "values": event["values"]} for event in bound],
    )  # fmt: skip


def _alternate(
    session: Session,
    number: int,
    plan: _Plan,
    rng: random.Random,
    processes: Mapping[str, WorkerProcess],
    arms: Sequence[str],
    share_s: float,
) -> None:
    """Blocks of single requests in random order; every kind of request at least once.

    A group goes on with the workload where the one before it stopped, so that all of its requests come. Where toggles change whole processes,
    those that wait are stopped: their threads may spin, and take a core from the one that is timed.
    """
    ledger, start_s = session.ledger, session.ledger.spent_s
    stopped = list(processes.values()) if plan.group == PROCESS else []
    for process in stopped:
        process.pause()
    missing = set(workload.strata(session.scenario))
    while missing or ledger.spent_s - start_s < share_s:
        index = ledger.blocks
        request = workload.request(session.scenario, index)
        order = list(arms)
        rng.shuffle(order)
        trials, wall_s = [], 0.0
        for arm in order:
            settle = len(arms) > len(processes)
            single = session.wire.block([arm], index, rehearse=False, settle=settle, dose_s=plan.dose_s)
            process = processes[plan.process_of(arm)]
            if stopped:
                process.go_on()
            (event,) = process.ask({"do": "blocks", "blocks": [single]}, limit_s=session.limit_s)
            if stopped:
                process.pause()
            trials += event["trials"]
            wall_s += event["wall_s"]
        session.record(
            "block", pass_="latency", kind="request", phase="timed", worker=number, block=ledger.blocks, group=plan.group,
            request=request.id, stratum=request.stratum, trials=trials, wall_s=wall_s,
        )  # fmt: skip
        missing.discard(request.stratum)
        session.check_time()
    if plan.group != PROCESS:
        session.record("latency_worker", worker=number)
