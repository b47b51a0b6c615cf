"""What toggles of isolation "process" make of a worker: how the process of an arm is started, and how arms share processes.

Such a toggle is the runner's to apply, whatever the target is. It is left out of what a worker is told of its arms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.optimizations.registry import named, registry
from harness.optimizations.sites import BindContext, ProcessStart
from harness.toggling import State
from harness.worker.probes import Probe
from harness.worker.settings import reading

_CONTEXT = BindContext(device="", prompt_rate_hz=0, model_rate_hz=0, store_dir=Path(), model_fingerprint="")
"""There is no model yet, and no builder of such a toggle asks."""


def of_process(names: Iterable[str]) -> frozenset[str]:
    """Those of the toggles `names` that change their whole process."""
    known = registry()
    return frozenset(name for name in names if name in known and known[name].isolation == "process")


def process_states(states: Mapping[str, State]) -> dict[str, State]:
    """The states of those toggles alone: arms in which they are the same may share a process."""
    return {name: states[name] for name in sorted(of_process(states))}


def within_process(states: Mapping[str, State]) -> dict[str, State]:
    """The states of all others: what a worker is told of an arm."""
    return {name: state for name, state in states.items() if name not in of_process(states)}


def start_of(name: str, *, state: State) -> ProcessStart:
    """How the toggle `name` starts a process in `state`."""
    toggle = named(name)
    parameters = state if isinstance(state, Mapping) else {}
    start: ProcessStart = toggle.before(_CONTEXT) if state is False else toggle.after(_CONTEXT, **parameters)
    return start


def starts_of(states: Mapping[str, State]) -> list[ProcessStart]:
    """How the toggles in `states` start a process, in the order of their names."""
    return [start_of(name, state=state) for name, state in process_states(states).items()]


def options_of(states: Mapping[str, State]) -> frozenset[str]:
    """The adapter's options that the toggles in `states` set."""
    return frozenset(key for start in starts_of(states) for key in start.model)


def options_with(options: Mapping[str, Any], starts: Iterable[ProcessStart]) -> dict[str, Any]:
    """An adapter's options with those that processes are started with over them; of a mapping in both, key by key."""
    merged = dict(options)
    for start in starts:
        for name, value in start.model.items():
            known = merged.get(name)
            merged[name] = {**known, **value} if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged


def as_told(function: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A function of a worker and its arguments, as a job names it."""
    call, told = function
    return {"call": call, "told": dict(told)}


def probe_of(builder: Callable[..., ProcessStart]) -> Callable[..., Probe]:
    """The witness of such a toggle: in how many requests the process is as the toggle wants it."""

    def probe(**parameters: Any) -> Probe:
        start = builder(_CONTEXT, **parameters)
        if start.holds is None:
            message = "a process is started so that it can be seen: `holds` is missing"
            raise ValueError(message)
        return reading(as_told(start.holds))

    return probe


def as_it_starts(context: BindContext) -> ProcessStart:
    """Start the process as every other."""
    return ProcessStart()
