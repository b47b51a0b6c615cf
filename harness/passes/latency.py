"""The latency pass: blocks of all arms on one request after the other, in one fresh worker after the other."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

from harness import workload
from harness.designs import PLACEBO
from harness.passes.cycle import known_requests_of
from harness.processes import WorkerProcess
from harness.requests import Request
from harness.session import Session

INIT_BLOCKS = 4
"""How often the pipelines of a block's arms are built after it, at most: building takes little, and varies more."""
INIT_SHARE = 0.1
"""Share of the measuring time that building pipelines may take."""
DOSE_IN_MARGINS = 2.0
"""Length of a dose: this many times the margin of the median latency."""


def latency_pass(session: Session) -> None:
    """Blocks in fresh workers, one after the other, until the budget is spent."""
    measure = session.scenario.measure
    while session.ledger.latency_workers < measure.workers:
        session.check_time()
        session.guarded("latency", partial(_measure, session))


def _measure(session: Session, number: int, worker: WorkerProcess) -> None:
    ledger, measure = session.ledger, session.scenario.measure
    share_s = (measure.budget_s - ledger.spent_s) / (measure.workers - ledger.latency_workers)
    medians_s = _warm_up(session, number, worker)
    doses_s = {at: DOSE_IN_MARGINS * measure.margin_of("latency") * median_s for at, median_s in medians_s.items()}
    start_s = ledger.spent_s
    missing = {(group, stratum) for group in session.design.groups for stratum in workload.strata(session.scenario)}
    while missing or ledger.spent_s - start_s < share_s:
        session.check_time()
        missing.discard(_latency_block(session, number, worker, doses_s))
        _show_progress(session)
    session.record("latency_worker", worker=number)


def _latency_block(
    session: Session, number: int, worker: WorkerProcess, doses_s: Mapping[int, float]
) -> tuple[str, str]:
    """One block of a group (groups take turns) on the next request; its pipelines are built anew after it.

    Returns the group and the request's stratum. A new speaker is another one in each group, so that no arm that stands
    in both has met it.
    """
    groups, turn = list(session.design.groups), session.ledger.turns
    index, lane = divmod(turn, len(groups))
    group, request = groups[lane], workload.request(session.scenario, index, lane)
    rng = random.Random(f"{session.journal.folder.name} {session.device} {turn}")  # noqa: S311  order, not secrets
    order = session.alive(session.design.groups[group])
    rng.shuffle(order)
    message = {
        "do": "block", "order": order, "request": index, "lane": lane, "settle": group == "settled",
        "dose_s": doses_s[request.concurrency],
    }  # fmt: skip
    began_s = time.monotonic()
    events = worker.ask(message, limit_s=session.limit_s)
    session.record_conditions("latency", number, session.ledger.blocks, began_s)
    _record_block(session, number, group, events, request)
    built = [arm for arm in order if arm in (*session.arms(controls=False), PLACEBO)]
    for _ in range(INIT_BLOCKS):
        if session.ledger.init_s > INIT_SHARE * session.ledger.spent_s:
            break
        rng.shuffle(built)
        _record_block(session, number, group, worker.ask({"do": "init", "order": built}, limit_s=session.limit_s), None)
    return group, request.stratum


def _record_block(
    session: Session, number: int, group: str, events: Sequence[Mapping[str, Any]], request: Request | None
) -> None:
    (block,) = events
    session.record(
        "block", pass_="latency", kind="request" if request else "init", phase="timed", worker=number, block=session.ledger.blocks, group=group,
        request=request.id if request else "init", stratum=request.stratum if request else "init",
        trials=block["trials"], wall_s=block["wall_s"],
    )  # fmt: skip


def _warm_up(session: Session, number: int, worker: WorkerProcess) -> dict[int, float]:
    """Bind all arms, run requests until their times are level, keep the samples.

    Returns the reference's median in s, for each number of requests at the same moment.
    """
    arms = session.arms(controls=True)
    bound = worker.ask({"do": "bind", "arms": arms}, limit_s=session.limit_s)
    _record_warm(session, number, "init", [{**event, "request": "init", "stratum": "init"} for event in bound])
    first = session.design.reference
    order = [first, *(arm for arm in arms if arm != first)]
    known = known_requests_of(session)
    message = {"do": "warm_up", "arms": order, "requests": known, "others": _one_per_speaker(session, known)}
    warm = worker.ask(message, limit_s=session.limit_s)
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


def _show_progress(session: Session) -> None:
    ledger, measure = session.ledger, session.scenario.measure
    share = min(1.0, ledger.spent_s / measure.budget_s)
    workers_left = measure.workers - ledger.latency_workers - 1
    left_s = max(0.0, measure.budget_s - ledger.spent_s) + workers_left * session.startup_s
    doing = f"latency: block {ledger.blocks}, worker {ledger.latency_workers + 1} of {measure.workers}"
    session.progress.update(session.device, doing, 0.1 + 0.7 * share, left_s)
