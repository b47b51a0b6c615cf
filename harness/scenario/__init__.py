"""A scenario: YAML text -> a frozen `Scenario`, with errors that name file, line and key path; JSON Schema out.

    scenario = load("seed-optimizations", ["measure.budget=30s"])     # a shipped name, or a path
    scenario.measure.budget_s, scenario.optimizations["resample_cache"].after
    Scenario.from_data(scenario.as_data()) == scenario                # as run.json keeps it

Layers, each importing those before it: `source` (YAML -> plain data and lines), `problems` (what was wrong -> one
error), `quantities`, `scalars`, `toggles`, `keys`, `target`, `requests`, `gating`, `models`, `loading`, `schema`, `docs`.
"""

from __future__ import annotations

from harness.scenario.loading import Overrides, load, parse, shipped
from harness.scenario.models import Measure, Scenario, Toggle
from harness.scenario.requests import Recording, Workload
from harness.scenario.schema import schema

__all__ = [
    "Measure", "Overrides", "Recording", "Scenario", "Toggle", "Workload",
    "load", "parse", "schema", "shipped",
]  # fmt: skip
