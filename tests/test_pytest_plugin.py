"""The fixture as another project's suite sees it: each test here runs pytest in a process of its own."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
TWICE = """
def work(times):
    return sum(number * number for number in range(times))

def once():
    return work(500)

def twice():
    work(500)
    return work(500)
"""
BY_PROCESSOR_TIME = """
import time
import pytest

@pytest.fixture(autouse=True)
def clock(monkeypatch):
    from harness.worker.machine import CpuMachine
    monkeypatch.setattr(CpuMachine, "clock_ns", lambda self: time.process_time_ns())
"""
"""A conftest under which what is really measured does not depend on what else the machine does."""
Suite = Callable[..., pytest.RunResult]


@pytest.fixture
def suite(pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Run pytest on one file of tests, with the package's plug-in registered as it is when installed."""
    (declared,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"].items()
    info = tmp_path / "installed" / "plug_in_of_tts_harness-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-in-of-tts-harness\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[pytest11]\n{} = {}\n".format(*declared))
    paths = (str(ROOT), str(info.parent), *filter(None, [os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess(
            "-W", "error", "--strict-markers", "--strict-config", *arguments, timeout=300
        )

    return run


def told(result: pytest.RunResult) -> str:
    return result.stdout.str().replace("\u202f", " ")


def test_a_suite_that_does_not_use_it_notices_nothing(suite: Suite) -> None:
    result = suite(
        """
        import sys

        def test_nothing_heavy_is_imported(benchmark):
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not {"numpy", "scipy", "pandas", "torch", "pydantic", "multiprocessing"} & loaded
            assert [name for name in sys.modules if name.startswith("harness.")] == ["harness.pytest_plugin"]
            benchmark(list)
        """,
        "--benchmark-disable",
    )
    result.assert_outcomes(passed=1)
    assert "paired" not in told(result)


def test_it_can_be_blocked(suite: Suite) -> None:
    result = suite("def test(paired_benchmark): pass", "-p", "no:paired_benchmark")
    result.assert_outcomes(errors=1)


def test_a_function_that_works_twice_is_slower_and_fails_the_assertion(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(BY_PROCESSOR_TIME)
    result = suite(
        TWICE
        + """
def test_slower(paired_benchmark):
    result = paired_benchmark(once, twice, margin="30%", budget="10s")
    assert result.verdict == "slower", result
    assert result.calibrated
    assert result.same_output
    assert result.ratio_low < result.ratio < result.ratio_high
    assert (result.workers, result.blocks >= 6) == (6, True)
    result.assert_not_slower()
""",
        "-o", "paired_workers=6", "--junitxml", "junit.xml",
    )  # fmt: skip
    result.assert_outcomes(failed=1)
    text = told(result)
    assert re.search(r"paired benchmark: .*slower; .*% interval .*, margin 30 %", text)
    assert "paired benchmarks ==" in text
    assert re.search(r"^slower .*30 %.*::test_slower$", text, re.MULTILINE)


def test_outputs_that_differ_fail_before_anything_is_timed(suite: Suite) -> None:
    result = suite(
        """
        def test_changed(paired_benchmark):
            result = paired_benchmark(lambda: 1, lambda: 2)
            assert result.verdict == "output changed"
            assert result.ratio is None
            result.assert_not_slower()

        def test_checked(paired_benchmark):
            assert paired_benchmark(lambda: 1, lambda: 2, check=lambda a, b: a > b).verdict == "output changed"
        """
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "before returned 1, after 2" in told(result)


def test_turned_off_it_calls_each_function_once_and_compares_outputs(suite: Suite) -> None:
    result = suite(
        """
        calls = []

        def test_same(paired_benchmark):
            result = paired_benchmark(lambda: calls.append("before"), lambda: calls.append("after"))
            assert calls == ["before", "after"]
            assert not result.measured
            result.assert_not_slower()
            result.assert_faster()

        def test_changed(paired_benchmark):
            paired_benchmark(lambda: 1, lambda: 2).assert_not_slower()
        """,
        "--paired-disable",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert "not measured: --paired-disable" in told(result)


def test_beside_other_tests_of_xdist_it_measures_nothing_and_claims_nothing(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
    source = "def test(paired_benchmark): paired_benchmark(list, list).assert_not_slower()"
    result = suite(source)
    result.assert_outcomes(skipped=1)
    assert "pytest-xdist" in told(result)


def test_what_cannot_be_read_is_told_with_what_is_allowed(suite: Suite) -> None:
    result = suite(
        """
        import pytest
        from harness.errors import UsageError

        @pytest.mark.parametrize(("arguments", "message"), [
            ({"margin": 0.01}, "a percentage is written with its sign"),
            ({"margin": "0%"}, "a margin is more than 0%"),
            ({"budget": "soon"}, "a duration is written"),
            ({"workers": 2}, "needs at least 6"),
        ])
        def test_argument(paired_benchmark, arguments, message):
            with pytest.raises(UsageError, match=message):
                paired_benchmark(list, list, **arguments)

        async def later():
            pass

        def test_function(paired_benchmark):
            with pytest.raises(UsageError, match="asyncio.run"):
                paired_benchmark(list, later)
        """
    )
    result.assert_outcomes(passed=5)


def test_a_function_that_raises_or_hangs_ends_in_a_clear_error(suite: Suite) -> None:
    result = suite(
        """
        import threading

        def test_raises(paired_benchmark):
            paired_benchmark(list, lambda: 1 / 0)

        def test_hangs(paired_benchmark):
            paired_benchmark(threading.Event().wait, list, time_limit="500ms")
        """,
        "-o", "paired_workers=6",
    )  # fmt: skip
    result.assert_outcomes(failed=2)
    assert "ZeroDivisionError" in told(result)
    assert "OMP_NUM_THREADS=1" in told(result)


def test_the_quick_start_works_as_it_is_written(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(BY_PROCESSOR_TIME)
    (source,) = re.findall(r"```python\n(.*?)```", DOCUMENT.partition("## What")[0], re.DOTALL)
    result = suite(source, "--paired-budget", "4s")
    outcomes = result.parseoutcomes()
    assert sum(outcomes.get(outcome, 0) for outcome in ("passed", "skipped")) == 2, told(result)
    assert "paired benchmarks ==" in told(result)


def test_the_document_names_every_option_and_key(suite: Suite) -> None:
    text = told(suite("", "--help"))
    for name in set(re.findall(r"--paired-\w+|\bpaired_(?:margin|budget|workers|time_limit|inconclusive)\b", text)):
        assert f"`{name}" in DOCUMENT, name
