"""Inside a worker that times nothing: requests under a profiler.

Needs the standard library alone; torch and memray are imported when a profile asks for them. Profiles of the passes that time
are never made in the same process.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import synchronizations
from .machine import torch_here

_PR_SET_PTRACER = 0x59616D61
_PR_SET_PTRACER_ANY = -1
_NANOSECONDS = 1e9

Run = Callable[[Any], Any]
"""Runs one request to its end, the device's work included."""


class Refused(Exception):  # noqa: N818  an answer, and none of the harness's own errors, which this module does not know
    """A profile that cannot be made here; the message says why, and what to do."""


def profile(how: str, run: Run, requests: Sequence[Any], file: Path, seconds: float) -> dict[str, Any]:
    """Run `requests` by `run` under profiler `how` (a key of `PROFILERS`), which writes `file`. Returns what there is to tell.

    At least {"requests": how many were run, "least_s": what a request took, each in its quickest round}.
    `seconds` is how long whole rounds of the requests go on where the profiler can take many.
    """
    return PROFILERS[how](run, requests, file, seconds)


def profiled_request(run: Run, request: Any) -> None:
    """One request. Sampled stacks are cut at this function: what lies inside is the request's."""
    run(request)


def _rounds(run: Run, requests: Sequence[Any], seconds: float) -> dict[str, Any]:
    """Whole rounds of all requests until `seconds` have passed, at least one; garbage is collected between rounds."""
    count, begun = 0, time.perf_counter_ns()
    least_ns: dict[int, int] = {}
    while count == 0 or time.perf_counter_ns() - begun < seconds * _NANOSECONDS:
        for place, request in enumerate(requests):
            start = time.perf_counter_ns()
            profiled_request(run, request)
            took_ns = time.perf_counter_ns() - start
            least_ns[place] = min(took_ns, least_ns.get(place, took_ns))
            count += 1
        gc.collect()
    return {"requests": count, "least_s": sum(least_ns.values()) / len(least_ns) / _NANOSECONDS}


def _sampled(run: Run, requests: Sequence[Any], file: Path, seconds: float) -> dict[str, Any]:
    """Requests for a sampler that looks from outside, and writes the file itself."""
    allow_tracing()
    return _rounds(run, requests, seconds)


def _synchronizations(run: Run, requests: Sequence[Any], file: Path, seconds: float) -> dict[str, Any]:
    """One round with whatever makes the host wait for the device counted by its caller."""
    with synchronizations.watching() as found:
        told = _rounds(run, requests, 0.0)
    file.write_text(json.dumps({**told, "callers": found.callers()}), encoding="utf-8")
    return told


def _torch(run: Run, requests: Sequence[Any], file: Path, seconds: float) -> dict[str, Any]:
    """One round under torch.profiler: `file` is its trace (.json.gz), beside it NAME.operators.json."""
    from . import traces

    if torch_here() is None:
        message = "the interpreter that runs the model has no torch"
        raise Refused(message)
    told: dict[str, Any] = {}

    def speak() -> None:
        told.update(_rounds(run, requests, 0.0))

    counted = traces.record(speak, file)
    told_file = file.with_name(file.name.replace(".trace.json.gz", ".operators.json"))
    told_file.write_text(json.dumps({**told, **counted}), encoding="utf-8")
    return told


def _memory(run: Run, requests: Sequence[Any], file: Path, seconds: float) -> dict[str, Any]:
    """One round with every allocation on the card kept (`allocations`)."""
    from . import allocations

    told: dict[str, Any] = {}

    def speak() -> None:
        told.update(_rounds(run, requests, 0.0))

    allocations.record(speak, file)
    return told


def _host_memory(run: Run, requests: Sequence[Any], file: Path, seconds: float) -> dict[str, Any]:
    """One round with every allocation on the host told to memray, which writes `file` (.bin)."""
    try:
        import memray
    except ImportError:
        message = "memray is not installed in the interpreter that runs the model (pip install memray; Linux and macOS)"
        raise Refused(message) from None
    file.unlink(missing_ok=True)
    gc.collect()
    told: dict[str, Any] = {}
    with memray.Tracker(str(file), native_traces=False):
        told.update(_rounds(run, requests, 0.0))
    return told


PROFILERS: dict[str, Callable[[Run, Sequence[Any], Path, float], dict[str, Any]]] = {
    "py-spy": _sampled,
    "synchronizations": _synchronizations,
    "torch": _torch,
    "memory": _memory,
    "host-memory": _host_memory,
}
"""By name: requests, file, seconds -> what there is to tell."""


def allow_tracing() -> None:
    """Let any process of this user look into this one, where the system restricts that to parents (Linux with Yama)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PTRACER, ctypes.c_long(_PR_SET_PTRACER_ANY), 0, 0, 0)
