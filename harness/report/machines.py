"""On what a run was made, in a few words: machine, device, code. Run files are data, so that any part may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harness import units
from harness.report.visible import visible
from harness.report.words import mark, plural, say
from harness.results import Run

UNKNOWN = mark("not known")
_SHORT = 10


def machine(run: Run) -> str:
    """Processor, threads that may be used, and memory: "AMD EPYC 7763, 8 threads, 31.34 GiB"."""
    environment = run.environment
    threads = known(environment, "cpu", "usable") or known(environment, "cpu", "threads")
    memory = known(environment, "memory_bytes") or known(environment, "cpu", "memory_bytes")
    parts = (
        known(environment, "cpu", "model"),
        plural(threads, "{count} thread", "{count} threads", count=threads) if threads else None,
        units.size(memory) if isinstance(memory, int | float) else None,
    )
    return visible(say(", ").join(str(part) for part in parts if part)) or say(UNKNOWN)


def device(run: Run, name: str) -> str:
    """A device, and which card that was: "cuda:0, NVIDIA H200"."""
    card = known(run.environment, "devices", name, "gpu") or (
        known(run.environment, "gpu", "name") if name != "cpu" else None
    )
    return visible(say(", ").join((name, str(card))) if card else name)


def code(run: Run) -> str:
    """The commit that was measured; in a gate those of base and head."""
    revisions = known(run.environment, "revisions")
    if isinstance(revisions, Mapping) and run.plan.limits:
        sides = [commit(revisions.get(side)) for side in ("base", "head") if revisions.get(side)]
        return " \u2192 ".join(sides) or say(UNKNOWN)
    return commit(known(run.environment, "measured_git") or known(run.environment, "git"))


def commit(git: Any) -> str:
    """A commit in short, and whether it had uncommitted changes."""
    found = known(git, "commit") or known(git, "name")
    if not found:
        return say(UNKNOWN)
    short = str(found)[:_SHORT]
    return visible(say("{commit} with changes", commit=short) if known(git, "dirty") else short)


def moment(run: Run) -> datetime | None:
    """When a run began, in UTC; None where it does not say."""
    try:
        found = datetime.fromisoformat(str(run.timing.get("started", "")))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def day(run: Run) -> str:
    """The same as text, to the minute: "2026-11-24 13:40"."""
    found = moment(run)
    return say(UNKNOWN) if found is None else f"{found:%Y-%m-%d %H:%M}"


def known(data: Any, *keys: str) -> Any:
    """What stands below `keys`; None where there is nothing of the kind."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data
