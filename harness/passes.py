"""The passes over one device: equivalence and witnesses, latency, memory. Each has its own worker processes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import workload
from harness.designs import CONTROLS, HOST_DOSE, PLACEBO
from harness.equivalence import accepted, grade
from harness.optimizations import named
from harness.optimizations.registry import BITWISE, Check
from harness.processes import WorkerProcess
from harness.results import Pass
from harness.scenario import Scenario
from harness.session import Session

MAX_OUTPUT_REQUESTS = 4
"""Requests, of one cycle of the workload, whose outputs are compared and in which witnesses are counted."""
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


def equivalence_pass(session: Session) -> None:
    """Compare every arm's output with the reference's, and the reference's with itself in another process."""
    for index in requests_of(session)[:MAX_OUTPUT_REQUESTS]:
        name = workload.request(session.scenario, index).id
        while name not in session.ledger.outputs:
            outputs = session.guarded("equivalence", lambda _, worker, index=index: _outputs(session, worker, index))
            twin = outputs and session.guarded(
                "equivalence", lambda _, worker, index=index: _output(session, worker, PLACEBO, index)
            )
            if outputs and twin:
                _grade_outputs(session, name, {**outputs, PLACEBO: twin})
                session.record("equivalence_done", request=name)


def _outputs(session: Session, worker: WorkerProcess, index: int) -> dict[str, dict[str, Any]]:
    arms = session.arms(controls=False)
    outputs = {}
    for done, arm in enumerate(arms):
        session.progress.update(session.device, f"comparing outputs: {arm}", 0.05 * done / len(arms), None)
        outputs[arm] = _output(session, worker, arm, index)
    return outputs


def _output(session: Session, worker: WorkerProcess, arm: str, index: int) -> dict[str, Any]:
    request = workload.request(session.scenario, index).id
    path = Path("audio") / session.device.replace(":", "-") / request / f"{arm}.wav"
    worker.ask({"do": "bind", "arms": [arm]}, limit_s=session.limit_s)
    message = {"do": "output", "arm": arm, "request": index, "audio": str(session.journal.folder / path)}
    (output,) = worker.ask(message, limit_s=session.limit_s)
    return {**output, "audio": str(path)}


def _grade_outputs(session: Session, request: str, outputs: Mapping[str, Mapping[str, Any]]) -> None:
    reference = outputs[session.design.reference]
    folder = session.journal.folder
    before = read_audio(folder / reference["audio"])
    for arm, output in outputs.items():
        if arm == session.design.reference:
            continue
        found, bound = grade(before, read_audio(folder / output["audio"]), reference["tokens"], output["tokens"])
        check = _required(session, arm)
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
    order = ("bitwise", "tolerance", "spectral", "words")
    return max((named(toggle).check for toggle in differing), key=lambda c: order.index(c.grade), default=BITWISE)


def read_audio(path: Path) -> NDArray[np.float32]:
    """Samples of a WAV file as [samples], float32, exactly as written."""
    import soundfile

    audio, _ = soundfile.read(path, dtype="float32")
    return np.asarray(audio)


def witness_pass(session: Session) -> None:
    """Count the witnesses of all toggles on every arm that is compared, in untimed requests."""
    parameters = {
        name: dict(toggle.after) if isinstance(toggle.after, Mapping) else {}
        for name, toggle in session.scenario.optimizations.items()
    }
    requests = requests_of(session)[:MAX_OUTPUT_REQUESTS]

    def count(_: int, worker: WorkerProcess) -> None:
        for arm in session.arms(controls=False):
            if arm not in session.ledger.witnesses:
                session.progress.update(session.device, f"counting witnesses: {arm}", 0.05, None)
                message = {"do": "witness", "arm": arm, "toggles": parameters, "requests": requests}
                for event in worker.ask(message, limit_s=(1 + len(requests)) * session.limit_s):
                    counts = {key: event[key] for key in ("optimization", "at_bind", "per_request")}
                    session.record("witness", arm=arm, **counts)

    while not set(session.arms(controls=False)) <= session.ledger.witnesses:
        session.guarded("equivalence", count)


# ----- latency


def latency_pass(session: Session) -> None:
    """Blocks in fresh workers, one after the other, until the budget is spent."""
    measure = session.scenario.measure
    while session.ledger.latency_workers < measure.workers:
        session.guarded("latency", lambda number, worker: _measure(session, number, worker))


