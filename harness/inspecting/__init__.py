"""What can be said of a CosyVoice by reading it: where toggles apply, and what else costs time. Nothing of it is run.

path -> source.read (files parsed once) -> roles (which class is what) -> rules + recognition -> Inspection
Inspection -> table | as_json | proposal (a scenario for the adapter `checkout`)
"""

from __future__ import annotations

from pathlib import Path

from harness.inspecting import recognition, roles, source
from harness.inspecting.findings import Answer, Evidence, Fact, Finding, Inspection, Place, Unread
from harness.inspecting.rules import RULES

__all__ = ["RULES", "Answer", "Evidence", "Fact", "Finding", "Inspection", "Place", "Unread", "inspect"]


def inspect(path: Path) -> Inspection:
    """Read the CosyVoice at or below `path`, in any layout. Raises UsageError where there is none."""
    tree = source.read(roles.existing(path))
    roles.require(tree, path)
    own = tree.below(roles.home(tree))
    return Inspection(
        path=str(path),
        files=len(tree.modules),
        facts=tuple(recognition.facts(tree, own)),
        findings=tuple(rule.judge(tree if rule.kind == "toggle" else own) for rule in RULES),
        unread=tuple(tree.unread),
    )
