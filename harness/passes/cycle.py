"""The requests of one cycle of the workload, arms that have processes of their own, and jobs that may run at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

from harness import workload
from harness.processes import started_at_once
from harness.scenario import Scenario
from harness.session import Session


def requests_of(session: Session) -> list[int]:
    """Indexes of the first requests of the workload, as many as it takes to meet every stratum."""
    return list(range(first_cycle(session.scenario)))


@lru_cache(maxsize=8)
def first_cycle(scenario: Scenario) -> int:
    """The smallest number of requests, from the first on, that has every stratum in it."""
    missing = set(workload.strata(scenario))
    count = 0
    while missing:
        missing.discard(workload.request(scenario, count).stratum)
        count += 1
    return count


def known_requests_of(session: Session) -> list[int]:
    """As `requests_of`, without those that bring a new speaker: what leaves no arm knowing more than it would."""
    scenario = session.scenario
    known = [index for index in requests_of(session) if not workload.is_new(workload.request(scenario, index))]
    return known or requests_of(session)


def alone(session: Session) -> list[str]:
    """Arms that have processes of their own: all but those of several toggles, unless these are all toggles."""
    roles = {arm.name: arm.role for arm in session.design.arms}
    several = "combination" if session.design.joint else ""
    return [arm for arm in session.arms(controls=False) if roles[arm] != several]


@contextmanager
def starters(session: Session, most: int) -> Iterator[ThreadPoolExecutor]:
    """Threads, `most` of them, that start workers. Where they are left by an error or an interruption, none is waited for that starts."""
    with ThreadPoolExecutor(most) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            session.stop()
            raise


def at_once(session: Session, jobs: Sequence[Callable[[], None]], most: int | None = None) -> None:
    """Run jobs that time nothing, `most` at a time: by default two on the CPU, where none disturbs another; one by one on a GPU."""
    with starters(session, most or started_at_once(session.device)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()
