"""The profile pass: each arm under each profiler in fresh worker processes of its own, which time nothing.

Arms take turns: in every other round in the opposite order, so that what drifts meets both sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ProfileError, WorkerError
from harness.optimizations.process import of_process
from harness.passes.cycle import known_requests_of
from harness.processes import WorkerProcess
from harness.profiles.index import Kind, stem
from harness.pyspy import Sampler
from harness.results import Arm
from harness.session import Session

_PLAIN_S = 1.0
"""Requests run so long without a sampler first: what they take is what samples are shares of."""
_PATIENCE = 20
"""A request under a profiler may take so many times as long as its time limit says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be profiled. `seconds` is how long sampling lasts in each process, `rounds` how many processes an arm gets."""

    arms: tuple[Arm, ...]
    kinds: tuple[Kind, ...]
    rounds: int
    seconds: float
    native: bool


@dataclass(slots=True, kw_only=True)
class Taken:
    """What the processes of one arm gave under one profiler: what each told, the files it wrote, and remarks.

    `failure` is why there is no more of it; it was `refused` where the profiler is the reason, and not the arm.
    """

    arm: Arm
    kind: Kind
    told: list[dict[str, Any]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: str = ""
    refused: bool = False

    def remark(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.notes:
            self.notes.append(text)


def profile_pass(session: Session, wanted: Wanted, folder: Path, taken_here: list[Taken]) -> None:
    """Every arm under every profiler, into `taken_here` as it comes. What cannot be had is in `failure`, and the others go on."""
    found = {(kind, arm.name): Taken(arm=arm, kind=kind) for kind in wanted.kinds for arm in wanted.arms}
    taken_here += found.values()
    turns = list(_turns(wanted))
    for done, (kind, number, arm) in enumerate(turns):
        taken = found[kind, arm.name]
        if taken.failure or _is_refused(found.values(), kind):
            continue
        doing = f"profile: {kind}, {arm.name}, process {number + 1} of {_rounds(wanted, kind)}"
        session.progress.update(session.device, doing, done / len(turns), None)
        file = folder / stem(session.device, arm.name, kind, str(number))
        try:
            _take(session, taken, wanted, file)
        except (WorkerError, ProfileError) as error:
            taken.failure, taken.refused = str(error), isinstance(error, ProfileError)
            session.progress.note(f"{session.device}: {kind} of {arm.name}: {error}")


def _is_refused(found: Iterable[Taken], kind: Kind) -> bool:
    """Whether a profiler of this kind was refused before anything was profiled by it: it will be again."""
    some = [taken for taken in found if taken.kind == kind]
    return any(taken.refused for taken in some) and not any(taken.told for taken in some)


def _rounds(wanted: Wanted, kind: Kind) -> int:
    """Memory at its peak is exact: one process tells it."""
    return 1 if kind in ("memory", "host-memory") else wanted.rounds


def _turns(wanted: Wanted) -> Iterator[tuple[Kind, int, Arm]]:
    for kind in wanted.kinds:
        for number in range(_rounds(wanted, kind)):
            for arm in wanted.arms if number % 2 == 0 else reversed(wanted.arms):
                yield kind, number, arm


def _take(session: Session, taken: Taken, wanted: Wanted, file: Path) -> None:
    if taken.kind == "memory" and (session.device == "cpu" or session.fake):
        message = "the CPU has no allocator that keeps a history: --with host-memory"
        raise ProfileError(message)
    with _worker(session, taken.arm) as worker:
        _TAKERS[taken.kind](session, worker, taken, wanted, file)


@contextmanager
def _worker(session: Session, arm: Arm) -> Iterator[WorkerProcess]:
    """A fresh worker that has bound `arm` and run each request once."""
    with session.worker("profile", arm.name, arms=[session.as_told(arm)]) as (_, worker):
        reason = None if of_process([arm.toggle or ""]) else worker.ready["not_applicable"].get(arm.toggle)
        if reason:
            message = f"not applicable: {reason}"
            raise WorkerError(message, kind="usage", arm=arm.name)
        worker.ask({"do": "bind", "arms": [arm.name]}, limit_s=session.limit_s)
        _ask(session, worker, arm, "py-spy", Path(), 0.0)
        yield worker


def _ask(session: Session, worker: WorkerProcess, arm: Arm, how: str, file: Path, seconds: float) -> dict[str, Any]:
    """Requests under one profiler in a worker. Raises ProfileError where the worker refuses."""
    requests = session.wire.singles(known_requests_of(session))
    message = {
        "do": "profile", "arm": arm.name, "requests": requests, "how": how, "file": str(file.absolute()),
        "seconds": seconds,
    }  # fmt: skip
    (event,) = worker.ask(message, limit_s=seconds + _PATIENCE * len(requests) * session.limit_s)
    if refused := event.pop("refused", None):
        raise ProfileError(refused)
    event.pop("event")
    return dict(event)


def _sample(session: Session, worker: WorkerProcess, taken: Taken, wanted: Wanted, file: Path) -> None:
    """py-spy beside the worker; without native frames where it cannot have them."""
    path = file.with_name(file.name + ".speedscope.json")
    plain = _ask(session, worker, taken.arm, "py-spy", path, min(_PLAIN_S, wanted.seconds))
    sampler = Sampler(worker.pid, path, native=wanted.native)
    try:
        sampler.start()
    except ProfileError as error:
        if not wanted.native:
            raise
        sampler = Sampler(worker.pid, path, native=False)
        sampler.start()
        taken.remark(f"Without native frames: {error}")
    try:
        told = _ask(session, worker, taken.arm, "py-spy", path, wanted.seconds)
        sampler.stop()
    finally:
        sampler.end()
    if sampler.is_behind:
        taken.remark("py-spy could not keep up, so that there are fewer samples than its rate gives.")
    taken.told.append({**told, "plain_s": plain["least_s"]})
    taken.files.append(path)


def _trace(session: Session, worker: WorkerProcess, taken: Taken, wanted: Wanted, file: Path) -> None:
    """A trace, and after it, apart, who made the host wait for the device."""
    if session.fake:
        message = "the fake adapter runs without torch"
        raise ProfileError(message)
    path = file.with_name(file.name + ".trace.json.gz")
    _ask(session, worker, taken.arm, "torch", path, 0.0)
    waits = file.with_name(file.name + ".waits.json")
    _ask(session, worker, taken.arm, "synchronizations", waits, 0.0)
    counted = json.loads(file.with_name(file.name + ".operators.json").read_bytes())
    taken.told.append({**counted, "callers": json.loads(waits.read_bytes())["callers"]})
    taken.files.append(path)


def _host_memory(session: Session, worker: WorkerProcess, taken: Taken, wanted: Wanted, file: Path) -> None:
    path = file.with_name(file.name + ".bin")
    taken.told.append(_ask(session, worker, taken.arm, "host-memory", path, 0.0))
    taken.files.append(path)


def _memory(session: Session, worker: WorkerProcess, taken: Taken, wanted: Wanted, file: Path) -> None:
    path = file.with_name(file.name + ".pickle")
    taken.told.append(_ask(session, worker, taken.arm, "memory", path, 0.0))
    taken.files.append(path)


_Taker = Callable[[Session, WorkerProcess, Taken, Wanted, Path], None]
_TAKERS: Mapping[Kind, _Taker] = {
    "py-spy": _sample, "torch": _trace, "host-memory": _host_memory, "memory": _memory,
}  # fmt: skip
