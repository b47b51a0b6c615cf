"""The latency pass: fresh workers that take turns, looks at the figures, and an end when all is decided.

Workers live side by side, as many as memory holds, and only one of them works at a time: a turn is some blocks of one
worker, and in a round every worker has a turn. So each look (`sequential.LOOKS`) has something from every worker, and a
drift of the machine falls upon all of them. What memory does not hold comes in waves, one after the other.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import fmean, median
from typing import Any

from harness import compare, sequential, store, workload
from harness.designs import CONTROLS, PLACEBO, PROCESS, Pair
from harness.errors import WorkerError
from harness.load import Load
from harness.metrics import memory_alone
from harness.passes.active import active, is_settled, open_pairs, say_what_fits
from harness.passes.cycle import first_cycle, known_requests_of, starters
from harness.processes import WorkerProcess, started_at_once, warmed_at_once
from harness.results import Look
from harness.scenario import Scenario
from harness.session import Session
from harness.worker.requests import Request

INIT_BLOCKS = 4
"""How often the pipelines of a block's arms are built after it, at most: building takes little, and varies more."""
INIT_SHARE = 0.1
"""Share of the measuring time that building pipelines may take."""
TURN_S = (0.25, 2.0)
"""A turn is at least and at most about so long, or one block. Long enough that the untimed request at its start takes
little of it, short enough that workers alternate faster than machines drift."""
ROOM = 0.5
"""Share of the memory still free, beside the first worker, that further workers may take."""


def latency_pass(session: Session) -> None:
    """Turns of fresh workers, until all is decided, or the budget is spent and as many workers as planned have worked.

    Left out where the scenario asks for memory alone.
    """
    ledger, measure = session.ledger, session.scenario.measure
    if memory_alone(measure.metrics):
        return
    while (
        active(session)
        and not is_settled(session)
        and (ledger.latency_workers < measure.workers or ledger.shared_s < session.shared_budget_s)
    ):
        session.check_time()
        with starters(session, 1 if session.pins else started_at_once(session.device)) as pool:
            _Wave(session, pool).run()


@dataclass(slots=True)
class _Member:
    """A worker of a wave. It walks through the workload from `first` on; `walked` counts its blocks of each group."""

    number: int
    process: WorkerProcess
    stack: ExitStack
    first: int
    request_s: float = 0.0
    missing: set[tuple[str, str]] = field(default_factory=set)
    walked: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Block:
    """One request by the arms `order` of a group; `index` and `lane` are those of the workload."""

    group: str
    order: tuple[str, ...]
    index: int
    lane: int
    request: Request


