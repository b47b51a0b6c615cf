"""A measurement of now against stored ones, with which it shares nothing. Pure: Runs in, a Run out.

The Run that comes out looks like a gate's, so that `gate.decide` and the report judge and show it as they do any other: its
arms are settings of the toggles on two sides, `none@base` (stored) and `none@head` (now), its samples those of both.
Nothing in it is paired. Each worker gives the location of the logarithms of what it measured, and the interval is across
workers, or across stored runs where there are several (`statistics.unpaired_effect`, docs/decisions/0017).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from harness import rules
from harness.controls import margin_of
from harness.designs import CONFIRMATION, CONTROLS
from harness.evidence import Evidence, say_work, work_of
from harness.metrics import Metric, metric
from harness.results import Arm, Contrast, Failure, Run, Trial, Verdict
from harness.statistics import Effect, quantiles, ratio_of, unpaired_effect, worker_estimates
from harness.toggling import State

ERROR = 0.05
"""Chance that any interval of the limits of a device misses, shared equally among them."""
UNKNOWN_SHIFT = 0.1
"""How far the times of a machine may move from one run to another where a single stored run does not show it."""
HEAD = "@head"
"""How the arms end that hold the code to judge, in a run of two revisions."""
_MAY_BE_THE_MACHINE = (
    f"beyond the limit, but by no more than the {100 * UNKNOWN_SHIFT:g} % that this machine may have moved by since then: one "
    "stored run does not show how far it moves; name several of the same code, or compare with --base"
)

Settings = Mapping[str, Mapping[str, State]]
"""Setting of the toggles, as in `Plan.limits` -> the state of each toggle in it."""


def arm_of(run: Run, states: Mapping[str, State]) -> str | None:
    """The arm of a run with these states of the toggles: in a run of two revisions that of the head. None without one."""
    arms = [arm for arm in run.plan.arms if arm.name not in CONTROLS and arm.states == states]
    heads = [arm.name for arm in arms if arm.name.endswith(HEAD)]
    return next(iter(heads or [arm.name for arm in arms if "@" not in arm.name]), None)


def against(now: Run, stored: Sequence[Run], settings: Settings, limits: Mapping[str, Mapping[str, float]]) -> Run:
    """`now` compared with the `stored` runs, in each of `settings` and with `limits`; controls are those of `now`."""
    sides = _Sides(now, stored, settings)
    general = next(iter(limits.values()))
    made = replace(
        now,
        plan=replace(
            now.plan, arms=tuple(sides.arms()), groups={"request": tuple(arm.name for arm in sides.arms())},
            pairs=tuple((setting, f"{setting}@base", f"{setting}{HEAD}") for setting in settings), limits=limits, looks=(),
            margin={"latency": now.plan.margin["latency"], **general}, dose=None,
        ),
        trials=tuple(sides.trials()), failures=tuple(sides.failures()), optimizations={}, contrasts=(), arms=(), frontier=(),
        witnesses=(), equivalences=(), memory_courses=(), looks=(), calibrations=(),
    )  # fmt: skip
    contrasts = [contrast for device in now.plan.devices for contrast in _contrasts(made, sides, device)]
    return replace(made, contrasts=tuple(contrasts))


@dataclass(slots=True)
class _Sides:
    """Both sides of the comparison, and what their arms are called in the Run that comes of it."""

    now: Run
    stored: Sequence[Run]
    settings: Settings
    _evidence: dict[tuple[int, str], Evidence] = field(default_factory=dict)

    def arms(self) -> list[Arm]:
        first = next(iter(self.settings))
        return [
            Arm(name=f"{setting}{side}", role="none" if (setting, side) == (first, "@base") else "toggle", states=states)
            for setting, states in self.settings.items()
            for side in ("@base", HEAD)
        ]  # fmt: skip

    def estimates(self, device: str, setting: str, name: str) -> tuple[list[list[float]], list[float]]:
        """For each stored run, and for now, one estimate of the log of a metric for each worker."""
        found = [self._of_run(run, device, setting, name) for run in (*self.stored, self.now)]
        return found[:-1], found[-1]

    def _of_run(self, run: Run, device: str, setting: str, name: str) -> list[float]:
        figures: dict[int, dict[str, list[Trial]]] = defaultdict(lambda: defaultdict(list))
        for trial in self.timed(run, device, setting, name):
            figures[trial.worker][trial.stratum].append(trial)
        logs = {
            worker: {stratum: _logs(found, metric(name)) for stratum, found in strata.items()}
            for worker, strata in figures.items()
        }
        seen = {stratum for strata in logs.values() for stratum in strata}
        return worker_estimates(logs, {stratum: run.plan.strata.get(stratum, 1.0) for stratum in seen})

    def timed(self, run: Run, device: str, setting: str, name: str) -> list[Trial]:
        """The trials of a setting in a run that have a value of the metric."""
        facts, arm = metric(name), arm_of(run, self.settings[setting])
        place = facts.pass_, "init" if name == "init" else "request", arm
        return [
            trial
            for trial in self._of(run, device).trials
            if (trial.pass_, trial.kind, trial.arm) == place
            and trial.group in ("", self._group(run, arm))
            and trial.values.get(name) is not None
        ]

    def step(self, device: str, name: str) -> float:
        """The steps in which the counter of a metric reads (`Evidence.step`)."""
        return self._of(self.now, device).step(name)

    def _of(self, run: Run, device: str) -> Evidence:
        return self._evidence.setdefault((id(run), device), Evidence(run, device))

    def _group(self, run: Run, arm: str | None) -> str:
        return next((name for name, arms in run.plan.groups.items() if name != CONFIRMATION and arm in arms), "")

    def trials(self) -> Iterator[Trial]:
        """The timed samples of both sides under the names that they have here; workers and blocks are numbered anew."""
        workers: dict[tuple[int, int], int] = {}
        blocks: dict[tuple[int, str, str, int], int] = {}
        for source, run in enumerate((self.now, *self.stored)):
            side = "@base" if source else HEAD
            names = {arm_of(run, states): f"{setting}{side}" for setting, states in self.settings.items()}
            for trial in run.trials:
                if trial.phase == "timed" and trial.arm in names and trial.device in self.now.plan.devices:
                    if trial.group not in ("", self._group(run, trial.arm)):
                        continue
                    block = (source, trial.pass_, trial.group, trial.block)
                    yield replace(
                        trial, arm=names[trial.arm], group="request" if trial.group else "", predecessor=None,
                        worker=workers.setdefault((source, trial.worker), len(workers)),
                        block=blocks.setdefault(block, len(blocks)),
                    )  # fmt: skip

    def failures(self) -> Iterator[Failure]:
        """What failed now, in the arms that are compared."""
        names: dict[str | None, str | None] = {None: None}
        names |= {arm_of(self.now, states): f"{setting}{HEAD}" for setting, states in self.settings.items()}
        return (replace(failure, arm=names[failure.arm]) for failure in self.now.failures if failure.arm in names)


def _logs(trials: Sequence[Trial], facts: Metric) -> list[float]:
    """Logs of a metric; of one that is only added up, that of its mean. NaN where there is none, so that it has no effect."""
    values = [trial.values[facts.name] or 0.0 for trial in trials]
    if facts.added:
        seconds = [trial.values.get("audio") or 1.0 for trial in trials]
        values = [sum(value * s for value, s in zip(values, seconds, strict=True)) / sum(seconds)]
    return [math.log(value) if value > 0 else math.nan for value in values]


def _contrasts(made: Run, sides: _Sides, device: str) -> Iterator[Contrast]:
    evidence = Evidence(made, device)
    level = 1 - ERROR / sum(map(len, made.plan.limits.values()))
    for setting in sides.settings:
        refused = _refused(evidence, sides, device, setting)
        for name in evidence.metric_names:
            yield _contrast(evidence, sides, (device, setting, name), refused, level)


def _contrast(
    evidence: Evidence, sides: _Sides, key: tuple[str, str, str], refused: tuple[Verdict, str] | None, level: float
) -> Contrast:
    device, setting, name = key
    facts, margin = metric(name), margin_of(evidence, name, setting)
    effect = _effect(sides, key, level)
    before, after = (evidence.values(name, f"{setting}{side}") for side in ("@base", HEAD))
    verdict, reason = refused or _verdict(effect, facts, margin, single=len(sides.stored) == 1)
    return Contrast(
        optimization=setting, metric=name, device=device, unit=facts.unit, level=level, margin=margin,
        statistic="difference of the locations of logs, unpaired, Welch's t over workers or t over stored runs",
        reference_arm=f"{setting}@base", arm=f"{setting}{HEAD}", verdict=verdict, reason=reason,
        before=median(before) if before else None, after=median(after) if after else None,
        ratio=None if effect is None else ratio_of(effect.location),
        ratio_low=None if effect is None or effect.low is None else ratio_of(effect.low),
        ratio_high=None if effect is None or effect.high is None else ratio_of(effect.high),
        blocks=len(after), workers=0 if effect is None else effect.workers,
        witness_before=None, witness_after=None, equivalence=None,
        quantiles={"before": quantiles(before), "after": quantiles(after)} if before and after else {},
    )  # fmt: skip


def _effect(sides: _Sides, key: tuple[str, str, str], level: float) -> Effect | None:
    """The change since the stored runs as a log-ratio; None where either side has a value of which there is no log."""
    device, setting, name = key
    stored, now = sides.estimates(device, setting, name)
    if any(math.isnan(value) for values in (*stored, now) for value in values):
        return None
    step = sides.step(device, name)
    rounding = step / math.sqrt(12) / math.exp(min(now)) if now else 0.0
    return unpaired_effect(stored, now, level=level, rounding=rounding)


def _verdict(effect: Effect | None, facts: Metric, margin: float, *, single: bool) -> tuple[Verdict, str]:
    """By the whole interval; against a single stored run a time must also clear what the machine may have moved by."""
    if effect is None:
        return "inconclusive", "not measured, or it reads zero, which has no ratio"
    if effect.low is None or effect.high is None:
        return "inconclusive", "no interval: it takes two workers in every run"
    verdict, reason = rules.verdict(effect.low, effect.high, margin, rules.words_of(facts))
    if not single or facts.is_memory or verdict in ("inconclusive", "no material difference"):
        return verdict, reason
    below, above = rules.edges(margin)
    shift = math.log1p(UNKNOWN_SHIFT)
    cleared = effect.high < below - shift or effect.low > above + shift
    return (verdict, "") if cleared else ("inconclusive", _MAY_BE_THE_MACHINE)


def _refused(evidence: Evidence, sides: _Sides, device: str, setting: str) -> tuple[Verdict, str] | None:
    """Why a setting may not be compared: it failed now, or did other work than the stored runs did."""
    failure = evidence.failure(f"{setting}{HEAD}")
    if failure is not None:
        return "failed", failure
    now = _work(sides, sides.now, device, setting)
    for run in sides.stored:
        then = _work(sides, run, device, setting)
        for request in sorted(now.keys() & then.keys()):
            if not now[request] & then[request]:
                return (
                    "output changed",
                    f"on {request} the stored run made {_any_of(then[request])}, now {_any_of(now[request])}",
                )
    return None


def _work(sides: _Sides, run: Run, device: str, setting: str) -> Mapping[str, set[tuple[float | None, ...]]]:
    """What a setting made of each request: speech tokens, and seconds of audio."""
    made: dict[str, set[tuple[float | None, ...]]] = defaultdict(set)
    for trial in sides.timed(run, device, setting, "latency"):
        made[trial.request].add(work_of(trial))
    return made


def _any_of(work: set[tuple[float | None, ...]]) -> str:
    return say_work(min(work, key=str))
