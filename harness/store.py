"""Runs on disk: a journal while measuring, then run.json and samples.parquet (contract.md, "Storage").

A run is a folder. `journal.jsonl` grows by one line per block, each flushed, so that a kill loses the block in progress
and no more. When the run is complete it is compacted: samples.parquet and run.json are written under a temporary name
and renamed, then the journal goes. Reading runs nothing: JSON and Parquet only.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import RunFileError
from harness.metrics import metric
from harness.results import (
    SCHEMA_VERSION,
    CacheHeld,
    CacheReplay,
    Conditions,
    Equivalence,
    Failure,
    Finding,
    Look,
    MemoryCourse,
    Run,
    StageWork,
    Trial,
    WitnessCount,
)

JOURNAL, RUN_FILE, SAMPLES = "journal.jsonl", "run.json", "samples.parquet"
_NOT_IN_RUN_FILE = {"trials"}
_TRIAL_COLUMNS = (
    "device", "pass_", "kind", "phase", "worker", "block", "group", "position", "arm", "predecessor", "request", "stratum",
)  # fmt: skip


def new_run_id(scenario: str) -> str:
    """A name for a run: the scenario, the UTC time, and four letters against two at once."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in scenario.lower()).strip("-") or "run"
    return f"{slug[:60]}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"


def unfinished(folder: Path, scenario: str) -> Path | None:
    """The newest run in `folder` that was not finished, of the scenario with this name; None if there is none.

    A journal that cannot be read is nobody's run.
    """
    runs = sorted(path.parent for path in folder.glob(f"*/{JOURNAL}"))
    return next((run for run in reversed(runs) if _scenario_of(run) == scenario), None)


def _scenario_of(folder: Path) -> str | None:
    try:
        return str(run_from_journal(folder).scenario.get("name"))
    except RunFileError:
        return None


