"""Inside a worker process: load the model once, bind arms, and time requests.

A `Bench` belongs to one process, one device and one pass. Nothing in a timed region allocates for the harness beyond
the span recorder's list, and nothing is counted or profiled there; garbage is collected between blocks only, because a
collection that falls into one arm's request would be charged to that arm.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from . import allocations, operations, places, spans
from .arms import DEVICE_DOSE, HEAD_DOSE, HOST_DOSE, SPAN_REPEATS, SPANS_REPEATED, UNINSTRUMENTED, Arm
from .errors import HarnessError
from .machine import Machine
from .peaks import PeakRecorder, Points
from .playback import first_audio_ns, playback
from .probes import Probe
from .requests import Output, Request, Speaker
from .target import Model, Target, activation, declaring, draft, held
from .together import Threads, values_of
from .vram import OOMS

Begin = Callable[[str, str], None]
"""Called with an arm and the id of its request before anything that may hang or die, so that a death has a name."""

WARM_ROUNDS = 12
"""Warm-up gives up after this many requests of the reference arm, level or not."""
GARBAGE = 10_000
"""So many more objects that the collector tracks may be left before garbage is collected: a collection takes tens of
milliseconds of a process that holds PyTorch, and few objects are worth less than that."""
LEVEL = 0.95
"""Warm-up has ended when the last two requests of each kind are no faster than this share of the best before them."""


class Bench:
    """Holds the model and the bound arms, and times one thing at a time. Times are seconds, sizes bytes.

    `model_s` is how long the model itself has worked: requests, timed or not, and the building of pipelines.
    """

    def __init__(self, model: Model, machine: Machine, arms: Sequence[Arm], speakers: Sequence[Speaker]) -> None:
        self.model = model
        self.machine = machine
        self._arms = {arm.name: arm for arm in arms}
        self._speakers = speakers
        self._targets: dict[str, Target] = {}
        self._others: dict[str, list[Target]] = {}
        self._threads = Threads(machine)
        self._told_ooms = 0.0
        self.model_s = 0.0
        self._new_ooms()

    def bind(self, arm: str) -> dict[str, float | None]:
        """Build the pipeline of `arm` and keep it. Returns {"init": seconds}."""
        values, target = self._timed_bind(arm)
        self._targets[arm] = target
        self._others.pop(arm, None)
        return values

    def bind_others(self, arm: str, concurrency: int) -> list[Target]:
        """As many pipelines of `arm` as requests at the same moment need, one for each; those that lack are bound."""
        others = self._others.setdefault(arm, [])
        while len(others) < concurrency - 1:
            others.append(self.model.bind(self._arms[arm].states, self._speakers))
        return [self._targets[arm], *others[: concurrency - 1]]

    def forget(self, arm: str) -> None:
        """Drop the pipelines of `arm`, so that what they hold is not counted with another's."""
        self._targets.pop(arm, None)
        self._others.pop(arm, None)
        gc.collect()

    def init(self, arm: str) -> dict[str, float | None]:
        """Build the pipeline of `arm` once more, time it, and drop it."""
        return self._timed_bind(arm)[0]

    def _timed_bind(self, arm: str) -> tuple[dict[str, float | None], Target]:
        machine = self.machine
        build = draft(self.model, self._arms[arm].states, self._speakers)
        machine.synchronize()
        cpu_start, start = machine.cpu_time_ns(), machine.clock_ns()
        target = build()
        machine.synchronize()
        end, cpu_end = machine.clock_ns(), machine.cpu_time_ns()
        self.model_s += (end - start) / 1e9
        return {"init": (end - start) / 1e9, "cpu_time": (cpu_end - cpu_start) / 1e9}, target

    def settle(self, arm: str, request: Request) -> None:
        """Run `request` untimed, so that what comes next finds the arm's own marks and no other's."""
        targets = self.bind_others(arm, request.concurrency)
        with activation(targets):
            start = self.machine.clock_ns()
            if request.concurrency > 1:
                self._threads.run(targets, request)
            else:
                targets[0].run(request, _ignore)
            self.machine.synchronize()
            self.model_s += (self.machine.clock_ns() - start) / 1e9

    def _keep_to_limit(self) -> None:
        """Between requests that are not timed: a limit of memory is one of what kernels and threads have left of it until now."""
        if self.machine.memory.limit_bytes is not None:
            self.machine.memory.count_non_torch()

    def warm(self, arm: str, request: Request) -> dict[str, float | None]:
        """Time one request of which nothing is judged."""
        values = {**self.time(arm, request), **self._refused()}
        self._keep_to_limit()
        return values

    def _refused(self) -> dict[str, float | None]:
        """Under a limit of memory, what was refused in the requests of an arm, timed or not, that have just ended."""
        return {} if self.machine.memory.limit_bytes is None else {OOMS: self._new_ooms()}

    def time(self, arm: str, request: Request, dose_s: float = 0.0) -> dict[str, float | None]:
        """Time one request: the values of all latency metrics that it has. `dose_s` is the delay of a dose arm."""
        if request.concurrency > 1:
            return self._time_together(arm, request, dose_s)
        machine, target = self.machine, self._targets[arm]
        dose = self._dose(arm, dose_s)
        recorder = spans.Recorder(machine.mark, machine.clock_ns)
        chunks: list[tuple[int, int]] = []
        with activation([target]):
            machine.synchronize()
            machine.forget_marks()
            joules = machine.energy_j()
            with _listened_to(arm, recorder):
                cpu_start, start = machine.cpu_time_ns(), machine.clock_ns()
                with spans.span("request"):
                    waited = dose()
                    output = target.run(request, lambda samples: chunks.append((machine.clock_ns(), samples)))
                machine.synchronize()
                end, cpu_end = machine.clock_ns(), machine.cpu_time_ns()
            used_j = machine.energy_j()
        self.model_s += (end - start) / 1e9
        values = _request_values(output, (end - start) / 1e9)
        values["cpu_time"] = (cpu_end - cpu_start) / 1e9
        values["energy"] = _per_second(joules, used_j, values.get("audio"))
        if request.stream:
            values["ttfa"] = (first_audio_ns(chunks, end) - start) / 1e9
            values |= _playback_values(chunks, output.sample_rate_hz)
        values |= self._stage_values(recorder)
        if dose_s:
            values["dose"] = waited or values.get("device.dose")
        return values

    def _time_together(self, arm: str, request: Request, dose_s: float) -> dict[str, float | None]:
        """Time equal requests at the same moment. A dose on the host delays them all; device times are not taken."""
        dose = self._dose(arm, dose_s) if arm in (HOST_DOSE, HEAD_DOSE) else _no_dose
        targets = self.bind_others(arm, request.concurrency)
        with activation(targets):
            joules = self.machine.energy_j()
            together = self._threads.run(targets, request, dose)
            used_j = self.machine.energy_j()
        self.model_s += together.wall_s
        values = values_of(together, stream=request.stream)
        values["energy"] = _per_second(joules, used_j, request.concurrency * (values.get("audio") or 0.0))
        if request.stream:
            values |= _mean([_playback_values(a.chunks, a.output.sample_rate_hz) for a in together.answers])
        return {**values, "dose": together.waited_s} if together.waited_s else values

    def _dose(self, arm: str, dose_s: float) -> Callable[[], float]:
        if arm in (HOST_DOSE, HEAD_DOSE) and dose_s:
            return lambda: self.machine.busy_wait_s(dose_s)
        if arm == DEVICE_DOSE and dose_s:
            return lambda: self._device_dose(dose_s)
        return _no_dose

    def _device_dose(self, dose_s: float) -> float:
        with spans.span("dose"):
            self.machine.device_wait(dose_s)
        return 0.0

    def _stage_values(self, recorder: spans.Recorder) -> dict[str, float | None]:
        values: dict[str, float | None] = {
            f"stage.{name}": seconds for name, seconds in recorder.totals_s().items() if name not in ("request", "dose")
        }
        if self.machine.mark is None:
            return values
        for name, _, _, start, end in recorder.spans:
            metric = "device.latency" if name == "request" else f"device.{name}"
            values[metric] = (values.get(metric) or 0.0) + self.machine.elapsed_s(start, end)
        return values

    def warm_up(
        self, arm: str, requests: Sequence[Request], begin: Begin
    ) -> list[tuple[Request, dict[str, float | None]]]:
        """Run requests of `arm` in turn until their times are level. Returns every sample, in order."""
        samples = []
        best: dict[str, float] = {}
        level_in_a_row = 0
        for index in range(max(WARM_ROUNDS, 2 * len(requests))):
            request = requests[index % len(requests)]
            begin(arm, request.id)
            values = self.warm(arm, request)
            samples.append((request, values))
            latency = values["latency"] or 0.0
            level = request.id in best and latency >= LEVEL * best[request.id]
            best[request.id] = min(latency, best.get(request.id, latency))
            level_in_a_row = level_in_a_row + 1 if level else 0
            if level_in_a_row >= min(2, len(requests)):
                break
        return samples

    def block(
        self,
        order: Sequence[str],
        request: Request,
        *,
        rehearsal: Request | None,
        settle: bool,
        dose_s: float,
        begin: Begin,
    ) -> list[tuple[str, dict[str, float | None]]]:
        """Every arm of `order` once on `request`.

        `rehearsal` runs untimed before the first arm, so that none is timed right after a garbage collection or another
        request, and with `settle` before every arm.
        """
        trials = []
        for position, arm in enumerate(order):
            begin(arm, request.id)
            if rehearsal is not None and (settle or position == 0):
                self.settle(arm, rehearsal)
            trials.append((arm, {**self.time(arm, request, dose_s), **self._refused()}))
        return trials

    def tidy(self, arms: Sequence[str], concurrency: int, begin: Begin) -> None:
        """Before blocks: bind what requests at the same moment need, and collect garbage where there may be much."""
        for arm in arms:
            begin(arm, "")
            self.bind_others(arm, concurrency)
        if _tracked() > GARBAGE:
            gc.collect()

    def examine(
        self, arm: str, probes: Mapping[str, Probe], first: Sequence[Request], second: Mapping[Path, Request],
        begin: Begin,
    ) -> tuple[dict[str, tuple[int, list[int]]], list[dict[str, Any]], dict[str, tuple[int, int]]]:  # fmt: skip
        """Bind `arm` anew, run the requests `first` with all probes open, then those of `second`, untimed.

        Returns name -> (count at bind, count in each request of the first round), and of each request of the second:
        its tokens, whether it hit the cap, whether its output is the same bits `as_first`, and how many allocations were
        refused since the one before (`ooms`), or since the arm was bound. Its audio is written to its file (WAV, 32-bit
        float). Last what the arm's caches hold then, as (entries, bytes), where its target can tell.
        """
        heard: dict[str, Output] = {}
        self._new_ooms()
        with ExitStack() as stack:
            tallies = {name: stack.enter_context(probe()) for name, probe in probes.items()}
            target = self.model.bind(self._arms[arm].states, self._speakers)
            readings = [{name: tally.count for name, tally in tallies.items()}]
            for request in first:
                begin(arm, request.id)
                heard.setdefault(request.id, _run(target, request).kept())
                self._keep_to_limit()
                for tally in tallies.values():
                    getattr(tally, "after_request", _nothing)()
                readings.append({name: tally.count for name, tally in tallies.items()})
        counts = {
            name: (readings[0][name], [after[name] - before[name] for before, after in zip(readings, readings[1:])])
            for name in probes
        }
        outputs = []
        for file, request in second.items():
            begin(arm, request.id)
            output = _run(target, request)
            outputs.append({**_written(output, heard[request.id], file), OOMS: self._new_ooms()})
        return counts, outputs, held(target)

    def _new_ooms(self) -> float | None:
        """Allocations that this process was refused since this was last asked, or since the model was loaded; None where none are counted.

        A library that was refused one may keep to what it then did for good (PyTorch's cuDNN keeps the plan of a convolution that
        had room): so none is left out, of whatever request, timed or not. Not for a timed region.
        """
        found = self.machine.memory.events()[OOMS]
        new, self._told_ooms = (found or 0.0) - self._told_ooms, found or 0.0
        return None if found is None else new

    def work(
        self, arm: str, requests: Sequence[Request], begin: Begin
    ) -> Iterator[tuple[Request, str, dict[str, Any]]]:
        """What each stage does in each of `requests` on `arm`, untimed: (request, stage, what it does).

        That is the `operations` that PyTorch was asked for, and the `parts` that the model declares of itself, where it
        does (`target.declaring`). One request goes before them, so that none is the arm's first.
        """
        target = self.model.bind(self._arms[arm].states, self._speakers)
        _run(target, requests[0])
        for request in requests:
            begin(arm, request.id)
            counter = operations.Counter(self.machine.device)
            with declaring(self.model) as declared, spans.recording(counter), counter.counting():
                _run(target, request)
            self.machine.synchronize()
            stages = dict.fromkeys(stage for stage in (*counter.counts, *map(_stage_of, declared)) if stage)
            for stage in stages:
                parts = [part for part in declared if _stage_of(part) == stage]
                yield request, stage, {"operations": counter.counts.get(stage, 0), "parts": parts}

    def place(
        self, toggle: str, arms: Sequence[str], request: Request, probe: Probe, rng: Random
    ) -> Iterator[list[tuple[str, dict[str, float | None]]]]:
        """Time a toggle's place alone, in the state that it has in each of `arms`; a round after the other."""
        with self.model.inference():
            sides = {arm: self.model.place(toggle, self._arms[arm].states[toggle], request) for arm in arms}
            counted = {arm: places.events(probe, call) for arm, call in sides.items()}
            for batches in places.rounds(self.machine, sides, rng):
                yield [(batch.side, {**_values_of(batch), "events": counted[batch.side]}) for batch in batches]

    def empty_call(self, names: Sequence[str], rng: Random) -> Iterator[list[tuple[str, dict[str, float | None]]]]:
        """Time an empty call as if it were several things called `names`."""
        for batches in places.rounds(self.machine, dict.fromkeys(names, places.nothing), rng):
            yield [(batch.side, _values_of(batch)) for batch in batches]

    def memory(self, arm: str, requests: Sequence[Request], *, dose: bool) -> tuple[dict[str, float | None], Points]:
        """Peaks of the requests in turn, after one untimed request, and memory over time.

        With `dose`, a known allocation is held meanwhile.
        """
        self.settle(arm, requests[0])
        gc.collect()
        self._keep_to_limit()
        recorder = PeakRecorder(self.machine.memory, self.machine.clock_ns)
        with self.machine.memory.holding_dose() if dose else nullcontext():
            with spans.recording(recorder):
                for request in requests:
                    with spans.span("request"):
                        self.settle(arm, request)
            return {**recorder.values(), OOMS: self._new_ooms()}, recorder.points

    def allocations(self, arm: str, requests: Sequence[Request], file: Path) -> None:
        """Run the requests once more and write what the allocator did to `file` (`allocations.record`)."""

        def speak() -> None:
            for request in requests:
                self.settle(arm, request)

        allocations.record(speak, file)


