"""One process of `tests.overhead`: a request through the worker, and the plain call of the same, in turns.

Needs the standard library and the worker's package alone, because it runs in the interpreter of what is measured.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

HEARD, UNHEARD = "harness", "uninstrumented"
"""The arm without toggles, and the same to whose stages nobody listens (`worker.arms.UNINSTRUMENTED`)."""
SIDES = ("plain", HEARD, UNHEARD)
WARM = 3
"""Rounds before those that count."""


class Plain(NamedTuple):
    """The plain call `speak`, which alone is timed; what comes before and after it; and of what it made, the seconds of
    sound: 0 of what is none.
    """

    prepare: Callable[[], None]
    speak: Callable[[], Any]
    clear: Callable[[], None]
    audio_s: Callable[[Any], float]


class CountedSpans:
    """Hears how many spans there are, and times none."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()

    def span(self, name: str) -> AbstractContextManager[None]:
        self.names[name] += 1
        return nullcontext()


def plain_checkout(model: Any, request: Any) -> Plain:
    """What a script does with a CosyVoice: call the facade, join the pieces. The length is forced as the adapter forces it."""
    import torch

    code, ratio = model._code, model._ratio
    prompt = (request.speaker.text,) if request.mode == "zero_shot" else ()
    method = {"zero_shot": "inference_zero_shot", "cross_lingual": "inference_cross_lingual"}[request.mode]
    recording = model._recordings.get(request.speaker.audio)
    llm, sample_rate_hz = code.engine.llm, code.sample_rate_hz
    call = partial(getattr(code.facade, method), request.text, *prompt, recording, stream=request.stream)

    def prepare() -> None:
        random.seed(request.seed)
        torch.manual_seed(request.seed)
        if ratio is not None:
            original = llm.inference
            bounds = {"min_token_text_ratio": ratio, "max_token_text_ratio": ratio}
            llm.inference = lambda *given, **named: original(*given, **{**named, **bounds})

    def speak() -> Any:
        pieces = [piece["tts_speech"] for piece in call()]
        return torch.cat(pieces, dim=-1).reshape(-1).float().cpu().numpy()

    def clear() -> None:
        if ratio is not None:
            del llm.inference

    return Plain(prepare, speak, clear, lambda samples: len(samples) / float(sample_rate_hz))


def plain_callable(model: Any, request: Any) -> Plain:
    """What a script does with a function: call it with the arguments that the request gives. What is sound, the adapter says."""
    from harness.adapters import callable as adapter
    from harness.adapters.answers import is_sound

    target = model.bind({}, [])
    call = target._prepare(request)

    def speak() -> tuple[Any, bool]:
        value = call()
        in_chunks = inspect.isgenerator(value)
        return (list(value) if in_chunks else value), in_chunks

    def audio_s(made: tuple[Any, bool]) -> float:
        value, in_chunks = made
        if in_chunks:
            value = adapter._collected(iter(value), lambda _: None)
        return float(adapter.returned.Returned(value).audio_s) if is_sound(value) else 0.0

    return Plain(target.activate, speak, target.deactivate, audio_s)


PLAIN = {"checkout": plain_checkout, "callable": plain_callable}


def measured(told: dict[str, Any]) -> dict[str, Any]:
    """Rounds of all `SIDES` in random order; each a mapping of side -> seconds, as a clock around it has them.

    Of the worker's sides there is what it reports as latency, and under `SIDE.whole` what its command took. `SIDE.cpu` is
    the time that the process was on a core meanwhile.
    """
    package = _package(told["worker"], whole=told["whole"])

    def part(name: str) -> Any:
        return importlib.import_module(f"{package}.{name}")

    events: list[dict[str, Any]] = []
    device = part("machine").machine(told["job"]["device"])
    worker = part("serving").Worker(told["job"], device, lambda what, **event: events.append({"event": what, **event}))
    bench, states = worker._bench, dict.fromkeys(part("target").already_present(worker._bench.model), True)
    bench._arms = {name: part("arms").NamedStates(name, states) for name in (HEARD, UNHEARD)}
    worker.bind([HEARD, UNHEARD])
    request = part("requests").request_from(told["request"])
    plain = PLAIN[told["adapter"]](bench.model, request)
    rng, rounds = random.Random(told["seed"]), []  # noqa: S311  an order, not a secret
    audio_s: dict[str, float] = {}
    for _ in range(WARM + told["rounds"]):
        row = {}
        for side in rng.sample(SIDES, len(SIDES)):
            if side == "plain":
                plain.prepare()
                cpu_start, start = time.process_time(), time.perf_counter()
                made = plain.speak()
                row[side], row[f"{side}.cpu"] = time.perf_counter() - start, time.process_time() - cpu_start
                plain.clear()
                audio_s[side] = plain.audio_s(made)
                del made
                continue
            block = {"order": [side], "request": told["request"], "rehearsal": None, "settle": False, "dose_s": 0.0}
            start = time.perf_counter()
            worker.blocks([block])
            row[f"{side}.whole"] = time.perf_counter() - start
            values = events[-1]["trials"][0]["values"]
            row[side], row[f"{side}.cpu"] = values["latency"], values["cpu_time"]
            audio_s[side] = values.get("audio") or 0.0
        rounds.append(row)
    return {"rounds": rounds[WARM:], "audio_s": audio_s, "spans": _spans(part, bench, request)}


def _spans(part: Callable[[str], Any], bench: Any, request: Any) -> dict[str, int]:
    """The spans of one request, by name."""
    counted = CountedSpans()
    with part("target").activation([bench._targets[HEARD]]), part("spans").recording(counted):
        bench._targets[HEARD].run(request, lambda _: None)
    return dict(counted.names)


def _package(folder: str, *, whole: bool) -> str:
    """The name of the worker's package: of this interpreter, or loaded from `folder` as a worker that stands alone is.

    With `whole`, as part of the package `harness` around it (`processes.Alone`).
    """
    if not folder:
        return "harness.worker"
    spec = importlib.util.spec_from_file_location("start_of_worker", str(Path(folder) / "start.py"))
    if spec is None or spec.loader is None:
        raise ImportError(folder)
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    if whole:
        start.load_package(Path(folder).parent, "harness")
        return "harness.worker"
    start.load_package(Path(folder))
    return str(start.NAME)


def main() -> None:
    """Read what to do from stdin, and write what was found to the pipe that was stdout; prints of the target go to stderr."""
    found = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    json.dump(measured(json.load(sys.stdin)), found)
    found.close()


if __name__ == "__main__":
    main()
