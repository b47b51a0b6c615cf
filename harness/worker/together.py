"""Equal requests at the same moment, each in a thread and a pipeline of its own, as a server's threads run them.

The threads share Python's lock, the device's default stream and the caching allocator: what they make each other wait
for is what is measured here. Spans are not recorded: a listener hears the thread that set it, and none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from statistics import fmean
from threading import Barrier, Event
from typing import TYPE_CHECKING

from .playback import first_audio_ns

if TYPE_CHECKING:
    from .machine import Machine
    from .requests import Output, Request
    from .target import Target


@dataclass(frozen=True)
class Answer:
    """One of the requests: its output, its chunks as (arrival in ns, samples), and seconds from the common start.

    `first_s` is that of its first chunk, `latency_s` that of its end.
    """

    output: Output
    chunks: tuple[tuple[int, int], ...]
    first_s: float
    latency_s: float


@dataclass(frozen=True)
class Together:
    """All requests of one moment. `wall_s` lasts until the last has ended; `waited_s` is the delay before they started."""

    answers: tuple[Answer, ...]
    wall_s: float
    cpu_s: float
    waited_s: float


@dataclass
class _Gate:
    """Opened once all threads stand before it. `start_ns` is when the requests arrived, `open_ns` when they may go on."""

    opened: Event
    start_ns: int = 0
    open_ns: int = 0


class Threads:
    """The threads of a worker that run requests: kept from one moment to the next, as a server keeps its own.

    The first target always has the first thread, and so on: what a library keeps for each thread (on a GPU, workspaces of
    some megabytes) then depends on nothing but how many requests there are.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._threads: list[ThreadPoolExecutor] = []

    def run(self, targets: Sequence[Target], request: Request, dose: Callable[[], float] = lambda: 0.0) -> Together:
        """Run `request` on every target, each in its thread, all started at once. `dose` delays all of them alike.

        Raises what the first of the threads that failed has raised, after all have ended.
        """
        machine = self._machine
        while len(self._threads) < len(targets):
            self._threads.append(ThreadPoolExecutor(1, thread_name_prefix="request"))
        gate, ready = _Gate(Event()), Barrier(len(targets) + 1)
        try:
            futures = [
                thread.submit(self._one, target, request, ready, gate) for thread, target in zip(self._threads, targets)
            ]
            ready.wait()
            machine.synchronize()
            cpu_start, gate.start_ns = machine.cpu_time_ns(), machine.clock_ns()
            waited_s = dose()
            gate.open_ns = machine.clock_ns()
        except BaseException:
            ready.abort()
            raise
        finally:
            gate.opened.set()
        wait(futures)
        answers = tuple(future.result() for future in futures)
        machine.synchronize()
        end, cpu_end = machine.clock_ns(), machine.cpu_time_ns()
        return Together(
            answers=answers, wall_s=(end - gate.start_ns) / 1e9, cpu_s=(cpu_end - cpu_start) / 1e9, waited_s=waited_s
        )

    def _one(self, target: Target, request: Request, ready: Barrier, gate: _Gate) -> Answer:
        ready.wait()
        gate.opened.wait()
        machine = self._machine
        machine.enter_thread(gate.open_ns)
        chunks: list[tuple[int, int]] = []
        output = target.run(request, lambda samples: chunks.append((machine.clock_ns(), samples)))
        end_ns = machine.clock_ns()
        first_ns = first_audio_ns(chunks, end_ns)
        return Answer(
            output=output,
            chunks=tuple(chunks),
            first_s=(first_ns - gate.start_ns) / 1e9,
            latency_s=(end_ns - gate.start_ns) / 1e9,
        )


def values_of(together: Together, *, stream: bool) -> dict[str, float | None]:
    """The values of the latency metrics that requests at the same moment have: means of one request's, and their sums."""
    outputs = [answer.output for answer in together.answers]
    audio_s = [output.audio_s for output in outputs]
    latency_s, first = fmean(answer.latency_s for answer in together.answers), _work(outputs[0])
    if not outputs[0].sample_rate_hz:
        return {"latency": latency_s, "cpu_time": together.cpu_s}
    values: dict[str, float | None] = {
        "latency": latency_s,
        "rtf": latency_s / fmean(audio_s) if sum(audio_s) else None,
        "audio_rate": sum(audio_s) / together.wall_s if together.wall_s else None,
        "audio": fmean(audio_s),
        "tokens": fmean(len(output.tokens) for output in outputs),
        "alike": fmean(_work(output) == first for output in outputs),
        "cpu_time": together.cpu_s,
    }
    if stream:
        values["ttfa"] = fmean(answer.first_s for answer in together.answers)
    return values


def _work(output: Output) -> tuple[list[int], int]:
    """What equal requests must have made alike: speech tokens, and how many samples; their values may differ in rounding."""
    return list(output.tokens), len(output.audio)
