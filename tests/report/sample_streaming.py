"""A fixed run with three lengths of text, streamed: its first arm ran dry now and then. Every figure is made up."""

from __future__ import annotations

from dataclasses import replace

from harness.results import Contrast, Run, Trial, Verdict
from tests.report import sample_runs

LENGTHS = {
    "zh-3s zero_shot stream": (0.35, 2.0),
    "zh-10s zero_shot stream": (1.0, 1.0),
    "zh-30s zero_shot stream": (2.9, 0.4),
}
"""Stratum -> how many times the median latency it takes, and the share of the effect that is left, as a power."""
METRICS = {"latency": 1.0, "ttfa": 0.5, "chunk_gap": 0.2, "rtf": 0.3}
WAITS = (0.21, 0.24, 0.31, 0.22)


def by_length() -> Run:
    """The CPU of `sample_runs.calibrated`, in three kinds of request."""
    run = sample_runs.calibrated()
    whole = [contrast for contrast in run.contrasts if contrast.device == "cpu" and contrast.metric in METRICS]
    gaps = [replace(c, metric="chunk_gap", unit="s") for c in whole if c.metric == "ttfa"]
    contrasts = [kind for contrast in (*whole, *gaps) for kind in (contrast, *_kinds(contrast))]
    return replace(
        run, id="by-length", contrasts=tuple(contrasts), trials=tuple(_streamed(run)), failures=(), findings=(),
        plan=replace(run.plan, devices=("cpu",), strata=dict.fromkeys(LENGTHS, 1 / 3)),
        controls=tuple(control for control in run.controls if control.device == "cpu"),
    )  # fmt: skip


def _kinds(contrast: Contrast) -> list[Contrast]:
    found = []
    for stratum, (length, power) in LENGTHS.items():
        low, ratio, high = (
            None if end is None else end**power * widening
            for end, widening in zip(
                (contrast.ratio_low, contrast.ratio, contrast.ratio_high), (0.995, 1.0, 1.005), strict=True
            )
        )
        found.append(replace(
            contrast, stratum=stratum, level=1 - 0.05 / 3, ratio=ratio, ratio_low=low, ratio_high=high,
            before=None if contrast.before is None else contrast.before * length * METRICS[contrast.metric],
            after=None if contrast.after is None or ratio is None or contrast.before is None
            else contrast.before * length * METRICS[contrast.metric] * ratio,
            blocks=16, verdict=_verdict(contrast, low, high),
        ))  # fmt: skip
    return found


def _verdict(contrast: Contrast, low: float | None, high: float | None) -> Verdict:
    if contrast.verdict not in ("faster", "no material difference", "inconclusive") or low is None or high is None:
        return contrast.verdict
    if high < 1 - contrast.margin:
        return "faster"
    inside = 1 - contrast.margin <= low and high <= 1 + contrast.margin
    return "no material difference" if inside else "inconclusive"


def _streamed(run: Run) -> list[Trial]:
    strata = list(LENGTHS)
    found = []
    for index, trial in enumerate(trial for trial in run.trials if trial.device == "cpu"):
        wait = WAITS[index % 4]
        late = max(0.0, wait - 0.3) if trial.arm == "none" else 0.0
        values = {**trial.values, "ttfa": 0.4 * wait, "chunk_gap": wait, "underruns": float(late > 0), "stall": late}
        found.append(replace(trial, stratum=strata[trial.block % 3], values=values))
    return found
