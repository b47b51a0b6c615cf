"""asv: a run of each side under the name of a commit, then `asv compare` with a factor."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.adapters.planted import UNITS
from tests.prove import revisions
from tests.prove.decisions import Found, Outcome, Tool
from tests.prove.processes import CASES, ROOT, run

FACTORS = ("1.1", "1.02")
"""asv's own, and one that is as fine as the limits of the others."""
_MACHINE = "here"
_WORSE = re.compile(r"^\| \+ ", re.MULTILINE)
_ROUNDS = 2
"""asv's own number of processes for either side."""


def decide(repeat_s: float, units: int, folder: Path) -> Outcome:
    """Either side is timed in `_ROUNDS` processes for `repeat_s` each; one pair of runs is judged by all factors.

    The installed Python is measured as it is, and what it measured is saved under the names of two commits of an empty
    repository. FAIL where `asv compare` marks the benchmark as worse, which is when `asv continuous` would fail.
    """
    commits = revisions.commit(folder / "repository", {}, {})
    (folder / "asv.conf.json").write_text(json.dumps(_configuration(folder)), encoding="utf-8")
    _asv(folder, "machine", "--yes", "--machine", _MACHINE)
    results = [_time(repeat_s, *side, folder) for side in zip((UNITS, units), commits, strict=True)]
    (before, before_s), (after, after_s) = results
    return Outcome(
        found=tuple(
            Found(
                method=f"factor {factor}",
                verdict="FAIL" if _is_worse(factor, commits, folder) else "PASS",
                log_ratio=math.log(after / before),
            )
            for factor in FACTORS
        ),
        measured_s=before_s + after_s,
    )


def _configuration(folder: Path) -> dict[str, Any]:
    places = {f"{name}_dir": str(folder / name) for name in ("env", "results", "html")}
    return {
        "version": 1, "project": "planted", "repo": str(folder / "repository"), "branches": ["main"],
        "environment_type": "existing", "benchmark_dir": str(CASES / "asv_suite"), **places,
    }  # fmt: skip


def _asv(folder: Path, *arguments: str, units: int | None = None) -> str:
    """Run asv. It hands `ASV_PYTHONPATH` to benchmarks instead of `PYTHONPATH`, and keeps notes in the home folder."""
    environment = {"ASV_PYTHONPATH": str(ROOT), "HOME": str(folder), "USERPROFILE": str(folder)}
    return run(("-m", "asv", *arguments), folder, units=units, environment=environment).stdout


def _time(repeat_s: float, units: int, commit: str, folder: Path) -> tuple[float, float]:
    """The median that asv saved for the commit, in s, and for how long it timed calls."""
    environment = ("--environment", f"existing:{sys.executable}", "--set-commit-hash", commit, "--machine", _MACHINE)
    attributes = ("--attribute", f"rounds={_ROUNDS}", "--attribute", f"repeat=(1, 100000, {repeat_s})")
    _asv(folder, "run", *environment, *attributes, units=units)
    (file,) = (folder / "results" / _MACHINE).glob(f"{commit[:8]}-*.json")
    saved = json.loads(file.read_text(encoding="utf-8"))
    ((values),) = saved["results"].values()
    row = dict(zip(saved["result_columns"], values, strict=False))
    median_s = float(row["result"][0])
    return median_s, median_s * row["stats_repeat"][0] * row["stats_number"][0]


def _is_worse(factor: str, commits: Sequence[str], folder: Path) -> bool:
    table = _asv(folder, "compare", "--factor", factor, "--machine", _MACHINE, *commits)
    return _WORSE.search(table) is not None


def tool(budget_s: int, repeat_s: float) -> Tool:
    """Asv with so long for the repetitions in each process, which makes about `budget_s` in all."""
    return Tool(
        name=f"asv-{budget_s}s",
        title=f"asv, {budget_s} s",
        how=f"`asv run --environment existing --set-commit-hash` with `rounds={_ROUNDS}` and at most {repeat_s:g} s of "
        "repetitions in each, for either side, then `asv compare --factor`; FAIL where it marks the benchmark with +",
        methods=tuple(f"factor {factor}" for factor in FACTORS),
        cpu_s=budget_s + 12.0,
        package="asv",
        decide=partial(decide, repeat_s),
    )
