"""Which decision comes next: an endless list that is the same for whoever makes it, so that a proof can go on.

In each turn every tool makes one decision, in random order; in four turns in a row it meets every slow-down once. So the
first minutes already show every tool, and no tool has its identical arms at other times of day than its slow ones.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import count

from tests.prove.decisions import SLOW_DOWNS, Decision, Job


def jobs(tools: Sequence[str]) -> Iterator[Job]:
    """All jobs, without end. A tool's own do not depend on which others there are."""
    for turn in count():
        order = list(tools)
        _random(f"turn {turn}").shuffle(order)
        for tool in order:
            yield Job(tool=tool, turn=turn, slow_down=_slow_down(tool, turn))


def _slow_down(tool: str, turn: int) -> int:
    rounds, place = divmod(turn, len(SLOW_DOWNS))
    return _random(f"{tool} {rounds}").sample(SLOW_DOWNS, len(SLOW_DOWNS))[place]


def _random(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311  order, not secrets


def next_job(tools: Sequence[str], slow_downs: Collection[int], done: Collection[Decision]) -> Job:
    """The first job, of those with one of `slow_downs`, that was not done."""
    made = {(decision.tool, decision.turn) for decision in done}
    return next(job for job in jobs(tools) if job.slow_down in slow_downs and (job.tool, job.turn) not in made)


def expected_cpu_s(tool: str, usual_s: float, done: Collection[Decision]) -> float:
    """Processor time that a decision may take: the most that one of this tool has; what is usual before there was one."""
    return max((decision.cpu_s for decision in done if decision.tool == tool), default=usual_s)