class _Wave:
    """Workers that live side by side, and share what is left of the budget with those of later waves.

    The threads of `pool` start them, and have to live as long: a worker ends with the thread that started it.
    """

    def __init__(self, session: Session, pool: ThreadPoolExecutor) -> None:
        self._session = session
        self._members: list[_Member] = []
        self._doses_s: Mapping[int, float] = {}
        self._block_s = TURN_S[1]
        self._model_s: float | None = 0.0
        self._starting_s = 0.0
        self._pool = pool

    def run(self) -> None:
        session, ledger, measure = self._session, self._session.ledger, self._session.scenario.measure
        to_come = max(1, measure.workers - ledger.latency_workers)
        left_s = max(0.0, session.shared_budget_s - ledger.shared_s)
        try:
            self._start(1)
            if self._members:
                say_what_fits(session, self._members[0].request_s)
                wanted = min(to_come, self._fitting(), self._worth_starting(to_come, left_s))
                self._start(wanted - 1)
                session.begin_step()
                began_s, self._starting_s = time.monotonic(), 0.0
                self._until(ledger.shared_s + left_s * wanted / to_come, wanted)
                if self._model_s is not None and not session.fake:  # whose seconds are not the machine's
                    session.record(
                        "worked", wall_s=time.monotonic() - began_s - self._starting_s, model_s=self._model_s
                    )
        finally:
            for member in self._members:
                member.stack.close()

    def _start(self, wanted: int) -> None:
        """Start and warm up so many more workers. Those that die on the way are dealt with, and not there."""
        began_s = time.monotonic()
        self._bring_up(wanted)
        self._starting_s += time.monotonic() - began_s

    def _bring_up(self, wanted: int) -> None:
        starting = [self._pool.submit(self._begin) for _ in range(wanted)]
        wait(starting)
        started = [future.result() for future in starting if future.exception() is None]
        self._members += started
        for future in starting:
            error = future.exception()
            if isinstance(error, WorkerError):
                self._session.deal_with("latency", error)
            elif error is not None:
                raise error
        crowd = min(len(started), crowd_of(self._session.scenario, self._session.device))
        if crowd > 1:
            self._warm_up_at_once(started, crowd)
        else:
            for member in started:
                self._guarded(member, partial(self._warm_up, member))

    def _warm_up_at_once(self, members: Sequence[_Member], crowd: int) -> None:
        """Warm up `crowd` workers at a time. What one dies of in company is held against nobody: another takes its place, alone."""
        with starters(self._session, crowd) as pool:
            warming = [(member, pool.submit(self._warm_up, member, crowd)) for member in members]
            wait([future for _, future in warming])
        for member, future in warming:
            error = future.exception()
            if error is None:
                continue
            if not isinstance(error, WorkerError):
                raise error
            self._members.remove(member)
            member.stack.close()
            told = f"a worker ended while {crowd} warmed up at the same moment, and another takes its place: {error}"
            self._session.progress.note(f"{self._session.device}: {told}")
            self._bring_up(1)

    def _begin(self) -> _Member:
        stack = ExitStack()
        number, process = stack.enter_context(self._session.worker("latency"))
        return _Member(number, process, stack, first=number * first_cycle(self._session.scenario))

    def _warm_up(self, member: _Member, crowd: int = 1) -> None:
        """Warm a worker up. The first of a wave does so alone, and by its times the doses of all are measured out."""
        session = self._session
        medians_s = _warm_up(session, member.number, member.process, crowd)
        member.request_s = fmean(medians_s.values())
        self._doses_s = self._doses_s or {at: session.dose * median_s for at, median_s in medians_s.items()}
        strata = workload.strata(session.scenario)
        member.missing = {(group, stratum) for group in session.design.groups if group != PROCESS for stratum in strata}

    def _fitting(self) -> int:
        """How many workers like the first, and it among them, memory holds."""
        (first,) = self._members
        (answer,) = first.process.ask({"do": "room"}, limit_s=self._session.limit_s)
        return 1 + min((int(ROOM * free / held) for held, free in answer["room"].values() if held), default=63)

    def _worth_starting(self, to_come: int, left_s: float) -> int:
        """How many of the workers to come have work in this part of a run in parts; all, where it is not one."""
        part_s = self._session.time_left_s
        return to_come if part_s is None or left_s <= part_s else max(1, round(to_come * part_s / left_s))

    def _until(self, end_s: float, size: int) -> None:
        """Rounds of turns of `size` workers until `end_s` of measuring are spent and each has met every kind of request, or all
        is decided; a look wherever one is due.
        """
        session, ledger = self._session, self._session.ledger
        looks = sequential.shares_left(ledger.shared_s, session.shared_budget_s, session.looks)
        while (ledger.shared_s < end_s or any(map(self._lacks, self._members))) and not is_settled(session):
            if not active(session):
                return
            self._start(size - len(self._members))
            next_s = min((when_s for _, when_s in looks), default=end_s)
            self._round(min(next_s, end_s) - ledger.shared_s)
            due = [number for number, when_s in looks if when_s <= ledger.shared_s]
            if due and not any(map(self._lacks, self._members)):
                look(session, due[-1], [pair for pair in session.design.pairs if pair not in session.design.of_process])
                looks = [item for item in looks if item[0] not in due]

    def _round(self, left_s: float) -> None:
        """A turn of every worker, in random order: its share of `left_s`, within `TURN_S`."""
        session = self._session
        order = list(self._members)
        random.Random(f"{session.journal.folder.name} {session.ledger.blocks}").shuffle(order)  # noqa: S311  not secrets
        turn_s = min(TURN_S[1], max(TURN_S[0], left_s / max(1, len(order))))
        for member in order:
            self._guarded(member, partial(self._turn, member, max(1, int(turn_s / self._block_s))))
            _show_progress(session, is_owed=any(map(self._lacks, self._members)))
            session.check_time()

    def _guarded(self, member: _Member, step: Callable[[], None]) -> None:
        """Do `step` with a worker; if it dies, take it out of the wave and deal with its death."""
        try:
            step()
        except WorkerError as error:
            self._members.remove(member)
            member.stack.close()
            self._session.deal_with("latency", error)

    def _turn(self, member: _Member, blocks: int) -> None:
        """Some blocks of one worker; then the pipelines of their arms are built anew, where `init` is asked for."""
        session, ledger = self._session, self._session.ledger
        planned = [block for block in (self._block(member) for _ in range(blocks)) if block is not None]
        if not planned:
            return
        load, began_s, first = Load(member.process.pid, active=not session.fake), time.monotonic(), ledger.blocks
        message = {"do": "blocks", "blocks": self._as_told(member, planned)}
        answers = member.process.stream(message, limit_s=session.limit_s)
        for block, event in zip(planned, answers, strict=True):
            _record_block(session, member.number, block.group, event, block.request)
            if member.missing:
                self._meet(member, block)
            self._block_s = event["wall_s"]
            self._worked(event)
        session.record_conditions("latency", member.number, first, began_s, load.since_start())
        if session.times_init(member.process):
            self._build(member, planned)

    def _as_told(self, member: _Member, planned: Sequence[_Block]) -> list[dict[str, Any]]:
        """The blocks of a turn as a worker is told of them.

        Of each, the arm that is timed first has an untimed request before it where another request, or the collector, came
        before.
        """
        before = [None, *(block.request for block in planned)]
        return [
            self._session.wire.block(
                block.order,
                block.index,
                block.lane,
                rehearse=block.request != earlier,
                settle=block.group == "settled",
                dose_s=self._doses_s[block.request.concurrency],
            )
            for block, earlier in zip(planned, before, strict=False)
        ]

    def _meet(self, member: _Member, block: _Block) -> None:
        """Take account of what kind of request a worker met; one that met every kind has worked, whatever comes."""
        member.missing.discard((block.group, block.request.stratum))
        if not self._lacks(member):
            member.missing.clear()
            self._session.record("latency_worker", worker=member.number)

    def _lacks(self, member: _Member) -> bool:
        """Whether there is a kind of request, in a group that is still measured, that a worker has not met."""
        left = active(self._session)
        return any(group in left for group, _ in member.missing)

    def _block(self, member: _Member) -> _Block | None:
        """The next block of a worker, in the group of which it made fewest; None where nothing is left to measure.

        Each worker walks through the requests on its own. A new speaker is another one in each group, so that no arm that
        stands in both has met it.
        """
        session = self._session
        left = active(session)
        if not left:
            return None
        often = {name: session.design.blocks_of_round(name) for name in left}
        group = min(left, key=lambda name: member.walked[name] / often[name])
        index, lane = member.first + member.walked[group], list(session.design.groups).index(group)
        member.walked[group] += 1
        request = workload.request(session.scenario, index, lane)
        order = list(left[group])
        random.Random(f"{session.journal.folder.name} {session.device} {member.number} {group} {index}").shuffle(order)  # noqa: S311
        return _Block(group, tuple(order), index, lane, request)

    def _build(self, member: _Member, blocks: Sequence[_Block]) -> None:
        session, ledger = self._session, self._session.ledger
        for block in (block for block in blocks for _ in range(INIT_BLOCKS)):
            if ledger.init_s > INIT_SHARE * ledger.shared_s:
                break
            built = [arm for arm in block.order if arm == PLACEBO or arm not in CONTROLS]
            random.Random(f"{session.journal.folder.name} {ledger.blocks}").shuffle(built)  # noqa: S311  not secrets
            (event,) = member.process.ask({"do": "init", "order": built}, limit_s=session.limit_s)
            _record_block(session, member.number, block.group, event, None)
            self._worked(event)

    def _worked(self, event: Mapping[str, Any]) -> None:
        """Add how long the model worked; not known from a worker of an older revision."""
        told = event.get("model_s")
        self._model_s = None if told is None or self._model_s is None else self._model_s + told


