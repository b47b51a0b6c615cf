"""pyperf: a run of each side in fresh processes, then its t-test (`compare_to`)."""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.adapters.planted import UNITS
from tests.prove.call import UNITS_VARIABLE
from tests.prove.decisions import Found, Outcome, Tool
from tests.prove.processes import CASES, ToolFailedError, run

if TYPE_CHECKING:
    import pyperf

METHOD = "t-test"
_CHANGE = re.compile(r": (?:[\d.]+x (slower|faster)|no change)$", re.MULTILINE)
_HIDDEN = "not significant"


def decide(processes: int, units: int, folder: Path) -> Outcome:
    """FAIL where `compare_to` finds a significant change, and the change is slower."""
    before, after = _time(processes, UNITS, folder, "before"), _time(processes, units, folder, "after")
    told = run(("-m", "pyperf", "compare_to", "before.json", "after.json"), folder).stdout
    return Outcome(
        found=(
            Found(
                method=METHOD,
                verdict="FAIL" if is_slower(told) else "PASS",
                log_ratio=math.log(after.mean() / before.mean()),
                note=f"{before.get_nvalue()} and {after.get_nvalue()} values of "
                f"{before.get_loops()} and {after.get_loops()} calls",
            ),
        ),
        measured_s=before.get_total_duration() + after.get_total_duration(),
    )


def is_slower(told: str) -> bool:
    """What `compare_to` says of a single benchmark. Raises ToolFailedError where it says something unknown."""
    change = _CHANGE.search(told)
    if change is None and _HIDDEN not in told:
        message = f"pyperf compare_to said: {told.strip()}"
        raise ToolFailedError(message)
    return change is not None and change[1] == "slower"


def _time(processes: int, units: int, folder: Path, name: str) -> pyperf.Benchmark:
    import pyperf

    script = str(CASES / "pyperf_case.py")
    options = ("--processes", str(processes), "--inherit-environ", UNITS_VARIABLE, "--output", f"{name}.json")
    run((script, *options), folder, units=units)
    return pyperf.BenchmarkSuite.load(str(folder / f"{name}.json")).get_benchmark("planted")


def tool(budget_s: int, processes: int) -> Tool:
    """Pyperf with so many processes for either side, which time calls for about `budget_s` in all."""
    return Tool(
        name=f"pyperf-{budget_s}s",
        title=f"pyperf, {budget_s} s",
        how=f"`Runner().bench_func` with `--processes {processes}` for either side, then `pyperf compare_to`; FAIL where it "
        "finds a significant change, and slower",
        methods=(METHOD,),
        cpu_s=4.0 * (processes + 1),
        package="pyperf",
        decide=partial(decide, processes),
    )
