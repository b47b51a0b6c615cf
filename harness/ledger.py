"""What a run has measured so far on one device: kept while measuring, and rebuilt from the journal on resume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Ledger:
    """Counts and sets that decide what is still to do. `note` is given every event, live or read from a journal."""

    device: str
    workers: int = 0
    blocks: int = 0
    spent_s: float = 0.0
    latency_workers: int = 0
    failed: set[str | None] = field(default_factory=set)
    deaths: Counter[str | None] = field(default_factory=Counter)
    outputs: set[str] = field(default_factory=set)
    witnesses: set[str] = field(default_factory=set)
    memory: set[tuple[str, int]] = field(default_factory=set)

    def note(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take account of one journal event; those of other devices are passed over."""
        if event.get("device") != self.device:
            return
        match kind:
            case "worker":
                self.workers = max(self.workers, event["worker"] + 1)
            case "block" if event["pass_"] == "memory":
                self.memory |= {(trial["arm"], event["block"]) for trial in event["trials"]}
            case "block" if event["phase"] == "timed":
                self.blocks = max(self.blocks, event["block"] + 1)
                self.spent_s += event["wall_s"]
            case "latency_worker":
                self.latency_workers += 1
            case "failure":
                self.deaths[event["arm"]] += 1
                if event["final"]:
                    self.failed.add(event["arm"])
            case "equivalence_done":
                self.outputs.add(event["request"])
            case "witness":
                self.witnesses.add(event["arm"])
