"""The passes over one device: equivalence and witnesses, latency, memory. Each has its own worker processes."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import workload
from harness.designs import CONTROLS, HOST_DOSE, PLACEBO
from harness.equivalence import ORDER, accepted, grade, loosened
from harness.metrics import metric
from harness.optimizations import named
from harness.optimizations.registry import BITWISE, Check
from harness.processes import WorkerProcess
from harness.requests import Request
from harness.results import CYCLE, TOGETHER, Pass, at_once, toggle_of
from harness.scenario import Scenario
from harness.session import Session

MAX_OUTPUT_REQUESTS = 4
"""Requests, of one cycle of the workload, whose outputs are compared."""
WITNESS_REQUESTS = 4
"""Requests in which witnesses are counted: more than one, so that "once" and "every request" can be told apart."""
INIT_BLOCKS = 4
"""How often the pipelines of a block's arms are built after it: building takes little, and varies more."""
DOSE_IN_MARGINS = 2.0
"""Length of a dose: this many times the margin of the median latency."""


def requests_of(session: Session) -> list[int]:
    """Indexes of the first requests of the workload, as many as it takes to meet every stratum."""
    return list(range(first_cycle(session.scenario)))


@lru_cache(maxsize=8)
def first_cycle(scenario: Scenario) -> int:
    """The smallest number of requests, from the first on, that has every stratum in it."""
    missing = set(workload.strata(scenario))
    count = 0
    while missing:
        missing.discard(workload.request(scenario, count).stratum)
        count += 1
    return count


# ----- equivalence and witnesses

Outputs = dict[tuple[int, str], dict[str, Any]]
"""What arms made of requests: (request's index, arm) -> tokens, flags, and where the audio is."""


def equivalence_pass(session: Session) -> None:
    """Compare every arm's output with the reference's, and the reference's with its twin's in another process.

    Witnesses are counted in the same worker. Nothing is timed here, so that on the CPU both processes run at once.
    """
    todo = {
        index: name
        for index in _different(session)[:MAX_OUTPUT_REQUESTS]
        if (name := workload.request(session.scenario, index).id) not in session.ledger.outputs
    }
    outputs: Outputs = {}
    _at_once(
        session,
        [
            partial(_collect, session, outputs, list(todo), lambda: session.arms(controls=False)),
            partial(_collect, session, outputs, list(todo), lambda: session.alive([PLACEBO])),
        ],
    )
    for index, name in todo.items():
        made = {arm: output for (request, arm), output in outputs.items() if request == index}
        _grade_outputs(session, name, {arm: made[arm] for arm in session.alive(list(made))})
        session.record("equivalence_done", request=name)


def _different(session: Session) -> list[int]:
    """Requests of the first cycle that differ in more than how many of them are made at the same moment."""
    found: dict[Request, int] = {}
    for index in requests_of(session):
        alone = replace(workload.request(session.scenario, index), id="", stratum="", concurrency=1)
        found.setdefault(alone, index)
    return list(found.values())


def _collect(session: Session, outputs: Outputs, requests: Sequence[int], arms: Callable[[], list[str]]) -> None:
    """Fill `outputs` with what the arms that stay alive make of the requests, and count the witnesses of each."""
    while True:
        missing = [(index, arm) for arm in arms() for index in requests if (index, arm) not in outputs]
        uncounted = [arm for arm in arms() if arm != PLACEBO and arm not in session.ledger.witnesses]
        if not missing and not uncounted:
            return
        session.guarded("equivalence", partial(_outputs_and_witnesses, session, outputs, missing, uncounted))


def _outputs_and_witnesses(
    session: Session,
    outputs: Outputs,
    missing: Sequence[tuple[int, str]],
    uncounted: Sequence[str],
    _: int,
    worker: WorkerProcess,
) -> None:
    for done, (index, arm) in enumerate(missing):
        session.progress.update(session.device, f"comparing outputs: {arm}", 0.05 * done / len(missing), None)
        outputs[index, arm] = _output(session, worker, arm, index)
    for done, arm in enumerate(uncounted):
        session.progress.update(session.device, f"counting witnesses: {arm}", 0.05 + 0.05 * done / len(uncounted), None)
        _count_witnesses(session, worker, arm)


