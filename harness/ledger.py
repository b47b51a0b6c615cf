"""What a run has measured so far on one device: kept while measuring, and rebuilt from the journal on resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.designs import PROCESS


@dataclass(slots=True)
class Ledger:
    """Counts and sets that decide what is still to do. `note` is given every event, live or read from a journal."""

    device: str
    workers: int = 0
    blocks: int = 0
    spent_s: float = 0.0
    apart_s: float = 0.0
    init_s: float = 0.0
    latency_workers: int = 0
    decided: frozenset[str] = frozenset()
    calibrated: bool = False
    passed: frozenset[str] = frozenset()
    failed: set[str | None] = field(default_factory=set)
    deaths: Counter[str | None] = field(default_factory=Counter)
    examined: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    again: dict[str, list[list[Mapping[str, Any]]]] = field(default_factory=dict)
    from_tokens: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    graded: bool = False
    not_applicable: frozenset[str] = frozenset()
    memory: set[tuple[str, int]] = field(default_factory=set)
    shared_memory: set[tuple[str, int]] = field(default_factory=set)
    firsts: set[tuple[str, int]] = field(default_factory=set)
    batches: int = 0
    places: Counter[str] = field(default_factory=Counter)
    broken_places: set[str] = field(default_factory=set)

    @property
    def shared_s(self) -> float:
        """Seconds of measuring arms that share a process; `apart_s` are those of arms that do not."""
        return self.spent_s - self.apart_s

    def note(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take account of one journal event; those of other devices are passed over."""
        if event.get("device") != self.device:
            return
        match kind:
            case "worker":
                self.workers = max(self.workers, event["worker"] + 1)
                self.not_applicable = frozenset(event["not_applicable"])
                self.deaths.pop(None, None)  # one that lives to be ready: those before it died of something else
            case "block" if event["pass_"] == "memory":
                done = self.shared_memory if event["group"] else self.memory
                done |= {(trial["arm"], event["block"]) for trial in event["trials"]}
            case "block" if event["pass_"] == "first":
                self.firsts |= {(trial["arm"], event["block"]) for trial in event["trials"]}
            case "block" if event["pass_"] == "micro":
                self.batches = max(self.batches, event["block"] + 1)
            case "block" if event["phase"] == "timed":
                self._note_timed(event)
            case "failure":
                self.deaths[event["arm"]] += 1
                if event["final"]:
                    self.failed.add(event["arm"])
            case _:
                self._note_done(kind, event)

    def _note_done(self, kind: str, event: Mapping[str, Any]) -> None:
        match kind:
            case "latency_worker":
                self.latency_workers += 1
            case "look":
                self.decided |= frozenset(event["decided"])
                self.calibrated = event["calibrated"]
                self.passed = frozenset(event.get("passed", ()))
            case "examined":
                self.examined[event["arm"]] = event["outputs"]
            case "again":
                self.again.setdefault(event["arm"], []).append(event["outputs"])
            case "from tokens":
                self.from_tokens[event["arm"]] = event["outputs"]
            case "place":
                self.places[event["optimization"]] += 1
            case "broken place":
                self.broken_places.add(event["optimization"])
            case "graded":
                self.graded = True

    def _note_timed(self, event: Mapping[str, Any]) -> None:
        self.blocks = max(self.blocks, event["block"] + 1)
        self.spent_s += event["wall_s"]
        if event["group"] == PROCESS:
            self.apart_s += event["wall_s"]
        if event["kind"] == "init":
            self.init_s += event["wall_s"]