def _measure(session: Session, number: int, worker: WorkerProcess) -> None:
    ledger, measure = session.ledger, session.scenario.measure
    share_s = (measure.budget_s - ledger.spent_s) / (measure.workers - ledger.latency_workers)
    dose_s = DOSE_IN_MARGINS * measure.margin_of("latency") * _warm_up(session, number, worker)
    start_s = ledger.spent_s
    whole = len(requests_of(session)) * len(session.design.groups)
    offset, count = ledger.blocks, 0
    while count < whole or ledger.spent_s - start_s < share_s:
        _latency_block(session, number, worker, offset + count, dose_s)
        _show_progress(session)
        count += 1
    session.record("latency_worker", worker=number)


def _latency_block(session: Session, number: int, worker: WorkerProcess, turn: int, dose_s: float) -> None:
    """One block of each kind in turn: the groups of the design one after the other, each followed by an init block."""
    groups = list(session.design.groups)
    group = groups[turn % len(groups)]
    order = session.alive(session.design.groups[group])
    random.Random(f"{session.scenario.name} {session.device} {turn}").shuffle(order)  # noqa: S311  order, not secrets
    index = turn // len(groups)
    message = {"do": "block", "order": order, "request": index, "settle": group == "settled", "dose_s": dose_s}
    _record_block(session, number, "request", worker.ask(message, limit_s=session.limit_s), index)
    init = [arm for arm in order if arm in (*session.arms(controls=False), PLACEBO)]
    _record_block(session, number, "init", worker.ask({"do": "init", "order": init}, limit_s=session.limit_s), None)


def _record_block(
    session: Session, number: int, kind: str, events: Sequence[Mapping[str, Any]], index: int | None
) -> None:
    (block,) = events
    request = None if index is None else workload.request(session.scenario, index)
    session.record(
        "block", pass_="latency", kind=kind, phase="timed", worker=number, block=session.ledger.blocks,
        request=request.id if request else "init", stratum=request.stratum if request else "init",
        trials=block["trials"], wall_s=block["wall_s"],
    )  # fmt: skip


def _warm_up(session: Session, number: int, worker: WorkerProcess) -> float:
    """Bind all arms, run requests until their times are level, keep the samples. Returns the reference's median, s."""
    arms = session.arms(controls=True)
    bound = worker.ask({"do": "bind", "arms": arms}, limit_s=session.limit_s)
    _record_warm(session, number, "init", [{**event, "request": "init", "stratum": "init"} for event in bound])
    first = session.design.reference
    order = [first, *(arm for arm in arms if arm != first)]
    message = {"do": "warm_up", "arms": order, "requests": requests_of(session)}
    warm = worker.ask(message, limit_s=session.limit_s)
    _record_warm(session, number, "request", warm)
    latencies = [event["values"]["latency"] for event in warm if event["arm"] == first]
    return median(latencies[len(latencies) // 2 :])


def _record_warm(session: Session, number: int, kind: str, events: Sequence[Mapping[str, Any]]) -> None:
    trials = [{key: event[key] for key in ("arm", "request", "stratum", "values")} for event in events]
    session.record(
        "block", pass_="latency", kind=kind, phase="warmup", worker=number, block=session.ledger.blocks,
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
    """Peaks of every arm, each in a fresh process, repeated; two processes at a time on the CPU, where none disturbs."""
    repeats = range(session.scenario.measure.memory_repeats)
    arms = [*session.arms(controls=False), *session.alive([HOST_DOSE])]
    todo = [(arm, repeat) for repeat in repeats for arm in arms if (arm, repeat) not in session.ledger.memory]
    done = 0

    def measure(arm: str, repeat: int) -> None:
        nonlocal done
        while (arm, repeat) not in session.ledger.memory and arm in session.alive([arm]):
            session.guarded("memory", lambda number, worker: _peaks(session, number, worker, arm, repeat))
        done += 1
        left_s = (len(todo) - done) * session.startup_s / threads
        session.progress.update(session.device, f"memory: {arm}", 0.8 + 0.2 * done / len(todo), left_s)

    threads = 2 if session.device == "cpu" else 1
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(measure, arm, repeat) for arm, repeat in todo]:
            _wait(future.result, session)


def _wait(result: Callable[[], None], session: Session) -> None:
    try:
        result()
    except BaseException:
        session.stop()
        raise


def _peaks(session: Session, number: int, worker: WorkerProcess, arm: str, repeat: int) -> None:
    requests = requests_of(session)
    message = {"do": "memory", "arm": arm, "requests": requests, "dose": arm in CONTROLS}
    (event,) = worker.ask(message, limit_s=(2 + len(requests)) * session.limit_s)
    pass_: Pass = "memory"
    session.record(
        "block", pass_=pass_, kind="request", phase="timed", worker=number, block=repeat, request="cycle",
        stratum="cycle", trials=[{"arm": arm, "values": event["values"]}], wall_s=0.0,
    )  # fmt: skip