def _output(session: Session, worker: WorkerProcess, arm: str, index: int) -> dict[str, Any]:
    request = workload.request(session.scenario, index).id
    path = Path("audio") / session.device.replace(":", "-") / request / f"{arm}.wav"
    worker.ask({"do": "bind", "arms": [arm]}, limit_s=session.limit_s)
    message = {"do": "output", "arm": arm, "request": index, "audio": str(session.journal.folder / path)}
    (output,) = worker.ask(message, limit_s=session.limit_s)
    return {**output, "audio": str(path)}


def _count_witnesses(session: Session, worker: WorkerProcess, arm: str) -> None:
    """Count the witnesses of all toggles on `arm`, in untimed requests; of a toggle with several states, that of each."""
    states = {item.name: item.states for item in session.design.arms}
    parameters = {
        name: dict(state) if isinstance(state := states[after][toggle_of(name)], Mapping) else {}
        for name, _, after in session.design.pairs
        if name != TOGETHER
    }
    message = {"do": "witness", "arm": arm, "toggles": parameters, "requests": list(range(WITNESS_REQUESTS))}
    events = worker.ask(message, limit_s=(1 + WITNESS_REQUESTS) * session.limit_s)
    for event in events:
        counts = {key: event[key] for key in ("optimization", "at_bind", "per_request")}
        session.record("witness", arm=arm, **counts)


def _at_once(session: Session, jobs: Sequence[Callable[[], None]]) -> None:
    """Run jobs that time nothing: two at a time on the CPU, where none disturbs another; one by one on a GPU."""
    with ThreadPoolExecutor(2 if session.device == "cpu" else 1) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            session.stop()
            raise


def _grade_outputs(session: Session, request: str, outputs: Mapping[str, Mapping[str, Any]]) -> None:
    reference = outputs[session.design.reference]
    folder = session.journal.folder
    before = read_audio(folder / reference["audio"])
    graded = {
        arm: grade(
            before, read_audio(folder / output["audio"]), reference["tokens"], output["tokens"], _required(session, arm)
        )
        for arm, output in outputs.items()
        if arm != session.design.reference
    }
    own_difference = graded.get(PLACEBO, ("bitwise", 0.0))
    for arm, (found, bound) in graded.items():
        check = loosened(_required(session, arm), *own_difference)
        output = outputs[arm]
        session.record(
            "equivalence", arm=arm, request=request, grade=found, bound=bound,
            accepted=accepted(found, bound, check), required=check.grade,
            tokens_equal=output["tokens"] == reference["tokens"], tokens=len(output["tokens"]),
            hit_cap=output["hit_cap"], audio_before=reference["audio"], audio_after=output["audio"],
        )  # fmt: skip


def _required(session: Session, arm: str) -> Check:
    """The weakest check among the toggles in which `arm` differs from the reference: what the arm must meet."""
    states = {item.name: item.states for item in session.design.arms}
    differing = [t for t, state in states[arm].items() if state != states[session.design.reference][t]]
    return max(
        (named(toggle).check for toggle in differing), key=lambda check: ORDER.index(check.grade), default=BITWISE
    )


def read_audio(path: Path) -> NDArray[np.float32]:
    """Samples of a WAV file as [samples], float32, exactly as written."""
    import soundfile

    audio, _ = soundfile.read(path, dtype="float32")
    return np.asarray(audio)


# ----- latency


def latency_pass(session: Session) -> None:
    """Blocks in fresh workers, one after the other, until the budget is spent."""
    measure = session.scenario.measure
    while session.ledger.latency_workers < measure.workers:
        session.guarded("latency", partial(_measure, session))


def _measure(session: Session, number: int, worker: WorkerProcess) -> None:
    ledger, measure = session.ledger, session.scenario.measure
    share_s = (measure.budget_s - ledger.spent_s) / (measure.workers - ledger.latency_workers)
    medians_s = _warm_up(session, number, worker)
    doses_s = {at: DOSE_IN_MARGINS * measure.margin_of("latency") * median_s for at, median_s in medians_s.items()}
    start_s = ledger.spent_s
    whole = len(requests_of(session)) * len(session.design.groups)
    offset, count = ledger.blocks, 0
    while count < whole or ledger.spent_s - start_s < share_s:
        _latency_block(session, number, worker, offset + count, doses_s)
        _show_progress(session)
        count += 1
    session.record("latency_worker", worker=number)


