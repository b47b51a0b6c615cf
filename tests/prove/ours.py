"""The harness itself: a toggle in one process (`harness run`), by the verdict of its latency.

A decision of `harness gate`, between two revisions, has its place beside `decide_toggle`; `tools.TOOLS` then names it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from harness import store
from harness.results import Run
from tests.prove.decisions import Found, Outcome, Tool, Verdict
from tests.prove.processes import ToolFailedError, run

METHOD = "latency, margin 1 %"
SCENARIO, TOGGLE = "planted", "planted_work"
VERDICTS: Mapping[str, Verdict] = {
    "slower": "FAIL", "faster": "PASS", "no material difference": "PASS", "inconclusive": "undecided",
}  # fmt: skip
"""What a verdict of the harness says; any other is none about time."""


def decide_toggle(units: int, folder: Path) -> Outcome:
    """The verdict of `harness run` on a toggle that does so many units, where the arm without it does `UNITS`."""
    states = f"optimizations.{TOGGLE}={{after: {{units: {units}}}}}"
    run(("-m", "harness", "run", SCENARIO, "--out", "runs", "--set", states), folder)
    (written,) = (folder / "runs").glob(f"*/{store.RUN_FILE}")
    return outcome(store.load(written.parent))


def outcome(measured: Run) -> Outcome:
    """What a finished run says of the toggle. Raises ToolFailedError where it says nothing about its time."""
    (found,) = (c for c in measured.contrasts if (c.optimization, c.metric, c.stratum) == (TOGGLE, "latency", ""))
    if found.verdict not in VERDICTS or found.ratio is None:
        message = f"harness run: {found.verdict}: {found.reason}"
        raise ToolFailedError(message)
    low, high = (end and 100 * (end - 1) for end in (found.ratio_low, found.ratio_high))
    interval = "no interval" if low is None or high is None else f"{low:+.2f} to {high:+.2f} %"
    failed = (c.reason for c in measured.controls if c.metric == "latency" and not c.passed)
    return Outcome(
        found=(
            Found(
                method=METHOD,
                verdict=VERDICTS[found.verdict],
                log_ratio=math.log(found.ratio),
                note="; ".join(filter(None, (interval, found.reason, *failed))),
            ),
        ),
        measured_s=measured.timing["measured_s"]["cpu"],
    )


def toggle_tool() -> Tool:
    """Toggles in one process, as the scenario `planted` has it."""
    return Tool(
        name="harness-run",
        title="this harness, toggle in one process",
        how="`harness run planted --set optimizations.planted_work='{after: {units: N}}'` (budget and workers as the "
        "scenario says); FAIL where the verdict is `slower`, undecided where it is `inconclusive`",
        methods=(METHOD,),
        cpu_s=45.0,
        package="",
        decide=decide_toggle,
    )