class Journal:
    """The append-only record of something in progress, as a rule a run: one JSON object a line, `{"is": kind, ...}`."""

    def __init__(self, folder: Path, name: str = JOURNAL) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        path = folder / name
        _drop_torn_line(path)
        self._file = path.open("a", encoding="utf-8")

    def append(self, kind: str, data: Mapping[str, Any]) -> None:
        """Write one event and flush it, so that it survives the end of this process. What is not finite becomes null."""
        event = _without_not_finite({"is": kind, **data})
        self._file.write(json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _without_not_finite(value: Any) -> Any:
    """`value` with NaN and infinities as None at any depth: JSON has no word for them, and run.json could not be written."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_not_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_not_finite(item) for item in value]
    return value


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            path.write_bytes(whole)


def read_journal(folder: Path, name: str = JOURNAL) -> Iterator[dict[str, Any]]:
    """The events of a journal, oldest first; a torn last line is left out. Raises RunFileError for a torn earlier one."""
    path = folder / name
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line, parse_constant=lambda _: None)  # older journals may hold NaN
            except ValueError:
                message = f"{path}:{number}: not a line of JSON; the file was damaged after it was written"
                raise RunFileError(message) from None


def run_from_journal(folder: Path) -> Run:
    """The Run that a journal describes, without contrasts and controls (see `compare.evaluate`)."""
    reading = _Reading()
    for event in read_journal(folder):
        reading.note(event.pop("is"), event)
    if reading.run is None:
        message = f"{folder / JOURNAL} has no run in it; nothing was measured yet"
        raise RunFileError(message)
    return reading.result(reading.run)


class _Reading:
    """Collects the events of a journal into the parts of a Run."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.trials: list[Trial] = []
        self.items: dict[str, list[Any]] = {kind: [] for kind in _ITEMS}
        self.held: list[CacheHeld] = []
        self.replays: list[CacheReplay] = []
        self.unavailable: dict[str, Any] = {}
        self.environment: dict[str, Any] = {"devices": {}}
        self.not_applicable: dict[str, str] = {}
        self.not_applicable_on: dict[str, dict[str, str]] = {}
        self.already_present: dict[str, str] = {}
        self.timing: dict[str, Any] = {"measured_s": {}, "startup_s": 0.0}
        self.complete = False
        self.work: list[StageWork] = []

    def note(self, kind: str, event: dict[str, Any]) -> None:
        if kind in _ITEMS:
            self.items[kind].append(_ITEMS[kind][1].validate_python(event))
        elif kind == "run":
            self.timing |= event.pop("timing")
            self.run = _RUN.validate_python(_as_named_now({**event, "complete": False}))
        elif kind == "block":
            self.trials += _trials(event)
            measured = self.timing["measured_s"]
            measured[event["device"]] = measured.get(event["device"], 0.0) + event["wall_s"]
        elif kind == "worked":
            worked = self.timing.setdefault("worked_s", {}).setdefault(event["device"], {"pass": 0.0, "model": 0.0})
            worked["pass"] += event["wall_s"]
            worked["model"] += event["model_s"]
        elif kind == "worker":
            self.unavailable[event["device"]] = event["unavailable"]
            if event.get("usual", True):  # not of an arm that starts its process otherwise
                self.environment["devices"][event["device"]] = event["machine"]
                self.environment["model"] = event["description"]
            if core := event.get("core"):
                self.environment.setdefault("pinned", {"cores": []})["cores"].append(core["core"])
            self.not_applicable |= event["not_applicable"]
            self.not_applicable_on.setdefault(event["device"], {}).update(event["not_applicable"])
            self.already_present |= event.get("already_present", {})
            self.timing["startup_s"] += event["startup_s"]
        elif kind == "examined":
            common = {"device": event["device"], "arm": event["arm"]}
            self.items["witness"] += [WitnessCount(**common, **_counts(count)) for count in event["witnesses"]]
            self.held += [CacheHeld(**common, **held) for held in event.get("held", ())]
            self.replays += [CacheReplay(**common, **replay) for replay in event.get("replays", ())]
            self.work += [_WORK.validate_python({**common, **told}) for told in event.get("work", ())]
        elif kind == "complete":
            self.complete = True
            self.timing["finished"] = event["finished"]

    def result(self, run: Run) -> Run:
        lists: dict[str, Any] = {field: tuple(self.items[kind]) for kind, (field, _) in _ITEMS.items()}
        return replace(
            run,
            complete=self.complete,
            plan=replace(
                run.plan,
                not_applicable=self.not_applicable,
                not_applicable_on=self.not_applicable_on,
                already_present=self.already_present,
            ),
            environment={**run.environment, **self.environment},
            unavailable=self.unavailable,
            timing=self.timing,
            trials=tuple(self.trials),
            held=tuple(self.held),
            replays=tuple(self.replays),
            work=tuple(self.work),
            **lists,
        )


def _counts(count: Mapping[str, Any]) -> dict[str, Any]:
    return {**count, "per_request": tuple(count["per_request"])}


def _trials(block: Mapping[str, Any]) -> Iterator[Trial]:
    common = {name: block[name] for name in ("device", "pass_", "kind", "phase", "worker", "block", "group")}
    predecessor: str | None = None
    for position, trial in enumerate(block["trials"]):
        yield Trial(
            **common, position=position, arm=trial["arm"], predecessor=predecessor,
            request=trial.get("request", block["request"]), stratum=trial.get("stratum", block["stratum"]),
            values=trial["values"],
        )  # fmt: skip
        predecessor = trial["arm"]


def save(run: Run, folder: Path) -> None:
    """Write samples.parquet and run.json, each whole or not at all; a complete run then loses its journal.

    Of the scenario's file a complete run keeps the name only: runs are published, and where it lies is nobody's business.
    """
    _write_samples(run, folder / SAMPLES)
    data = _RUN.dump_python(run, mode="json", exclude=_NOT_IN_RUN_FILE)
    if run.complete and "file" in data["scenario"]:
        data["scenario"]["file"] = Path(data["scenario"]["file"]).name
    text = json.dumps({"schema_version": SCHEMA_VERSION, **data}, ensure_ascii=False, indent=1, allow_nan=False)
    partial = folder / (RUN_FILE + ".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(folder / RUN_FILE)
    if run.complete:
        (folder / JOURNAL).unlink(missing_ok=True)


def below(folder: Path) -> list[Path]:
    """The folders of all runs in `folder` and below, in progress and broken ones too, in order of their paths."""
    return sorted({path.parent for name in (RUN_FILE, JOURNAL) for path in folder.rglob(name)})


def _hint(folder: Path) -> str:
    """What else a folder without a run is."""
    if not folder.is_dir():
        return "; there is no such folder"
    below = next((path.parent for name in (RUN_FILE, JOURNAL) for path in sorted(folder.glob(f"*/{name}"))), None)
    return f"; there are some in it, such as {below}" if below else ""


def load(folder: Path, *, samples: bool = True) -> Run:
    """Read a run. A run in progress, or one that was killed, is read from its journal.

    Without `samples` a finished run has no trials, which are most of what there is to read. Raises RunFileError for a folder that holds no run, a damaged file, or a schema newer than this version knows.
    """
    if (folder / JOURNAL).exists():
        return run_from_journal(folder)
    path = folder / RUN_FILE
    if not path.exists():
        message = f"{folder} holds no run (neither {RUN_FILE} nor {JOURNAL}){_hint(folder)}"
        raise RunFileError(message)
    try:
        data = json.loads(path.read_bytes())
        version = data.pop("schema_version")
        if version > SCHEMA_VERSION:
            message = f"{path} has schema version {version}; this harness reads up to {SCHEMA_VERSION}: update it"
            raise RunFileError(message)
        run = _RUN.validate_python(_as_named_now(data))
        return replace(run, trials=tuple(_read_samples(folder / SAMPLES))) if samples else run
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError, OSError) as error:
        message = f"{path} cannot be read as a run: {error}"
        raise RunFileError(message) from error


_RENAMED_ROLES = {"uninstrumented": "instrumentation"}
"""What roles of arms were called in older runs -> what they are called now."""


def _as_named_now(data: dict[str, Any]) -> dict[str, Any]:
    """A run as older versions wrote it, with what they named otherwise under its name of today. What is new has a default."""
    for arm in (*data["plan"]["arms"], *data.get("arms", ())):
        arm["role"] = _RENAMED_ROLES.get(arm["role"], arm["role"])
    return data


def _write_samples(run: Run, path: Path) -> None:
    import pandas as pd

    rows = [
        (*(getattr(trial, name) for name in _TRIAL_COLUMNS), index, name, metric(name).unit, value)
        for index, trial in enumerate(run.trials)
        for name, value in trial.values.items()
    ]
    frame = pd.DataFrame(rows, columns=[*_TRIAL_COLUMNS, "trial", "metric", "unit", "value"])
    frame = frame.astype({"value": "float64"})
    partial = path.with_suffix(".partial")
    frame.to_parquet(partial, index=False)
    partial.replace(path)


def files(folder: Path) -> dict[str, int]:
    """The files of a run's folder, by path relative to it, with their sizes in bytes."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _read_samples(path: Path) -> Iterator[Trial]:
    """Rows of one trial stand together; what is the same in all of them is taken from the first."""
    import numpy as np
    import pandas as pd

    frame = pd.read_parquet(path)
    numbers = frame["trial"].to_numpy()
    starts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1])) if len(numbers) else np.empty(0, dtype=int)
    heads = frame.iloc[starts]
    columns = [_plain(heads[name]) for name in _TRIAL_COLUMNS]
    metrics, values = _plain(frame["metric"]), _plain(frame["value"])
    ends = [*starts[1:].tolist(), len(numbers)][: len(starts)]
    for start, end, *fields in zip(starts.tolist(), ends, *columns, strict=True):
        yield Trial(**dict(zip(_TRIAL_COLUMNS, fields, strict=True)),
                    values=dict(zip(metrics[start:end], values[start:end], strict=True)))  # fmt: skip


def _plain(column: Any) -> list[Any]:
    """A column of a frame as Python's own values, None where there is none."""
    return list(column.astype(object).where(column.notna(), None).tolist())


_RUN = TypeAdapter(Run)
_WORK = TypeAdapter(StageWork)
_ITEMS: Mapping[str, tuple[str, TypeAdapter[Any]]] = {
    "witness": ("witnesses", TypeAdapter(WitnessCount)),
    "equivalence": ("equivalences", TypeAdapter(Equivalence)),
    "failure": ("failures", TypeAdapter(Failure)),
    "finding": ("findings", TypeAdapter(Finding)),
    "conditions": ("conditions", TypeAdapter(Conditions)),
    "memory_course": ("memory_courses", TypeAdapter(MemoryCourse)),
    "look": ("looks", TypeAdapter(Look)),
}
"""Journal events that are items of a list of the Run: kind -> (the list's field, how to read one)."""