def look(session: Session, number: int, pairs: Sequence[Pair]) -> None:
    """Look at what was measured so far, and record which of `pairs` are decided by it: others have looks of their own."""
    run = store.run_from_journal(session.journal.folder)
    settled, controls = compare.decided(run, session.device, number)
    decided = settled & {name for name, _, _ in pairs}
    found = Look(
        device=session.device, number=number, share=sequential.LOOKS[number], blocks=session.ledger.blocks,
        decided=tuple(sorted(decided)), calibrated=bool(controls) and all(controls.values()),
        passed=tuple(sorted(name for name, passed in controls.items() if passed)),
    )  # fmt: skip
    session.record("look", **{key: value for key, value in asdict(found).items() if key != "device"})


def _record_block(session: Session, number: int, group: str, block: Mapping[str, Any], request: Request | None) -> None:
    session.record(
        "block", pass_="latency", kind="request" if request else "init", phase="timed", worker=number, block=session.ledger.blocks, group=group,
        request=request.id if request else "init", stratum=request.stratum if request else "init",
        trials=block["trials"], wall_s=block["wall_s"],
    )  # fmt: skip


def crowd_of(scenario: Scenario, device: str) -> int:
    """How many workers after the first warm up at the same moment; one that looks for a quiet core does so alone."""
    each = max(scenario.measure.threads, *scenario.workload.concurrency)
    return 1 if scenario.measure.pin else warmed_at_once(device, each)


