"""The memory pass: peaks of every arm, each in a fresh process, repeated; and memory over time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness import workload
from harness.designs import CONTROLS, HOST_DOSE, Design
from harness.jointly import SHARED
from harness.metrics import EXACT, metric
from harness.passes.cycle import alone, requests_of
from harness.passes.cycle import at_once as run_at_once
from harness.processes import WorkerProcess
from harness.results import CYCLE, Pass, at_once
from harness.scenario import Scenario
from harness.session import Session
from harness.worker.vram import OOMS

SHARED_REPEATS = 2
"""Processes that each read all arms of a joint design: what is exact must be the same in both."""


def memory_pass(session: Session) -> None:
    """Peaks of every arm, each in a fresh process, repeated; two processes at a time on the CPU, where none disturbs.

    Arms of several toggles, of which there may be many, share a process (but under a limit of memory), and only what is exact is read
    of them. Left out where the scenario asks for no memory metric.
    """
    metrics = session.scenario.measure.metrics
    if not any(metric(name).is_memory for name in metrics):
        return
    repeats = range(session.scenario.measure.memory_repeats)
    arms = [*alone(session), *session.alive([HOST_DOSE])]
    todo = [(arm, repeat) for repeat in repeats for arm in arms if (arm, repeat) not in session.ledger.memory]
    began_s = time.monotonic()

    def measure(arm: str, repeat: int) -> None:
        _measure_peaks(session, arm, repeat)
        read = sum(one in session.ledger.memory for one in todo)
        to_come = sum(bool(session.alive([arm])) for arm, repeat in todo if (arm, repeat) not in session.ledger.memory)
        left_s = (time.monotonic() - began_s) / read * to_come if read else None
        share = 1 - to_come / (len(repeats) * len(arms))
        session.progress.update(
            session.device, f"memory: {arm}, repeat {repeat + 1} of {len(repeats)}", 0.8 + 0.2 * share, left_s or None
        )

    run_at_once(session, [partial(measure, arm, repeat) for arm, repeat in todo])
    if has_shared_peaks(session.scenario, session.design):
        for repeat in range(SHARED_REPEATS):
            while missing := _missing(session, repeat):
                session.check_time()
                together = missing[:1] if session.limits_memory else missing
                if session.guarded("memory", partial(_shared_peaks, session, together, repeat)) is False:
                    return


def has_shared_peaks(scenario: Scenario, design: Design) -> bool:
    """Whether the arms of a joint design are read one after the other in a process: peak allocated, where it is exact."""
    return bool(design.joint) and EXACT in scenario.measure.metrics and scenario.peaks_are_exact


def _missing(session: Session, repeat: int) -> list[str]:
    joint = session.alive(list(session.design.joint))
    return [arm for arm in joint if (arm, repeat) not in session.ledger.shared_memory]


def _shared_peaks(session: Session, arms: Sequence[str], repeat: int, number: int, worker: WorkerProcess) -> bool:
    """Peak allocated of arms one after the other in one process; False where the device has no such counter."""
    if EXACT in worker.ready["unavailable"]:
        return False
    requests = session.wire.requests(requests_of(session))
    for arm in arms:
        session.check_time()
        events = session.read_memory(worker, arm, requests)
        worker.ask({"do": "forget", "arm": arm}, limit_s=session.limit_s)
        values = _of_the_cycle([event["values"] for event in events])
        session.record(
            "block", pass_="memory", kind="request", phase="timed", worker=number, block=repeat, group=SHARED,
            request=CYCLE, stratum=CYCLE, trials=[{"arm": arm, "values": {name: values.get(name) for name in (EXACT, OOMS)}}], wall_s=0.0,
        )  # fmt: skip
        session.progress.update(session.device, f"memory of {arm}, in one process", 0.99, None)
    return True


def _measure_peaks(session: Session, arm: str, repeat: int) -> None:
    while (arm, repeat) not in session.ledger.memory and session.alive([arm]):
        session.check_time()
        session.guarded("memory", partial(_peaks, session, arm, repeat), arm)


def _peaks(session: Session, arm: str, repeat: int, number: int, worker: WorkerProcess) -> None:
    indexes = requests_of(session)
    snapshot = _snapshot_file(session, arm) if repeat == 0 and arm not in CONTROLS else None
    file = None if snapshot is None else session.journal.folder / snapshot
    began_s = time.monotonic()
    events = session.read_memory(worker, arm, session.wire.requests(indexes), dose=arm in CONTROLS, snapshot=file)
    trials: list[dict[str, Any]] = [{"arm": arm, "values": _of_the_cycle([event["values"] for event in events])}]
    if max(event["concurrency"] for event in events) > 1:
        apart = [*events, *_of_one(session, worker, arm)]
        trials += [{"arm": arm, "stratum": at_once(event["concurrency"]), "values": event["values"]} for event in apart]
    pass_: Pass = "memory"
    session.record_conditions(pass_, number, repeat, began_s)
    session.record(
        "block", pass_=pass_, kind="request", phase="timed", worker=number, block=repeat, group="", request=CYCLE,
        stratum=CYCLE, trials=trials, wall_s=0.0,
    )  # fmt: skip
    if repeat == 0 and events[0]["points"]:
        wanted = [workload.request(session.scenario, index) for index in indexes]
        session.record(
            "memory_course", arm=arm, points=events[0]["points"],
            requests=[made.id for made in wanted if made.concurrency == events[0]["concurrency"]],
            snapshot=None if snapshot is None else str(snapshot),
        )  # fmt: skip


def _of_one(session: Session, worker: WorkerProcess, arm: str) -> Sequence[Mapping[str, Any]]:
    """The reading of one request alone after all others, where the workload makes none alone: in it the known allocation is looked for,
    as the peak of several at once is a matter of which of their stages meet. Only of the two arms that this takes, and after what is judged.
    """
    indexes = requests_of(session)
    is_made_alone = any(workload.request(session.scenario, index).concurrency == 1 for index in indexes)
    if is_made_alone or arm not in (session.design.reference, HOST_DOSE):
        return ()
    return session.read_memory(worker, arm, session.wire.singles(indexes[:1]), dose=arm in CONTROLS)


def _of_the_cycle(readings: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """From readings at each concurrency to those of all requests: peaks are the highest, counts add up."""
    combined: dict[str, float | None] = {}
    for name in dict.fromkeys(name for reading in readings for name in reading):
        values = [value for reading in readings if (value := reading.get(name)) is not None]
        together = sum(values) if metric(name).unit == "count" else max(values, default=None)
        combined[name] = together if values else None
    return combined


def _snapshot_file(session: Session, arm: str) -> Path | None:
    """Where every allocation of `arm` is to be written, if the scenario asks for it and the device has an allocator."""
    if not session.scenario.measure.memory_snapshot or session.device == "cpu" or session.fake:
        return None
    return Path("memory") / f"{session.device.replace(':', '-')}-{arm}.pickle"
