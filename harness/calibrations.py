"""What calibrations of this machine say, and where they are kept: one file for each machine, device and kind of scenario.

Kept is the noise itself and what a request and a worker cost, so that a run with another budget, margin or other toggles
finds its answer in the same file. Files are data: they are checked when they are read, and reading runs nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness import rules
from harness.designs import Design
from harness.environment import fingerprint
from harness.errors import CalibrationError, UsageError
from harness.metrics import FIRST, METRICS, metric
from harness.noise import Noise, Shape, foresee
from harness.results import Calibrated, Foresight, Planted
from harness.scenario import Scenario

SCHEMA_VERSION = 1
_MOST_BYTES = 64 * 2**20
"""A larger file was not written by this harness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What things took in the calibrating run: seconds of the budget for each timed request of an arm, seconds until a
    worker is ready, seconds of its warm-up, and bytes of a timed request in the journal and in the files that stay.
    """

    request_s: float
    startup_s: float
    warm_up_s: float
    journal_bytes: float
    kept_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What one calibrating run found on one device. `passed` says whether its controls held; `confirmed` as `Calibrated`."""

    fingerprint: str
    machine: str
    device: str
    scenario: str
    digest: str
    made: str
    run: str
    passed: bool
    costs: Costs
    noise: Noise
    confirmed: Planted | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)


class Shelf:
    """The folder in which calibrations are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, code: str, device: str, digest: str) -> Path:
        """The file of the calibration of a machine, device and scenario."""
        return self.folder / f"{code}-{device.replace(':', '-')}-{digest}.json"

    def find(
        self, scenario: Scenario, device: str, here: Mapping[str, Any], *, is_gate: bool = False
    ) -> Calibration | None:
        """What is kept for this scenario, or for its gate, on this device of the machine of environment `here`; None where nothing is.

        Raises CalibrationError for a file that is there and cannot be used.
        """
        wanted = fingerprint(here, device).code, device, digest_of(scenario, is_gate=is_gate)
        path = self.path(*wanted)
        found = read(path) if path.exists() else None
        if found is not None and (found.fingerprint, found.device, found.digest) != wanted:
            raise CalibrationError(_unusable(path, "it is about another machine, device or scenario"))
        return found

    def keep(self, calibration: Calibration) -> Path:
        """Write a calibration, whole or not at all, in place of an older one. Raises UsageError where that cannot be."""
        path = self.path(calibration.fingerprint, calibration.device, calibration.digest)
        data = {"schema_version": SCHEMA_VERSION, **_CALIBRATION.dump_python(calibration, mode="json")}
        partial = path.with_suffix(f".{secrets.token_hex(4)}.partial")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            message = (
                f"the calibration cannot be kept in {self.folder}: {error}; name another folder with --calibrations"
            )
            raise UsageError(message) from None
        return path


def read(path: Path) -> Calibration:
    """The calibration in a file. Raises CalibrationError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CalibrationError(_unusable(path, "it is larger than any calibration"))
        data = json.loads(path.read_bytes(), parse_constant=_refuse)
        version = data.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise CalibrationError(_unusable(path, f"it has schema version {version!r}, not {SCHEMA_VERSION}"))
        found = _CALIBRATION.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CalibrationError(_unusable(path, f"{place}: {first['msg']}")) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise CalibrationError(_unusable(path, f"{type(error).__name__}: {error}")) from None
    if fault := _fault(found):
        raise CalibrationError(_unusable(path, fault))
    return found


def _refuse(constant: str) -> float:
    message = f"{constant} is no number"
    raise ValueError(message)


def _unusable(path: Path, why: str) -> str:
    return f"the calibration {path} cannot be used: {why}; delete it, or calibrate again"


def _fault(found: Calibration) -> str:
    """What makes a calibration of the right form unusable; "" where nothing does."""
    noise, costs = found.noise, found.costs
    if not noise.weights or not all(weight > 0 for weight in noise.weights.values()):
        return "its kinds of request have no shares"
    if len(noise.workers) < 2:  # noqa: PLR2004  a spread takes two
        return "it has fewer than two workers"
    if not all(worker.keys() == noise.weights.keys() and all(worker.values()) for worker in noise.workers):
        return "a worker lacks a kind of request"
    if not all(
        math.isfinite(value)
        for worker in noise.workers
        for pairs in worker.values()
        for pair in pairs
        for value in pair
    ):
        return "a log-ratio is not finite"
    if not costs.request_s > 0 or min(costs.startup_s, costs.warm_up_s, costs.journal_bytes, costs.kept_bytes) < 0:
        return "its costs are not positive"
    return ""


def shelf(folder: Path | None = None) -> Shelf:
    """Where calibrations are kept: in `folder`, or in the user's cache."""
    return Shelf(cache() / "tts-harness" / "calibration" if folder is None else folder)


def cache() -> Path:
    """The folder in which this system keeps what its user can do without."""
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named)
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def digest_of(scenario: Scenario, *, is_gate: bool = False) -> str:
    """A short hash of what in a scenario changes its noise: not its name, budget, margins, workers or toggles.

    Whether it is a gate, whose arms are processes of their own, is told after it.
    """
    data = scenario.as_data()
    measure = data["measure"]
    parts = {
        "model": data["model"],
        "workload": data["workload"],
        "metrics": sorted(
            name for name in measure["metrics"] if name not in METRICS or metric(name).pass_ == "latency"
        ),
        **{name: measure.get(name) for name in ("threads", "pin", "vram_limit")},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12] + ("-gate" if is_gate else "")


def shape_of(calibration: Calibration, scenario: Scenario, design: Design) -> Shape:
    """The run of a scenario by what a request took when it was calibrated: its arms share the budget evenly.

    A block of group `settled` has an untimed request before each timed one. Arms that are decided early leave their time
    to the others, which is not counted upon.
    """
    measure = scenario.measure
    round_s = design.requests_of_round * calibration.costs.request_s
    controls = len(design.groups) * (2 if "init" in measure.metrics else 1) + (FIRST in measure.metrics)
    controls += sum(arm.role == "dose" for arm in design.arms)
    return Shape(
        margin=measure.margin_of("latency"),
        workers=measure.workers,
        blocks_per_s=1 / (round_s * measure.workers),
        placebo_level=rules.control_level(controls),
    )


def foreseen(
    calibration: Calibration, scenario: Scenario, design: Design, budgets_s: Sequence[float]
) -> list[Foresight]:
    """What runs of a scenario can be expected to tell apart in each of `budgets_s`."""
    return foresee(calibration.noise, shape_of(calibration, scenario, design), budgets_s)


def applied(calibration: Calibration, scenario: Scenario, design: Design) -> Calibrated:
    """What a calibration says of a run of `scenario`, in its budget."""
    (foresight,) = foreseen(calibration, scenario, design, [scenario.measure.budget_s])
    return as_told(calibration, foresight)


def as_told(calibration: Calibration, foresight: Foresight) -> Calibrated:
    """What a calibration says of a run or gate of which it foresees this."""
    return Calibrated(
        device=calibration.device, made=calibration.made, run=calibration.run, machine=calibration.machine,
        workers=len(calibration.noise.workers), blocks=calibration.noise.blocks, passed=calibration.passed,
        foresight=foresight, confirmed=calibration.confirmed,
    )  # fmt: skip


_CALIBRATION = TypeAdapter(Calibration)
