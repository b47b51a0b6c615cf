"""Looking things up in a `Run`: which arm is which, whose contrast, what was recorded. Decides nothing, words nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from statistics import median

import numpy as np
from numpy.typing import NDArray

from harness.controls import calibrated, family
from harness.metrics import METRICS
from harness.results import TOGETHER, Arm, Contrast, Control, Equivalence, Failure, Run, Trial, Verdict
from harness.toggling import toggle_of

JUDGED: frozenset[Verdict] = frozenset({"faster", "slower", "less", "more", "no material difference"})
INVALID: frozenset[Verdict] = frozenset({"inert", "not applicable", "already present", "output changed", "failed"})
"""Verdicts of arms that may not be compared: none of them enters a table of gains."""

_NOT_STAGES = ("latency", "dose")
_CONTROL_ROLES = ("placebo", "dose", "instrumentation")


def anchor(*parts: str) -> str:
    """An HTML id, or the stem of a file name, made of any names."""
    return "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-") for part in parts)


def _family(metric: str) -> str:
    try:
        return family(metric)
    except KeyError:  # measured by a newer version
        return "latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Timed requests as columns: values of one metric, and numbers that stand for names in `arms` and `requests`."""

    arms: tuple[str, ...]
    requests: tuple[str, ...]
    value: NDArray[np.float64]
    arm: NDArray[np.int64]
    request: NDArray[np.int64]
    position: NDArray[np.int64]