def _nothing() -> None:
    """What most tallies do after a request: they count inside it."""


def _run(target: Target, request: Request) -> Output:
    with activation([target]):
        return target.run(request, _ignore)


def _stage_of(part: Mapping[str, Any]) -> str:
    """The stage that a declared part belongs to."""
    return str(part["part"]).partition(".")[0]


def _values_of(batch: places.Batch) -> dict[str, float | None]:
    return {"site": batch.call_s, "calls": float(batch.calls)}


def _written(output: Output, before: Output, file: Path) -> dict[str, Any]:
    """Write the audio of `output` to `file`; what else is told of it, `before` being what the same request made first."""
    try:
        output.write(file)
    except OSError as error:
        message = f"cannot write {file}: {error.strerror or error}"
        raise HarnessError(message) from error
    tokens = list(map(int, output.tokens))
    facts = (tokens, output.exact, output.sample_rate_hz)
    same = facts == (list(map(int, before.tokens)), before.exact, before.sample_rate_hz)
    return {
        "tokens": tokens, "hit_cap": output.hit_cap, "exact": output.exact, "is_sound": bool(output.sample_rate_hz),
        "segments": list(map(int, output.segments)),
        "as_first": same and output.audio.tobytes() == before.audio.tobytes(),
    }  # fmt: skip


