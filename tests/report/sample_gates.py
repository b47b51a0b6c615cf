"""Made-up runs of a gate, and decisions about them: two revisions, no optimization and all, latency and memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.gate import Decision, decide
from harness.results import Arm, Contrast, Control, Failure, Finding, Plan, Run, Verdict

DEVICE = "cuda:0"
HOSTILE = "<b>]]>&\"'100%|`x`\n::error::\x1b[31m@all\u202e"
LIMITS = {"none": {"latency": 0.02, "peak_allocated": 0.0}, "all": {"latency": 0.05}}
Interval = tuple[float, float, float]
"""Ratio, low, high."""


def contrast(setting: str, metric: str, effect: Interval | None, verdict: Verdict, **keys: Any) -> Contrast:
    ratio, low, high = effect or (None, None, None)
    before = 2.0 * 2**30 if metric.startswith("peak") else 0.4
    made = Contrast(
        optimization=setting, metric=metric, device=DEVICE, unit="bytes" if metric.startswith("peak") else "s", statistic="",
        reference_arm=f"{setting}@base", arm=f"{setting}@head", before=before, after=before * (ratio or 1), ratio=ratio,
        ratio_low=low, ratio_high=high, margin=LIMITS.get(setting, {}).get(metric, 0.01), verdict=verdict, blocks=40, workers=6,
        witness_before=None, witness_after=None, equivalence="bitwise",
    )  # fmt: skip
    return replace(made, **keys)


SAME = (1.001, 0.996, 1.006)
SLOWER = (1.061, 1.052, 1.070)
FASTER = (0.90, 0.89, 0.91)
EXACTLY_SAME = (1.0, 1.0, 1.0)
PASSING = (
    contrast("none", "latency", SAME, "no material difference"),
    contrast("none", "peak_allocated", EXACTLY_SAME, "no material difference"),
    contrast("all", "latency", SAME, "no material difference"),
)


def run(*contrasts: Contrast, **keys: Any) -> Run:
    """A run in which everything passes, but for `contrasts` and other fields that are given."""
    given = {(c.optimization, c.metric, c.stratum): c for c in contrasts}
    kept = [c for c in PASSING if (c.optimization, c.metric, c.stratum) not in given]
    limits = keys.pop("limits", LIMITS)
    arms = tuple(
        Arm(name=f"{setting}@{side}", role="none" if setting == "none" else "all", states={"cached_device": setting == "all"})
        for setting in limits for side in ("base", "head")
    )  # fmt: skip
    made = Run(
        id="gate-20261124T134005Z-abcd", scenario={"name": "nightly"}, environment={}, optimizations={}, complete=True,
        plan=Plan(
            devices=(DEVICE,), arms=arms, groups={"request": tuple(arm.name for arm in arms)},
            pairs=tuple((setting, f"{setting}@base", f"{setting}@head") for setting in limits), requests=("zh",), strata={},
            workers=6, budget_s=60.0, margin={"latency": 0.01}, limits=limits,
        ),
        controls=tuple(
            Control(name=name, device=DEVICE, metric=metric, unit="s", expected=0.0, low=0.0, high=0.0, level=0.99,
                    bound=None, passed=True, reason="")
            for name, metric in (("placebo", "latency"), ("host_dose", "latency"), ("memory_dose", "peak_allocated"))
        ),
        contrasts=(*given.values(), *kept),
        timing={"command": "harness gate nightly --base main"},
    )  # fmt: skip
    return replace(made, **keys)


def crashed(message: str = "out of memory") -> Contrast:
    return contrast("all", "latency", None, "failed", before=None, after=None, reason=message)


def decisions() -> dict[str, Decision]:
    """One decision of each outcome."""
    slow, key = contrast("none", "latency", SLOWER, "slower"), (DEVICE, "none", "latency")
    runs = {
        "pass": run(),
        "regressed": run(slow, crashed(), contrast("none", "device.llm", (1.12, 1.10, 1.14), "slower", before=0.15)),
        "improved": run(contrast("all", "latency", FASTER, "faster")),
        "inconclusive": run(contrast("none", "latency", (1.01, 0.98, 1.04), "inconclusive")),
        "failed": run(crashed()),
    }
    return {name: decide(made, base="main", head="HEAD", confirmed={key: True}) for name, made in runs.items()}


def hostile() -> Decision:
    """Every name and reason is as bad as it can be."""
    made = run(
        contrast(HOSTILE, "latency", SLOWER, "slower"),
        contrast(HOSTILE, "stage." + HOSTILE, (1.2, 1.1, 1.3), "slower"),
        crashed(HOSTILE),
        contrast("none", "latency", (1.01, 0.98, 1.04), "inconclusive", reason=HOSTILE),
        limits={**LIMITS, HOSTILE: {"latency": 0.02}},
        scenario={"name": HOSTILE},
        timing={"command": f"harness gate {HOSTILE}"},
        findings=(Finding(kind="skipped", device="cpu", message=HOSTILE),),
        failures=(Failure(device=DEVICE, pass_="latency", arm=None, kind="error", message=HOSTILE, final=True),),
        unavailable={DEVICE: {"peak_allocated": HOSTILE}},
    )
    return decide(made, base=HOSTILE, head=HOSTILE, confirmed={(DEVICE, HOSTILE, "latency"): True}, notes=(HOSTILE,))
