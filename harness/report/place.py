"""What was measured where, in one sentence, from what a run knows of its machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from harness import units
from harness.metrics import memory_alone
from harness.report.reading import Reading
from harness.report.words import plural, say

PATHS = ("weights", "audio", "home", "path", "file", "python", "supply", "target", "voice")
"""Keys whose value may be a place on somebody's disk, of which the name alone is told."""


def named(key: str, value: Any) -> str:
    """The text of what a scenario says by `key`, which may be dotted: where something lies on somebody's disk is nobody's business."""
    return PurePath(value).name if isinstance(value, str) and key.rpartition(".")[2] in PATHS else str(value)


def where(reading: Reading) -> str:
    """What was measured on which machine, when, and on how many samples."""
    run = reading.run
    timed = [(device, trial.worker) for device in reading.devices() for trial in reading.timed(device)]
    of_memory = memory_alone(run.scenario.get("measure", {}).get("metrics", ()))
    read = [(trial.device, trial.worker) for trial in run.trials if trial.pass_ == "memory"] if of_memory else timed
    workers = len(set(read))
    told = {
        "model": _model(run.scenario.get("model")),
        "machine": say("; ").join(_machine(run.environment)) or say("a machine that the run does not describe"),
        "date": str(run.timing.get("started", ""))[:10],
        "samples": say("memory alone") if of_memory
        else plural(len(timed), "{count} timed request", "{count} timed requests", count=units.count(len(timed))),
        "workers": plural(workers, "{count} process", "{count} processes", count=workers),
    }  # fmt: skip
    if not told["date"]:
        return say("{model}, on {machine}: {samples} in {workers}.", **told)
    return say("{model}, measured on {date} on {machine}: {samples} in {workers}.", **told)


def _model(model: Any) -> str:
    if not isinstance(model, Mapping):
        return str(model or say("A model that the run does not name"))
    weights = PurePath(str(model.get("weights", ""))).name
    told = (str(model.get("adapter", "")), str(model.get("size", "")),
            weights and say("weights: {weights}", weights=say(weights)))  # fmt: skip
    return say(", ").join(part for part in told if part)


def _machine(environment: Mapping[str, Any]) -> Iterator[str]:
    cpu = environment.get("cpu")
    if isinstance(cpu, Mapping) and cpu.get("model"):
        cores = cpu.get("cores")
        name = " ".join(str(cpu["model"]).split())
        yield (
            plural(cores, "{name} ({count} core)", "{name} ({count} cores)", name=name, count=cores) if cores else name
        )
    devices = environment.get("devices")
    cards = (
        [found.get("gpu") for found in devices.values() if isinstance(found, Mapping)]
        if isinstance(devices, Mapping)
        else []
    )
    yield from (str(card) for card in cards if card)