def _warm_up(session: Session, number: int, worker: WorkerProcess, crowd: int) -> dict[int, float]:
    """Bind all arms, run requests until their times are level, keep the samples; `crowd` workers do so at the same moment.

    Returns the reference's median in s, for each number of requests at the same moment.
    """
    limit_s = crowd * session.limit_s
    arms = [arm for arm in session.arms(controls=True) if arm in session.design.sharing]
    bound = worker.ask({"do": "bind", "arms": arms}, limit_s=limit_s)
    _record_warm(session, number, "init", [{**event, "request": "init", "stratum": "init"} for event in bound])
    first = session.design.reference
    order = [first, *(arm for arm in arms if arm != first)]
    known = known_requests_of(session)
    message = {
        "do": "warm_up", "arms": order, "requests": session.wire.requests(known, workload.WARM_UP),
        "others": session.wire.requests(_one_per_speaker(session, known), workload.WARM_UP),
    }  # fmt: skip
    warm = worker.ask(message, limit_s=limit_s)
    _record_warm(session, number, "request", warm)
    concurrency = workload.concurrency(session.scenario)
    latencies: dict[int, list[float]] = defaultdict(list)
    for event in warm:
        if event["arm"] == first:
            latencies[concurrency[event["stratum"]]].append(event["values"]["latency"])
    return {at: median(found[len(found) // 2 :]) for at, found in latencies.items()}


def _one_per_speaker(session: Session, known: Sequence[int]) -> list[int]:
    """Of the requests `known`, the shortest by each speaker at each number of requests at the same moment."""
    shortest: dict[tuple[str, int], int] = {}
    for index in sorted(known, key=lambda index: len(workload.request(session.scenario, index).text)):
        request = workload.request(session.scenario, index)
        shortest.setdefault((request.speaker.id, request.concurrency), index)
    return list(shortest.values())


def _record_warm(session: Session, number: int, kind: str, events: Sequence[Mapping[str, Any]]) -> None:
    trials = [{key: event[key] for key in ("arm", "request", "stratum", "values")} for event in events]
    session.record(
        "block", pass_="latency", kind=kind, phase="warmup", worker=number, block=session.ledger.blocks, group="",
        request="", stratum="", trials=trials, wall_s=0.0,
    )  # fmt: skip


def _show_progress(session: Session, *, is_owed: bool) -> None:
    """Say how far measuring is; with `is_owed` it goes on beyond the budget, until each worker has met each kind of request."""
    ledger, measure = session.ledger, session.scenario.measure
    share = min(1.0, ledger.spent_s / measure.budget_s)
    left_s = max(0.0, measure.budget_s - ledger.spent_s)
    open_, whole = len(open_pairs(session)), len(session.design.pairs) - len(session.design.of_process)
    doing = f"latency: block {ledger.blocks}, {whole - open_} of {whole} decided"
    if not left_s and is_owed:
        doing += ", beyond the budget until each worker has met each kind of request"
    session.progress.update(session.device, doing, 0.1 + 0.7 * share, left_s or None)
