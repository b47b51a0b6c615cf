"""A proof in progress: the folder that it lies in, and making one decision after the other."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.environment import environment
from harness.session import Progress
from harness.store import Journal, read_journal
from tests.prove.decisions import Decision, Job, Outcome, Tool
from tests.prove.jobs import expected_cpu_s, next_job
from tests.prove.processes import ToolFailedError
from tests.prove.table import render
from tests.prove.tools import versions

DECISIONS, TABLE = "decisions.jsonl", "table.md"
MAX_FAILURES = 3
"""After so many decisions in a row that a tool did not make, the proof stops: it is not going to."""
_DECISION = TypeAdapter(Decision)


def children_cpu_s() -> float:
    """Processor time of all processes that this one started and that have ended, in s."""
    times = os.times()
    return times.children_user + times.children_system


class Proof:
    """The decisions of a folder, those made before included. Each is written as it is made.

    `cpu_s` reads the processor time that decisions have taken.
    """

    def __init__(self, folder: Path, tools: Mapping[str, Tool], cpu_s: Callable[[], float] = children_cpu_s) -> None:
        self.folder = folder
        self._tools = tools
        self._cpu_s = cpu_s
        self._journal = Journal(folder, DECISIONS)
        self.decisions: list[Decision] = []
        self._beginnings: list[Mapping[str, Any]] = []
        for event in read_journal(folder, DECISIONS):
            self._note(event.pop("is"), event)

    def begin(self) -> None:
        """Record where the decisions that follow are made."""
        self._append("began", {"environment": environment(threads=1, seed=0), "versions": versions()})

    def decide(self, job: Job) -> Decision:
        """Make one decision, whatever comes of it."""
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        start_s, start_cpu_s = time.monotonic(), self._cpu_s()
        outcome, error = _outcome(self._tools[job.tool], job.units)
        decision = Decision(
            tool=job.tool, turn=job.turn, slow_down=job.slow_down, started=started, wall_s=time.monotonic() - start_s,
            cpu_s=self._cpu_s() - start_cpu_s, measured_s=outcome.measured_s, found=outcome.found, error=error,
        )  # fmt: skip
        self._append("decision", _DECISION.dump_python(decision, mode="json"))
        return decision

    def write_table(self) -> Path:
        """Write the table of all decisions; its path."""
        path = self.folder / TABLE
        path.write_text(render(self._tools.values(), self.decisions, self._beginnings), encoding="utf-8")
        return path

    def close(self) -> None:
        self._journal.close()

    def _append(self, kind: str, event: Mapping[str, Any]) -> None:
        self._journal.append(kind, event)
        self._note(kind, event)

    def _note(self, kind: str, event: Mapping[str, Any]) -> None:
        if kind == "decision":
            self.decisions.append(_DECISION.validate_python(event))
        else:
            self._beginnings.append(event)


def _outcome(tool: Tool, units: int) -> tuple[Outcome, str]:
    """What the tool found, and why it found nothing; the reason names no folder, because it is published."""
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        try:
            return tool.decide(units, Path(folder).resolve()), ""
        except ToolFailedError as failed:
            error = str(failed)
        except subprocess.TimeoutExpired as failed:
            error = f"no answer within {failed.timeout:g} s"
        except Exception as failed:  # noqa: BLE001  whatever a tool does with its files must not end the proof
            traceback.print_exc()
            error = type(failed).__name__
    return Outcome(found=(), measured_s=0.0), error


def prove(
    proof: Proof, tools: Mapping[str, Tool], slow_downs: Collection[int], limit_s: float, progress: Progress, *,
    most: int | None = None,
) -> None:  # fmt: skip
    """Make decisions of `tools` until these have taken `limit_s` of processor time or are `most`, earlier calls included.

    A decision that would take them beyond it is not begun. Raises ToolFailedError for a tool that makes none.
    """
    began = False
    failures: Counter[str] = Counter()
    while True:
        mine = [decision for decision in proof.decisions if decision.tool in tools]
        spent_s = sum(decision.cpu_s for decision in mine)
        job = next_job(list(tools), slow_downs, mine)
        tool = tools[job.tool]
        if spent_s + expected_cpu_s(job.tool, tool.cpu_s, mine) > limit_s or len(mine) == most:
            return
        if not began:
            proof.begin()
            began = True
        doing = f"decision {len(mine) + 1}: {tool.title}, {f'+{job.slow_down} %' if job.slow_down else 'identical'}"
        progress.update("prove", doing, spent_s / limit_s, limit_s - spent_s)
        error = proof.decide(job).error
        proof.write_table()
        failures[job.tool] = failures[job.tool] + 1 if error else 0
        if failures[job.tool] >= MAX_FAILURES:
            message = f"{tool.title} failed {MAX_FAILURES} times in a row, last with: {error}; see above, or use --only"
            raise ToolFailedError(message)
