"""Fixed runs for the tests of reports: nothing is measured, every figure is made up and the same each time."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import soundfile

from harness.results import (
    Arm,
    Calibrated,
    Contrast,
    Control,
    Equivalence,
    Failure,
    Finding,
    Foresight,
    FrontierPoint,
    Plan,
    Planted,
    Run,
    Trial,
    Verdict,
    WitnessCount,
)

HOSTILE = "<script>alert(1)</script>"
MARGIN = 0.01
TITLES = {
    "speaker_preregistration": "Extract a speaker's features once",
    "batched_cleanup": "Clean up once a request, not once a segment",
    "resample_cache": "Keep one Resample kernel per pair of rates",
    "cached_cuda_check": "Ask once whether there is a GPU",
    "precompiled_patterns": "Compile regular expressions once",
    "cached_device": "Look the device up once",
    "half_precision": "Compute in half precision",
    "static_cache": "Allocate the key-value cache once",
}
WITNESSES = {
    "speaker_preregistration": (1.0, 0.0, "extractions"),
    "batched_cleanup": (4.0, 1.0, "cleanups"),
    "resample_cache": (2.0, 0.0, "resamplers built"),
    "cached_cuda_check": (3.0, 0.0, "CUDA checks"),
    "precompiled_patterns": (0.0, 0.0, "patterns compiled"),
    "cached_device": (5.0, 0.0, "device look-ups"),
    "half_precision": (96.0, 0.0, "layers in single precision"),
    "static_cache": (75.0, 0.0, "caches grown"),
}
# toggle -> ratio, low, high, verdict of its latency on the CPU
EFFECTS: Mapping[str, tuple[float, float, float, Verdict]] = {
    "all": (0.877, 0.870, 0.884, "faster"),
    "speaker_preregistration": (0.8931, 0.8874, 0.8990, "faster"),
    "batched_cleanup": (0.9812, 0.9763, 0.9860, "faster"),
    "resample_cache": (0.9990, 0.9951, 1.0032, "no material difference"),
    "cached_cuda_check": (1.0002, 0.9962, 1.0041, "no material difference"),
    "precompiled_patterns": (1.0004, 0.9970, 1.0038, "inert"),
    "cached_device": (0.9961, 0.9850, 1.0074, "inconclusive"),
    "half_precision": (0.71, 0.70, 0.72, "output changed"),
}
REASONS: Mapping[str, str] = {
    "inert": "the witness did not move: 0 while binding and 0, 0, 0 in the requests before and after",
    "output changed": "tokens differ in 2 of 2 requests; the check demands spectral up to 0.5 dB",
    "inconclusive": "the budget ended first",
}
SECONDS = {"cpu": 2.083, "cuda:0": 0.412}
METRICS = {"latency": "s", "ttfa": "s", "rtf": "ratio", "audio_rate": "ratio", "init": "s"}
STAGES = {"frontend": 0.11, "llm": 0.61, "flow": 0.2, "vocoder": 0.05}
REQUESTS = ("zh-news", "en-dialogue")


def _calibrated() -> Calibrated:
    foresight = Foresight(
        budget_s=120, margin=0.01, workers=6, blocks=70, runs=2000, faster=1, slower=2, undecided=40, placebo_passed=1990,
        covered=1930, spent=0.3, power=0.95, detectable=0.0123, detectable_by_interval=0.0121,
    )  # fmt: skip
    return Calibrated(
        device="cpu", made="2026-11-24", run="seed-optimizations-calibration", machine="a processor", workers=6, blocks=420,
        passed=True, foresight=foresight, confirmed=Planted(slow_down=0.01231, budget_s=120, called_slower=True),
    )  # fmt: skip


def calibrated() -> Run:
    """Two devices whose controls passed; on the CPU no memory of a device, on the GPU one arm that crashed."""
    return Run(
        id="2026-11-24T13-40-05-seed",
        scenario={
            "name": "seed-optimizations",
            "model": {"adapter": "cosyvoice2", "size": "nano", "weights": "random"},
            "design": "one_at_a_time",
        },
        environment=_environment(),
        plan=_plan(),
        optimizations={name: _optimization(name) for name in TITLES},
        complete=True,
        trials=tuple(_trials()),
        witnesses=tuple(_witnesses()),
        equivalences=tuple(_equivalences()),
        failures=(
            Failure(device="cuda:0", pass_="latency", arm="static_cache", kind="out_of_memory",
                    message="tried to allocate 2.00 GiB with 1.31 GiB free", final=True),
        ),
        findings=(
            Finding(kind="noise", device="cpu", message="another process used 12 % of the cores in blocks 14 to 19"),
            Finding(kind="governor", device="cpu", message="the governor is powersave; clocks were free to change"),
        ),
        controls=tuple(_controls()),
        contrasts=tuple(_contrasts()),
        calibrations=(_calibrated(),),
        unavailable={"cpu": {
            "peak_allocated": "the CPU has no caching allocator",
            "peak_reserved": "the CPU has no caching allocator",
        }},
        timing={
            "started": "2026-11-24T13:40:05+00:00",
            "measured_s": {"cpu": 118.4, "cuda:0": 61.0},
            "startup_s": {"cpu": 9.2, "cuda:0": 14.8},
            "command": "harness run scenarios/seed-optimizations.yaml --devices cpu,cuda:0",
        },
    )  # fmt: skip


def not_calibrated() -> Run:
    """The same figures, from a CPU whose placebo did not pass, and broken off."""
    run = calibrated()
    failed = tuple(replace(control, passed=False, low=-0.0031, high=0.0084,
                           reason="the interval reaches 0.8 %, the limit is 0.5 %")
                   if (control.device, control.name, control.metric) == ("cpu", "placebo", "latency") else control
                   for control in run.controls)  # fmt: skip
    return replace(run, id="not-calibrated", controls=failed, complete=False)


def nothing_told_apart() -> Run:
    """Every arm within the margin of the baseline."""
    run = calibrated()
    level = tuple(
        replace(contrast, ratio=1.0003, ratio_low=0.9966, ratio_high=1.0040, verdict="no material difference", reason="",
                after=contrast.before, equivalence="bitwise")
        for contrast in run.contrasts if contrast.device == "cpu"
    )  # fmt: skip
    plan = replace(run.plan, devices=("cpu",))
    one = {"static_cache", "half_precision"}
    return replace(run, id="level", plan=plan, contrasts=tuple(c for c in level if c.optimization not in one),
                   optimizations={n: o for n, o in run.optimizations.items() if n not in one},
                   controls=tuple(c for c in run.controls if c.device == "cpu"), failures=(), findings=())  # fmt: skip


def several_states() -> Run:
    """A GPU on which a toggle was measured in five states, alone and in a crowd; one of them ran out of memory there."""
    run = calibrated()
    states = {"every=request": (0.93, 1.06), "every=2": (0.96, 1.02), "every=4": (0.94, 1.05), "every=never": (0.90, 1.21),
              "every=never,above=2GiB": (0.905, 1.12)}  # fmt: skip
    points = []
    for at_once in (1, 2, 4, 8):
        before = 2.4 * 2**30 + at_once * 0.3 * 2**30
        common: dict[str, Any] = {
            "device": "cuda:0",
            "toggle": "batched_cleanup",
            "concurrency": at_once,
            "peak_metric": "peak_reserved",
        }
        points.append(FrontierPoint(optimization="before", arm="none", latency=0.4 * at_once, audio_rate=7.3, ratio=1.0,
                                    ratio_low=1.0, ratio_high=1.0, peak=before, peak_low=before, peak_high=before,
                                    efficient=True, **common))  # fmt: skip
        for name, (time, memory) in states.items():
            gone = at_once == 8 and name == "every=never"
            ratio, peak = time ** (1 + at_once / 3), before * memory
            points.append(FrontierPoint(
                optimization=f"batched_cleanup[{name}]", arm=f"batched_cleanup[{name}]", latency=0.4 * at_once * ratio,
                audio_rate=7.3 / ratio, ratio=None if gone else ratio, ratio_low=None if gone else ratio * 0.992,
                ratio_high=None if gone else ratio * 1.008, peak=None if gone else peak,
                peak_low=None if gone else peak * 0.99, peak_high=None if gone else peak * 1.01,
                efficient=not gone and name != "every=4", reason="failed: out of memory in stage flow" if gone else "",
                **common,
            ))  # fmt: skip
    return replace(run, id="several-states", frontier=tuple(points))


def hostile() -> Run:
    """A run file that tries to put markup, paths and links into the page."""
    run = calibrated()
    toggles = dict(run.optimizations)
    toggles["resample_cache"] = {**toggles["resample_cache"], "doc": HOSTILE, "title": HOSTILE, "after_source": HOSTILE}
    equivalences = tuple(
        replace(row, request=HOSTILE, audio_before="../../etc/passwd", audio_after="javascript:alert(1)")
        for row in run.equivalences
    )
    return replace(
        run, id=f'"{HOSTILE}', scenario={**run.scenario, "name": HOSTILE}, optimizations=toggles, equivalences=equivalences,
        environment={"cpu": {HOSTILE: HOSTILE}}, findings=(Finding(kind=HOSTILE, device="cpu", message="@all | `x` " + HOSTILE),),
        timing={"command": f"harness run {HOSTILE}"},
    )  # fmt: skip


def wav(duration_s: float = 0.6) -> bytes:
    """A short tone as a WAV file, as `measure` writes them."""
    time_s = np.arange(round(duration_s * 24000)) / 24000
    buffer = io.BytesIO()
    soundfile.write(buffer, (0.2 * np.sin(2 * math.pi * 220 * time_s)).astype(np.float32), 24000, "FLOAT", format="WAV")
    return buffer.getvalue()


def _environment() -> dict[str, Any]:
    return {
        "harness": "0.1.0",
        "cpu": {
            "model": "Intel Xeon Platinum 8481C",
            "cores": 16,
            "memory_bytes": 137438953472,
            "governor": "powersave",
        },
        "gpu": {"name": "NVIDIA H100 80GB HBM3", "memory_bytes": 85520809984, "driver": "570.124.06", "shared": False},
        "versions": {"python": "3.11.7", "torch": "2.11.0", "cuda": "12.8", "cudnn": None},
        "threads": {"torch": 16, "affinity": [0, 1, 2, 3]},
        "git": {"commit": "1a54df0", "dirty": True},
    }


def _optimization(name: str) -> dict[str, Any]:
    check: dict[str, Any] = {"grade": "bitwise", "bound": 0.0, "reason": ""}
    if name == "half_precision":
        check = {"grade": "spectral", "bound": 0.5, "reason": "half precision rounds differently"}
    return {
        "title": TITLES[name],
        "doc": f"{TITLES[name]}.\n\nThe claim is that the work is the same in every request, so that doing it once is\n"
        "enough. Whether that shows depends on what the work costs beside a whole request.",
        "sites": ["frontend.resample"] if name == "resample_cache" else ["engine.cleanup"],
        "before_source": 'def build_every_time(context: BindContext) -> Resampler:\n    """As it was."""\n\n'
        "    def resample(audio, orig_hz, new_hz):\n        return Resample(orig_hz, new_hz)(audio)  # built anew\n\n"
        "    return resample\n",
        "after_source": '@optimization(\n    title="...",\n'
        "    before=build_every_time,\n)\n"
        f"def {name}(context: BindContext, *, limit: int = 8) -> Resampler:\n    kernels = {{}}\n\n"
        "    def resample(audio, orig_hz, new_hz):\n        key = (orig_hz, new_hz)\n        if key not in kernels:\n"
        "            kernels[key] = Resample(orig_hz, new_hz)\n        return kernels[key](audio)\n\n    return resample\n",
        "witness_unit": WITNESSES[name][2],
        "check": check,
        "isolation": "settled" if name == "batched_cleanup" else "request",
        "seed_section": "2" if name == "resample_cache" else "1",
        "parameters": {"every": "request"} if name == "batched_cleanup" else {},
    }  # fmt: skip


def _plan() -> Plan:
    off = dict.fromkeys(TITLES, False)
    toggles = tuple(Arm(name=name, role="toggle", toggle=name, states={**off, name: True}) for name in TITLES)
    arms = (
        Arm(name="none", role="none", states=off),
        *toggles,
        Arm(name="all", role="all", states=dict.fromkeys(TITLES, True)),
        Arm(name="placebo", role="placebo", states=off),
        Arm(name="host_dose", role="dose", states=off),
    )
    return Plan(
        devices=("cpu", "cuda:0"), arms=arms, groups={"request": tuple(arm.name for arm in arms)},
        pairs=tuple((name, "none", name) for name in (*TITLES, "all")), requests=REQUESTS, strata={}, workers=4, budget_s=120.0,
        margin={"latency": MARGIN}, not_applicable={},
    )  # fmt: skip


def _controls() -> list[Control]:
    found = []
    for device, median_s in SECONDS.items():
        found.append(Control(name="placebo", device=device, metric="latency", unit="log-ratio", expected=0.0, low=-0.0021,
                             high=0.0026, level=0.99, bound=MARGIN / 2, passed=True, reason=""))  # fmt: skip
        dose_s = 2 * MARGIN * median_s
        found.append(Control(name="host_dose", device=device, metric="latency", unit="s", expected=dose_s, low=dose_s * 0.91,
                             high=dose_s * 1.12, level=0.99, bound=None, passed=True, reason=""))  # fmt: skip
        memory = "rss_peak" if device == "cpu" else "peak_allocated"
        found.append(Control(name="memory_dose", device=device, metric=memory, unit="bytes", expected=64.0 * 2**20,
                             low=64.0 * 2**20, high=64.1 * 2**20, level=0.95, bound=0.02, passed=True,
                             reason="a known allocation of 64 MiB was measured as 64.05 MiB"))  # fmt: skip
        found.append(Control(name="placebo", device=device, metric="init", unit="log-ratio", expected=0.0, low=-0.0031,
                             high=0.0028, level=0.99, bound=MARGIN / 2, passed=True, reason=""))  # fmt: skip
    return found


def _contrasts() -> list[Contrast]:
    found = []
    for device, median_s in SECONDS.items():
        for name, (ratio, low, high, verdict) in _effects(device).items():
            for metric, unit in METRICS.items():
                found.append(_timed(device, name, metric, unit, median_s, (ratio, low, high), verdict))
            found += [_stage(device, name, stage, median_s * share, verdict) for stage, share in STAGES.items()]
            found += _memory(device, name, verdict)
    return found


def _effects(device: str) -> Mapping[str, tuple[float, float, float, Verdict]]:
    if device == "cpu":
        return {**EFFECTS, "static_cache": (1.034, 1.021, 1.047, "slower")}
    failed: Mapping[str, tuple[float, float, float, Verdict]] = {"static_cache": (1.0, 1.0, 1.0, "failed")}
    return {**EFFECTS, "all": (0.121, 0.117, 0.126, "faster"), "speaker_preregistration": (0.152, 0.147, 0.157, "faster"),
            **failed}  # fmt: skip


def _timed(
    device: str,
    name: str,
    metric: str,
    unit: str,
    median_s: float,
    effect: tuple[float, float, float],
    verdict: Verdict,
) -> Contrast:
    audio_s = 3.0
    before = {"latency": median_s, "ttfa": median_s * 0.41, "rtf": median_s / audio_s, "audio_rate": audio_s / median_s,
              "init": 0.182}[metric]  # fmt: skip
    ratio, low, high = effect
    if metric == "audio_rate":
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    if metric == "init":
        ratio, low, high = 1.0008, 0.9969, 1.0046
        verdict = "no material difference" if verdict in ("faster", "slower", "inconclusive") else verdict
    gone = verdict == "failed"
    after = before * ratio
    witness = WITNESSES.get(name)
    spread = {"p50": 1.0, "p95": 1.06, "p99": 1.11}
    return Contrast(
        optimization=name, metric=metric, device=device, unit=unit, statistic="median of paired log-ratios",
        reference_arm="none", arm=name, before=before, after=None if gone else after, ratio=None if gone else ratio,
        ratio_low=None if gone else low, ratio_high=None if gone else high, margin=MARGIN, verdict=verdict, blocks=48, workers=4,
        witness_before=witness[0] if witness else None, witness_after=witness[1] if witness else None,
        equivalence=None if gone else _grade(name), reason=REASONS.get(verdict, ""),
        quantiles={} if gone else {"before": {q: before * s for q, s in spread.items()},
                                   "after": {q: after * s for q, s in spread.items()}},
    )  # fmt: skip


def _grade(name: str) -> str:
    return {"half_precision": "changed", "all": "tolerance"}.get(name, "bitwise")


def _stage(device: str, name: str, stage: str, before: float, verdict: Verdict) -> Contrast:
    helped = name in ("all", "speaker_preregistration") and (stage == "frontend" or device != "cpu")
    gain = 0.12 if helped else 0.999
    return Contrast(
        optimization=name, metric=f"stage.{stage}", device=device, unit="s", statistic="median of paired log-ratios",
        reference_arm="none", arm=name, before=before, after=before * gain, ratio=gain, ratio_low=gain * 0.995,
        ratio_high=gain * 1.005, margin=MARGIN,
        verdict=verdict if verdict in ("failed", "inert", "output changed") else "faster" if gain < 1 - MARGIN else
        "no material difference", blocks=48, workers=4, witness_before=None, witness_after=None, equivalence=None,
    )  # fmt: skip


def _memory(device: str, name: str, verdict: Verdict) -> list[Contrast]:
    invalid = verdict in ("failed", "inert", "output changed")
    found = []
    for metric, before, after in (
        ("peak_allocated", 2.81 * 2**30, 2.81 * 2**30), ("peak_reserved", 3.03 * 2**30, 2.52 * 2**30),
        ("rss_peak", 3.6 * 2**30, 3.61 * 2**30),
    ):  # fmt: skip
        if device == "cpu" and metric != "rss_peak":
            continue
        ratio = after / before
        judged: Verdict = "less" if ratio < 1 - MARGIN else "no material difference"
        exact = metric == "peak_allocated"
        found.append(Contrast(
            optimization=name, metric=metric, device=device, unit="bytes", statistic="mean log-ratio of repeats",
            reference_arm="none", arm=name, before=before, after=after, ratio=ratio, ratio_low=ratio if exact else ratio * 0.996,
            ratio_high=ratio if exact else ratio * 1.004, margin=MARGIN, verdict=verdict if invalid else judged, blocks=3,
            workers=3, witness_before=None, witness_after=None, equivalence=None,
        ))  # fmt: skip
    return found


def _witnesses() -> list[WitnessCount]:
    found = []
    for device in SECONDS:
        for name, (before, after, _) in WITNESSES.items():
            found.append(
                WitnessCount(device=device, optimization=name, arm="none", at_bind=0, per_request=(int(before),) * 3)
            )
            found.append(
                WitnessCount(device=device, optimization=name, arm=name, at_bind=1, per_request=(int(after),) * 3)
            )
    return found


def _equivalences() -> list[Equivalence]:
    return [
        Equivalence(
            device=device, arm=name, request=request, grade=_GRADES.get(name, "bitwise"),
            bound={"half_precision": 3.4, "all": 2.1e-6}.get(name, 0.0), accepted=name != "half_precision",
            required="spectral up to 0.5 dB" if name == "half_precision" else "bitwise", tokens_equal=name != "half_precision",
            tokens=75, hit_cap=False, audio_before=f"audio/{device.replace(':', '')}/none-{request}.wav",
            audio_after=f"audio/{device.replace(':', '')}/{name}-{request}.wav",
        )
        for device in SECONDS for name in (*TITLES, "all") for request in REQUESTS
    ]  # fmt: skip


_GRADES: Mapping[str, Any] = {"half_precision": "changed", "all": "tolerance"}


def _trials() -> list[Trial]:
    dice = random.Random(7)  # noqa: S311  made-up figures
    found = []
    for device, median_s in SECONDS.items():
        block = 0
        for worker in range(4):
            for index in range(15):
                warm = index < 3
                block += 0 if warm else 1
                for arm, ratio in (("none", 1.0), ("all", _effects(device)["all"][0])):
                    slow = (1.9, 1.25, 1.05)[index] if warm else 1.0
                    latency = median_s * ratio * slow * (1 + 0.02 * dice.gauss(0, 1))
                    values = {
                        "latency": latency,
                        **{f"stage.{name}": latency * share for name, share in STAGES.items()},
                    }
                    found.append(Trial(
                        device=device, pass_="latency", kind="request", phase="warmup" if warm else "timed", worker=worker,
                        block=block, group="request", position=0, arm=arm, predecessor=None, request=REQUESTS[index % 2], stratum="", values=values,
                    ))  # fmt: skip
    return found


def renamed(run: Run, name: str) -> Run:
    """The same run with `name` in the place of one toggle and of one device."""

    def device(found: str) -> str:
        return name if found == "cpu" else found

    contrasts = tuple(
        replace(
            row,
            device=device(row.device),
            optimization=name if row.optimization == "resample_cache" else row.optimization,
        )
        for row in run.contrasts
    )
    return replace(run, contrasts=contrasts, trials=tuple(replace(t, device=device(t.device)) for t in run.trials),
                   controls=tuple(replace(c, device=device(c.device)) for c in run.controls),
                   plan=replace(run.plan, devices=tuple(map(device, run.plan.devices))))  # fmt: skip
