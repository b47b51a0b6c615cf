"""In what runs differ: keys of their scenarios, machine, versions, code. What moves from minute to minute is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness import units
from harness.report import machines
from harness.report.comparing.model import Difference
from harness.report.machines import known
from harness.report.place import named
from harness.report.visible import visible
from harness.report.words import mark, say
from harness.results import Run

ABSENT = mark("not set")
_NOT_OF_A_SCENARIO = ("file", "description")
_OF_THE_DISK = ("model.weights", "model.voice")
"""What is told by names, sizes and times: of the same weights these are others on each disk."""
Key = tuple[str, str]


def differences(sides: Sequence[tuple[Run, str]]) -> tuple[Difference, ...]:
    """Facts whose text is not the same for all of `sides`, which are runs and devices."""
    told = [dict(_facts(run, device)) for run, device in sides]
    keys = list(dict.fromkeys(key for facts in told for key in facts))
    order = list(dict.fromkeys(group for group, _ in keys))
    found = []
    for group, name in sorted(keys, key=lambda key: order.index(key[0])):
        values = tuple(facts.get((group, name), say(ABSENT)) for facts in told)
        if len(set(values)) > 1:
            found.append(Difference(group=group, name=visible(name), values=tuple(map(visible, values))))
    return tuple(found)


def _facts(run: Run, device: str) -> Iterator[tuple[Key, str]]:
    for key, value in _flat(run.scenario):
        if key.partition(".")[0] not in _NOT_OF_A_SCENARIO:
            yield (say("Scenario"), key), value
    yield from (
        ((say(group), say(name)), _text(value)) for group, name, value in _machine(run, device) if value is not None
    )
    yield from (((say("Code"), name), value) for name, value in _code(run))


def _machine(run: Run, device: str) -> Iterator[tuple[str, str, Any]]:
    here, card = run.environment, known(run.environment, "devices", device)
    memory = known(here, "memory_bytes") or known(here, "cpu", "memory_bytes")
    yield mark("Machine"), mark("Device"), machines.device(run, device)
    yield mark("Machine"), mark("Processor"), known(here, "cpu", "model")
    yield mark("Machine"), mark("Cores"), known(here, "cpu", "cores")
    yield mark("Machine"), mark("Threads that may be used"), known(here, "cpu", "usable")
    yield mark("Machine"), mark("Memory"), units.size(memory) if isinstance(memory, int | float) else None
    yield mark("Machine"), mark("System"), known(here, "system", "platform")
    yield mark("Machine"), mark("Driver"), _driver(run, device)
    yield mark("Machine"), mark("Threads of a worker"), known(here, "worker", "threads")
    yield mark("Machine"), mark("VRAM limit"), known(card, "vram_limit_bytes")
    yield mark("Versions"), "python", known(here, "python")
    for name, value in (known(here, "versions") or {}).items():
        yield mark("Versions"), str(name), value
    for name in ("cuda", "cudnn", "tf32_matmul"):
        yield mark("Versions"), name, known(card, name)


def _driver(run: Run, device: str) -> Any:
    cards = known(run.environment, "gpus")
    if device == "cpu" or not isinstance(cards, list | tuple):
        return None
    return next((driver for card in cards if (driver := known(card, "driver"))), None)


def _code(run: Run) -> Iterator[tuple[str, str]]:
    yield say("Commit"), machines.code(run)
    for key, digest in (known(run.environment, "measured") or {}).items():
        if key not in _OF_THE_DISK:
            yield say("{key}, its code as a hash", key=key), str(digest)
    fingerprint = known(run.environment, "model", "fingerprint")
    if fingerprint:
        yield say("Weights, as a hash"), str(fingerprint)
    for name, toggle in run.optimizations.items():
        for side in ("before", "after"):
            source = toggle.get(f"{side}_source")
            if source:
                what = say(
                    "{name}, code before, as a hash" if side == "before" else "{name}, code after, as a hash", name=name
                )
                yield what, hashlib.sha256(str(source).encode()).hexdigest()[:10]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested data with their dotted paths."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{prefix}[{number}]")
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(map(_text, value)) or say("none")
    else:
        yield prefix, named(prefix, value) if isinstance(value, str) and value else _text(value)


def _text(value: Any) -> str:
    if value is None or value in ({}, ""):
        return say(ABSENT)
    if isinstance(value, bool):
        return say("on") if value else say("off")
    return f"{value:g}" if isinstance(value, float) else str(value)