def _latency_block(
    session: Session, number: int, worker: WorkerProcess, turn: int, doses_s: Mapping[int, float]
) -> None:
    """One block of a group (groups take turns) on the next request, then blocks in which its pipelines are built."""
    groups = list(session.design.groups)
    group = groups[turn % len(groups)]
    index = turn // len(groups)
    rng = random.Random(f"{session.scenario.name} {session.device} {turn}")  # noqa: S311  order, not secrets
    order = session.alive(session.design.groups[group])
    rng.shuffle(order)
    dose_s = doses_s[workload.request(session.scenario, index).concurrency]
    message = {"do": "block", "order": order, "request": index, "settle": group == "settled", "dose_s": dose_s}
    began_s = time.monotonic()
    events = worker.ask(message, limit_s=session.limit_s)
    session.record_conditions("latency", number, session.ledger.blocks, began_s)
    _record_block(session, number, group, events, index)
    built = [arm for arm in order if arm in (*session.arms(controls=False), PLACEBO)]
    for _ in range(INIT_BLOCKS):
        rng.shuffle(built)
        _record_block(session, number, group, worker.ask({"do": "init", "order": built}, limit_s=session.limit_s), None)


def _record_block(
    session: Session, number: int, group: str, events: Sequence[Mapping[str, Any]], index: int | None
) -> None:
    (block,) = events
    request = None if index is None else workload.request(session.scenario, index)
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
    message = {"do": "warm_up", "arms": order, "requests": requests_of(session)}
    warm = worker.ask(message, limit_s=session.limit_s)
    _record_warm(session, number, "request", warm)
    concurrency = workload.concurrency(session.scenario)
    latencies: dict[int, list[float]] = defaultdict(list)
    for event in warm:
        if event["arm"] == first:
            latencies[concurrency[event["stratum"]]].append(event["values"]["latency"])
    return {at: median(found[len(found) // 2 :]) for at, found in latencies.items()}


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


# ----- memory


def memory_pass(session: Session) -> None:
    """Peaks of every arm, each in a fresh process, repeated; two processes at a time on the CPU, where none disturbs.

    Left out where the scenario asks for no memory metric.
    """
    if not any(metric(name).is_memory for name in session.scenario.measure.metrics):
        return
    repeats = range(session.scenario.measure.memory_repeats)
    arms = [*session.arms(controls=False), *session.alive([HOST_DOSE])]
    todo = [(arm, repeat) for repeat in repeats for arm in arms if (arm, repeat) not in session.ledger.memory]
    _at_once(session, [partial(_measure_peaks, session, arm, repeat) for arm, repeat in todo])


def _measure_peaks(session: Session, arm: str, repeat: int) -> None:
    while (arm, repeat) not in session.ledger.memory and session.alive([arm]):
        session.guarded("memory", partial(_peaks, session, arm, repeat))
    repeats = session.scenario.measure.memory_repeats
    share = len(session.ledger.memory) / (repeats * (len(session.arms(controls=False)) + 1))
    session.progress.update(session.device, f"memory: {arm}, repeat {repeat + 1} of {repeats}", 0.8 + 0.2 * share, None)


def _peaks(session: Session, arm: str, repeat: int, number: int, worker: WorkerProcess) -> None:
    indexes = requests_of(session)
    snapshot = _snapshot_file(session, arm) if repeat == 0 and arm not in CONTROLS else None
    message = {
        "do": "memory", "arm": arm, "requests": indexes, "dose": arm in CONTROLS,
        "snapshot": None if snapshot is None else str(session.journal.folder / snapshot),
    }  # fmt: skip
    began_s = time.monotonic()
    events = worker.ask(message, limit_s=(2 + 2 * len(indexes)) * session.limit_s)
    trials: list[dict[str, Any]] = [{"arm": arm, "values": _of_the_cycle([event["values"] for event in events])}]
    if max(event["concurrency"] for event in events) > 1:
        trials += [
            {"arm": arm, "stratum": at_once(event["concurrency"]), "values": event["values"]} for event in events
        ]
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