def _request_values(output: Output, latency_s: float) -> dict[str, float | None]:
    if not output.sample_rate_hz:
        return {"latency": latency_s}
    audio_s = output.audio_s
    return {
        "latency": latency_s,
        "rtf": latency_s / audio_s if audio_s else None,
        "audio_rate": audio_s / latency_s if latency_s else None,
        "audio": audio_s,
        "tokens": float(len(output.tokens)),
    }


def _per_second(before_j: float | None, after_j: float | None, audio_s: float | None) -> float | None:
    return None if before_j is None or after_j is None or not audio_s else (after_j - before_j) / audio_s


def _playback_values(chunks: Sequence[tuple[int, int]], sample_rate_hz: int) -> dict[str, float | None]:
    """What a listener hears of `chunks`, each (arrival in ns, samples)."""
    heard = playback([arrival for arrival, _ in chunks], [samples for _, samples in chunks], sample_rate_hz)
    values: dict[str, float | None] = {"underruns": float(heard.underruns), "stall": heard.stall_s}
    if heard.longest_gap_s is not None:
        values["chunk_gap"] = heard.longest_gap_s
    return values


def _mean(readings: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of each value over the readings that have it."""
    found = {name: [value for reading in readings if (value := reading.get(name)) is not None] for name in readings[0]}
    return {name: fmean(values) for name, values in found.items() if values}


def _tracked() -> int:
    """How many objects more than at the last collection the collector tracks, where Python counts them (PyPy does not)."""
    counted = getattr(gc, "get_count", None)
    return GARBAGE + 1 if counted is None else int(counted()[0])


def _listened_to(arm: str, recorder: spans.Recorder) -> AbstractContextManager[Any]:
    """How the stages of `arm` are listened to."""
    if arm == UNINSTRUMENTED:
        return nullcontext()
    return spans.recording(spans.Repeated(recorder, SPAN_REPEATS) if arm == SPANS_REPEATED else recorder)


def _no_dose() -> float:
    return 0.0


def _ignore(samples: int) -> None:
    pass
