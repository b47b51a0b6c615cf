"""Which decision comes next."""

from __future__ import annotations

from itertools import islice

from tests.prove.decisions import SLOW_DOWNS, Decision, Job
from tests.prove.jobs import expected_cpu_s, jobs, next_job

TOOLS = ("one", "two", "three")


def made(job: Job, cpu_s: float = 1.0) -> Decision:
    return Decision(
        tool=job.tool, turn=job.turn, slow_down=job.slow_down, started="2026-11-01T00:00:00Z", wall_s=1.0, cpu_s=cpu_s
    )


def turns(count: int, tools: tuple[str, ...] = TOOLS) -> list[list[Job]]:
    """The jobs of the first turns, a list for each."""
    found = list(islice(jobs(tools), count * len(tools)))
    return [found[start : start + len(tools)] for start in range(0, len(found), len(tools))]


def test_every_turn_has_every_tool_and_not_always_in_the_same_order() -> None:
    found = turns(20)
    assert all(sorted(job.tool for job in turn) == sorted(TOOLS) for turn in found)
    assert len({tuple(job.tool for job in turn) for turn in found}) > 1


def test_in_four_turns_each_tool_meets_each_slow_down_once_in_an_order_of_its_own() -> None:
    found = turns(8)
    for tool in TOOLS:
        own = [job.slow_down for turn in found for job in turn if job.tool == tool]
        assert sorted(own[:4]) == sorted(own[4:]) == sorted(SLOW_DOWNS)
    orders = {tuple(job.slow_down for turn in turns(40) for job in turn if job.tool == tool) for tool in TOOLS}
    assert len(orders) == len(TOOLS)


def test_the_list_is_the_same_each_time_and_a_tool_keeps_its_jobs_in_other_company() -> None:
    assert turns(8) == turns(8)
    alone = [job for turn in turns(8, ("two",)) for job in turn]
    assert alone == [job for turn in turns(8) for job in turn if job.tool == "two"]


def test_the_next_job_is_the_first_that_was_not_done() -> None:
    order = list(islice(jobs(TOOLS), 9))
    assert next_job(TOOLS, SLOW_DOWNS, []) == order[0]
    assert next_job(TOOLS, SLOW_DOWNS, [made(job) for job in order[:4]]) == order[4]
    assert next_job(TOOLS, SLOW_DOWNS, [made(job) for job in (*order[:2], *order[3:])]) == order[2]


def test_some_slow_downs_alone_can_be_asked_for() -> None:
    done: list[Decision] = []
    for _ in range(12):
        done.append(made(next_job(TOOLS, (0, 5), done)))
    assert {decision.slow_down for decision in done} == {0, 5}
    assert len({(decision.tool, decision.turn) for decision in done}) == 12


def test_a_decision_may_take_the_most_that_one_of_its_tool_has() -> None:
    one, other, *_ = (job for job in islice(jobs(TOOLS), 9) if job.tool == "one")
    done = [made(one, cpu_s=7.0), made(other, cpu_s=5.0)]
    assert expected_cpu_s("one", 3.0, done) == 7.0
    assert expected_cpu_s("two", 3.0, done) == 3.0
