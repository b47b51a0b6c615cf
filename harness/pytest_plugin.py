"""The fixture `paired_benchmark` for any test suite (docs/pytest.md). Nothing is imported or done until a test asks for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from harness.paired_result import PairedResult

_PROPERTY = "paired_benchmark"
"""Results travel as a user property of the test's report: through pytest-xdist, and into JUnit XML."""
_INI = {
    "paired_margin": ("smallest change that matters to paired_benchmark", "1%"),
    "paired_budget": ("longest time that a paired_benchmark measures, start-up not counted", "10s"),
    "paired_workers": ("worker processes of a paired_benchmark, at least 6", "10"),
    "paired_time_limit": ("longest wait for one answer of a worker", "60s"),
    "paired_inconclusive": ("what becomes of a test that asserts what cannot be told: skip or fail", "skip"),
}
_PLAIN: Literal["plain"] = "plain"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and ini keys, all of them beginning with `paired`."""
    for key, (told, default) in _INI.items():
        parser.addini(key, told, default=default)
    group = parser.getgroup("paired", "paired benchmarks (tts-harness)")
    group.addoption(
        "--paired-budget", metavar="TIME", help="budget of every paired_benchmark, whatever tests and ini say"
    )
    group.addoption(
        "--paired-disable", action="store_true",
        help="call the functions of every paired_benchmark once, compare what they return, and measure nothing",
    )  # fmt: skip


class PairedBenchmark:
    """What the fixture gives: call it with two functions, as often as a test likes."""

    def __init__(self, config: pytest.Config, node: pytest.Item) -> None:
        self._config = config
        self._node = node
        self._count = 0

    def __call__(
        self, before: Callable[[], Any], after: Callable[[], Any], *, margin: str | None = None,
        budget: str | float | None = None, workers: int | None = None, time_limit: str | float | None = None,
        check: Callable[[Any, Any], object] | Literal["plain"] | None = _PLAIN, name: str | None = None,
    ) -> PairedResult:  # fmt: skip
        """Measure `after` against `before`, both called without arguments, and return the verdict.

        `check(output_before, output_after)` says whether outputs are the same; by default they are compared with == if both
        are plain data, and None compares nothing. Other arguments stand for the ini keys of their names. Raises UsageError
        for what cannot be read, WorkerError where a function raises, ends its process or hangs.
        """
        from harness import batches, pairing

        ini = self._config.getini
        settings = pairing.read(
            margin=_first(margin, ini("paired_margin")),
            budget=_first(self._config.getoption("--paired-budget"), budget, ini("paired_budget")),
            workers=_first(workers, ini("paired_workers")),
            time_limit=_first(time_limit, ini("paired_time_limit")),
            on_inconclusive=ini("paired_inconclusive"),
        )
        compare = batches.plain_equal if check == _PLAIN else check
        why, disabled = _not_here(), bool(self._config.getoption("--paired-disable"))
        told = self._name(name)
        if disabled or why:
            result = pairing.called_once(
                before, after, compare, settings, told, why="--paired-disable" if disabled else why, passes=disabled
            )
        else:
            result = pairing.measured(before, after, compare, settings, told)
        self._node.user_properties.append((_PROPERTY, json.dumps(result.as_data())))
        return result

    def _name(self, name: str | None) -> str:
        self._count += 1
        suffix = f" {name}" if name else f" #{self._count}" if self._count > 1 else ""
        return f"{self._node.nodeid}{suffix}"


@pytest.fixture
def paired_benchmark(request: pytest.FixtureRequest) -> PairedBenchmark:
    """The verdict on two functions, measured in worker processes that take turns (`PairedBenchmark`)."""
    return PairedBenchmark(request.config, request.node)


def _first(*values: Any) -> Any:
    """The first value that was given."""
    return next(value for value in values if value is not None)


def _not_here() -> str:
    """Why nothing can be measured in this process; "" where it can."""
    from harness.forked import can_fork

    if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
        return "pytest-xdist runs tests side by side, which disturbs times; use -n 0"
    return "" if can_fork() else "this system cannot fork processes"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A table of the session's paired benchmarks, if there are any."""
    found = [
        value for report in _reports(terminalreporter) for key, value in report.user_properties if key == _PROPERTY
    ]
    if not found:
        return
    from harness.paired_result import PairedResult, table

    terminalreporter.section("paired benchmarks")
    for line in table([PairedResult(**json.loads(str(value))) for value in found]):
        terminalreporter.write_line(line)


def _reports(reporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    """The report of each test's call; those of its set-up and teardown have the same properties."""
    for reports in reporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                yield report