class Reading:
    """A run with its rows at hand, by device."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.arms: dict[str, Arm] = {arm.name: arm for arm in run.plan.arms}
        self._by_pass: dict[tuple[str, str, str], list[Trial]] = {}
        self._columns: dict[tuple[str, str], Columns] = {}
        self._about_toggles: dict[tuple[str, str | None, str | None], list[Contrast]] = {}
        self._by_arm: dict[tuple[str, str], list[Trial]] = {}
        self.control_arms = {arm.name for arm in run.plan.arms if arm.role in _CONTROL_ROLES}

    def devices(self) -> tuple[str, ...]:
        """The planned devices, then any that only the results name."""
        named = [contrast.device for contrast in self.run.contrasts]
        return tuple(dict.fromkeys([*self.run.plan.devices, *named]))

    def calibrated(self, device: str, metric: str) -> bool:
        """Whether the controls that vouch for `metric` on `device` were measured and passed."""
        outcomes = [control for control in self.run.controls if control.device == device]
        return calibrated(outcomes)[_family(metric)]

    def failed_controls(self, device: str, metric: str) -> list[Control]:
        """The controls that vouch for `metric` on `device` and did not pass."""
        shared = {_family(metric), "latency"} if _family(metric) == "device" else {_family(metric)}
        outcomes = [control for control in self.run.controls if control.device == device and not control.passed]
        return [control for control in outcomes if _family(control.metric) in shared]

    def uncalibrated(self, device: str) -> tuple[str, ...]:
        """The families of metrics whose controls failed on `device`."""
        failed = [control for control in self.run.controls if control.device == device and not control.passed]
        return tuple(dict.fromkeys(_family(control.metric) for control in failed))

    def settings(self, toggle: str) -> list[str]:
        """What the contrasts of a toggle are called: its own name, or one name for each of its after-states."""
        return [name for name, _, _ in self.run.plan.pairs if toggle_of(name) == toggle] or [toggle]

    def contrasts(self, device: str, metric: str | None = None, optimization: str | None = None) -> list[Contrast]:
        """The contrasts of a device that are about toggles, over the whole workload, in stored order."""
        return [contrast for contrast in self._about(device, metric, optimization) if not contrast.stratum]

    def by_stratum(self, device: str, metric: str, optimization: str) -> list[Contrast]:
        """The contrasts of a toggle for each kind of request, in the order of the workload; none where it has but one."""
        return [contrast for contrast in self._about(device, metric, optimization) if contrast.stratum]

    def _about(self, device: str, metric: str | None, optimization: str | None) -> list[Contrast]:
        """Contrasts that are about toggles; controls have a table of their own. All are sorted once, when first asked for."""
        if not self._about_toggles:
            for contrast in self.run.contrasts:
                if contrast.arm not in self.control_arms:
                    for key in product((contrast.device,), (None, contrast.metric), (None, contrast.optimization)):
                        self._about_toggles.setdefault(key, []).append(contrast)
        return self._about_toggles.get((device, metric, optimization), [])

    def toggled_arms(self) -> list[Arm]:
        """The arms that are about one toggle, none or all: not the controls, nor the many of several toggles."""
        return [arm for arm in self.run.plan.arms if arm.name not in self.control_arms and arm.role != "combination"]

    def timed(self, device: str) -> list[Trial]:
        """The timed requests of the latency pass on a device, of every arm, in stored order."""
        return [trial for trial in self.trials(device, "latency", "request") if trial.phase == "timed"]

    def trials(self, device: str, pass_: str, kind: str = "request") -> list[Trial]:
        """The trials of one device, pass and kind, in stored order. All trials are sorted once, when first asked for."""
        if not self._by_pass and self.run.trials:
            for trial in self.run.trials:
                self._by_pass.setdefault((trial.device, trial.pass_, trial.kind), []).append(trial)
        return self._by_pass.get((device, pass_, kind), [])

    def columns(self, device: str, metric: str) -> Columns:
        """The timed requests of a device that have a value of `metric`, of every arm."""
        if (device, metric) not in self._columns:
            arms: dict[str, int] = {}
            requests: dict[str, int] = {}
            rows = [
                (value, arms.setdefault(t.arm, len(arms)), requests.setdefault(t.request, len(requests)), t.position)
                for t in self.timed(device)
                if (value := t.values.get(metric)) is not None
            ]
            table = np.array(rows, dtype=np.float64).reshape(-1, 4)
            whole = table[:, 1:].astype(np.int64)
            self._columns[device, metric] = Columns(arms=tuple(arms), requests=tuple(requests), value=table[:, 0],
                                                    arm=whole[:, 0], request=whole[:, 1], position=whole[:, 2])  # fmt: skip
        return self._columns[device, metric]

    def metrics(self, device: str) -> list[str]:
        """The metrics that were compared on a device: those of the contract in its order, then stages and devices."""
        found = dict.fromkeys(contrast.metric for contrast in self.contrasts(device))
        known = [name for name in METRICS if name in found]
        return [*known, *(name for name in found if name not in METRICS)]

    def headline_metric(self) -> str:
        """Latency, or the first metric there is in a run that does not measure it."""
        found = [name for device in self.devices() for name in self.metrics(device)]
        return "latency" if "latency" in found or not found else found[0]

    def arm_of(self, role: str) -> str | None:
        """The name of the first arm of a role."""
        return next((arm.name for arm in self.run.plan.arms if arm.role == role), None)

    def toggles(self, device: str) -> list[str]:
        """The toggles of the scenario, each in all of its after-states, then any that only the contrasts name."""
        planned = [name for toggle in self.run.optimizations for name in self.settings(toggle)]
        named = [contrast.optimization for contrast in self.contrasts(device) if contrast.optimization != TOGETHER]
        return list(dict.fromkeys([*planned, *named]))

    @property
    def whole(self) -> str:
        """What stands for everything at once: "all", or in a run of a single toggle that one, in its first state; in a gate
        the first setting.
        """
        if self.run.plan.limits:
            return next(iter(self.run.plan.limits))
        return self.settings(next(iter(self.run.optimizations)))[0] if len(self.run.optimizations) == 1 else TOGETHER

    def ends(self) -> tuple[str | None, str | None]:
        """The arms with nothing and with everything turned on; None where the design has no such arm."""
        toggles = [arm for arm in self.run.plan.arms if arm.role == "toggle"]
        single = toggles[0].name if len({arm.toggle for arm in toggles}) == 1 else None
        return self.arm_of("none"), self.arm_of(TOGETHER) or single

    def together_count(self) -> int:
        """How many toggles the arm `all` turns on."""
        arm = self.arms.get(self.arm_of(TOGETHER) or "")
        on = [state for state in arm.states.values() if state is not False] if arm else []
        return len(on) or len(self.run.optimizations)

    def equivalences(self, device: str, arm: str) -> list[Equivalence]:
        """The comparisons of outputs of one arm, by request."""
        return [row for row in self.run.equivalences if row.device == device and row.arm == arm]

    def audible(self, device: str) -> dict[str, list[Equivalence]]:
        """The comparisons of a device by request, that of all together first."""
        found: dict[str, list[Equivalence]] = {}
        for row in self.run.equivalences:
            if row.device == device:
                found.setdefault(row.request, []).append(row)
        whole = self.ends()[1]
        return {request: sorted(rows, key=lambda row: row.arm != whole) for request, rows in found.items()}

    def failure(self, device: str, toggle: str) -> Failure | None:
        """The last failure of the arm that differs in `toggle`, or that is the toggle in one of its states."""
        arms = {arm.name for arm in self.run.plan.arms if toggle in {arm.toggle, arm.name}}
        ends = {arm.name for arm in self.run.plan.arms if arm.role == "toggle"}
        arms |= {after for name, _, after in self.run.plan.pairs if name == toggle and after in ends}
        failures = [row for row in self.run.failures if row.device == device and row.arm in arms]
        return failures[-1] if failures else None

    def gave_up(self, device: str) -> Failure | None:
        """Why nothing more could be measured on a device; None if that did not happen."""
        return next((row for row in self.run.failures if row.device == device and row.final and row.arm is None), None)

    def requests(self, device: str) -> Iterator[Trial]:
        """The requests of the latency pass, warm-up included, in the order in which they were stored.

        Where arms were measured in several groups, only those that hold the arm with everything on: the reference
        stands in every group, and its requests in another one were not measured beside that arm.
        """
        whole = self.ends()[1]
        groups = {name for name, arms in self.run.plan.groups.items() if whole is None or whole in arms}
        for trial in self.trials(device, "latency"):
            if trial.group in groups or trial.phase == "warmup":
                yield trial

    def timed_of(self, device: str, arm: str | None) -> list[Trial]:
        """The timed requests of one arm, beside that with everything on. Sorted by arm once for each device."""
        if (device, "") not in self._by_arm:
            self._by_arm[device, ""] = []
            for trial in self.requests(device):
                if trial.phase == "timed":
                    self._by_arm.setdefault((device, trial.arm), []).append(trial)
        return self._by_arm.get((device, arm or ""), [])

    def median(self, device: str, arm: str | None, metric: str, beside: str = "") -> float | None:
        """The median over an arm's timed requests (that have `beside`, too); None where nothing was recorded."""
        timed = [trial for trial in self.timed_of(device, arm) if not beside or trial.values.get(beside) is not None]
        values = [value for trial in timed if (value := trial.values.get(metric)) is not None]
        return median(values) if values else None

    def stages(self, device: str) -> tuple[str, list[str]]:
        """The prefix of stage metrics, and the names of the stages that lie in no other one, in a request's order.

        Device times are preferred: the host only queues the work of a GPU, so that its stage times say little.
        """
        found: dict[str, None] = {}
        for trial in self.requests(device):
            found.update(dict.fromkeys(trial.values))
        found.update(dict.fromkeys(self.metrics(device)))
        for prefix in ("device.", "stage."):
            names = [name.removeprefix(prefix) for name in found if name.startswith(prefix)]
            names = [name for name in names if name not in _NOT_STAGES]
            if names:
                return prefix, [name for name in names if name.rpartition(".")[0] not in names]
        return "stage.", []
