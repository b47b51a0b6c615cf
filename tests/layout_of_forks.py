"""What forked workers say of two copies of the same function: `python -m tests.layout_of_forks` prints the table.

Each pair is measured in a parent of its own, with and without copies made in each worker (`harness.twins`). Counted are the
intervals across workers that exclude that the two are equal, which they are. Times are processor time, so that other
processes on the machine count for less.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import mean, median, stdev
from typing import Any

from harness import batches, paired, pairing
from harness.batches import Batches
from harness.forked import ForkedWorker
from harness.worker.machine import CpuMachine

PAIRS, BUDGET_S, WORKERS = 20, 4.0, 10
NEVER = 1e-5
"""A margin so small that nothing is decided, and every pair measured for the whole budget."""
CODE = "def work():\n    total = 0\n    for i in range(500):\n        total += i * i % 7\n    return total\n"


class OwnTime(CpuMachine):
    """A machine whose clock is the processor time of this process."""

    def clock_ns(self) -> int:
        return time.process_time_ns()


def one(*, copied: bool, place: int) -> dict[str, float]:
    """The log-ratio of a second copy to a first, and the ends of its interval."""
    first, second = (_made() for _ in range(2))
    if not copied:
        vars(batches)["twin"] = lambda function, *_: function
    settings = pairing.read(margin="1%", budget=BUDGET_S, time_limit=60, workers=WORKERS, on_inconclusive="skip")
    workers = [
        ForkedWorker(partial(Batches, first, second, check=None, place=place + index, machine=OwnTime()))
        for index in range(WORKERS)
    ]
    found = paired.measure([pairing._Worker(worker, settings) for worker in workers], margin=NEVER, budget_s=BUDGET_S)
    for worker in workers:
        worker.end()
    return {"ratio": found.ratio, "low": found.ratio_low or math.nan, "high": found.ratio_high or math.nan}


def _made() -> Callable[[], object]:
    names: dict[str, Any] = {}
    exec(CODE, names)  # noqa: S102  a second copy of the same source is what is asked about
    made: Callable[[], object] = names["work"]
    return made


def _told(copied: str) -> str:
    found = []
    for pair in range(PAIRS):
        command = [sys.executable, "-m", "tests.layout_of_forks", copied, str(1000 * pair)]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    changes = [100 * (item["ratio"] - 1) for item in found]
    halves = [50 * (item["high"] - item["low"]) for item in found]
    excluded = sum(not item["low"] <= 1 <= item["high"] for item in found)
    return (
        f"| {copied} | {mean(changes):+.2f} ± {stdev(changes) / math.sqrt(PAIRS):.2f} % | {stdev(changes):.2f} % | "
        f"{median(halves):.2f} % | {excluded} of {PAIRS} |"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(copied=sys.argv[1] == "yes", place=int(sys.argv[2]))))  # noqa: T201
    else:
        print("| copied | mean change, ± its error | SD of changes | half an interval | excludes equal |")  # noqa: T201
        print("|---|---|---|---|---|")  # noqa: T201
        for copies in ("no", "yes"):
            print(_told(copies), flush=True)  # noqa: T201
