"""pytest-benchmark: save a run, run again, `--benchmark-compare-fail`."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

from harness.adapters.planted import UNITS
from tests.prove.decisions import Found, Outcome, Tool
from tests.prove.processes import CASES, ToolFailedError, run

STATISTICS = ("mean", "median", "min")
LIMITS = tuple(f"{statistic}:2%" for statistic in STATISTICS)
_FAILED = 1


def decide(budget_s: float, units: int, folder: Path) -> Outcome:
    """Half of the budget for either side; one pair of runs is judged by all three statistics.

    The limits are given in one `--benchmark-compare-fail`, because of several only the last counts. Its exit code says
    whether any was passed; which, the plugin's own checks say of the same figures.
    """
    from pytest_benchmark.utils import parse_compare_fail

    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    before, _ = _time(budget_s / 2, UNITS, folder, "before")
    compare = ("--benchmark-compare=0001", "--benchmark-compare-fail", *LIMITS)
    after, code = _time(budget_s / 2, units, folder, "after", *compare)
    fails = {limit: bool(parse_compare_fail(limit).fails(after, before)) for limit in LIMITS}
    if any(fails.values()) != (code == _FAILED):
        message = f"pytest-benchmark ended with exit code {code}, and its checks say {fails}"
        raise ToolFailedError(message)
    return Outcome(
        found=tuple(
            Found(
                method=limit,
                verdict="FAIL" if fails[limit] else "PASS",
                log_ratio=math.log(after[statistic] / before[statistic]),
                note=f"{before['rounds']} and {after['rounds']} rounds",
            )
            for statistic, limit in zip(STATISTICS, LIMITS, strict=True)
        ),
        measured_s=before["total"] + after["total"],
    )


def _time(seconds: float, units: int, folder: Path, name: str, *more: str) -> tuple[dict[str, Any], int]:
    """The statistics of one run, and the exit code."""
    case = str(CASES / "pytest_case.py")
    # as in a project of its own: with neither settings nor fixtures of this one
    apart = ("-c", "pytest.ini", "--rootdir", str(folder), "--noconftest", "-p", "no:cacheprovider")
    saving = ("--benchmark-storage=file://saved", f"--benchmark-save={name}", f"--benchmark-json={name}.json")
    arguments = ("-m", "pytest", case, *apart, *saving, f"--benchmark-max-time={seconds}", *more)
    done = run(arguments, folder, units=units, accepted=(0, _FAILED) if more else (0,))
    stats: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["benchmarks"][0]["stats"]
    return stats, done.returncode


def tool(budget_s: int) -> Tool:
    """pytest-benchmark with so many seconds for both sides."""
    return Tool(
        name=f"pytest-benchmark-{budget_s}s",
        title=f"pytest-benchmark, {budget_s} s",
        how=f"`pytest --benchmark-max-time={budget_s / 2:g} --benchmark-save=before`, then the same with "
        f"`--benchmark-compare=0001 --benchmark-compare-fail {' '.join(LIMITS)}`; FAIL where the limit is passed",
        methods=LIMITS,
        cpu_s=budget_s + 6.0,
        package="pytest-benchmark",
        decide=partial(decide, float(budget_s)),
    )
