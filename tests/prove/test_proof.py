"""Making decisions within a time, and going on with them: on a clock of its own, with a tool that takes what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Quiet
from tests.prove.decisions import SLOW_DOWNS, Found, Outcome, Tool
from tests.prove.processes import ToolFailedError
from tests.prove.proof import DECISIONS, TABLE, Proof, prove


class Bench:
    """Two tools, each of whose decisions takes ten seconds of a clock; what they were asked is kept."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.asked: list[tuple[str, int]] = []
        self.faults: dict[str, BaseException] = {}
        self.tools: Mapping[str, Tool] = {name: self._tool(name) for name in ("one", "two")}

    def _tool(self, name: str) -> Tool:
        def decide(units: int, folder: Path) -> Outcome:
            assert folder.is_absolute()
            assert not list(folder.iterdir())
            self.asked.append((name, units))
            if fault := self.faults.get(name):
                raise fault
            self.cpu_s += 10.0
            return Outcome(found=(Found(method="any", verdict="PASS", log_ratio=0.0),), measured_s=1.0)

        return Tool(name=name, title=name, how="made up", methods=("any",), cpu_s=10.0, package="", decide=decide)

    def prove(self, folder: Path, limit_s: float, *, only: str | None = None, most: int | None = None) -> Proof:
        """Make decisions until the limit, as a new call of the driver would; `only` chooses a tool."""
        proof = Proof(folder, self.tools, lambda: self.cpu_s)
        tools = {name: tool for name, tool in self.tools.items() if only in (None, name)}
        try:
            prove(proof, tools, SLOW_DOWNS, limit_s, Quiet(), most=most)
        finally:
            proof.write_table()
            proof.close()
        return proof


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_no_decision_is_begun_that_would_go_beyond_the_time(bench: Bench, tmp_path: Path) -> None:
    proof = bench.prove(tmp_path, 45.0)
    assert len(proof.decisions) == 4
    assert {decision.cpu_s for decision in proof.decisions} == {10.0}
    assert "Decisions: 4, made in 0.7 CPU minutes" in (tmp_path / TABLE).read_text(encoding="utf-8")


def test_it_ends_with_as_many_as_were_asked_for(bench: Bench, tmp_path: Path) -> None:
    assert len(bench.prove(tmp_path, 1000.0, most=3).decisions) == 3
    assert len(bench.prove(tmp_path, 1000.0, most=5).decisions) == 5, "those of the earlier call included"


def test_in_less_time_than_one_takes_none_is_made(bench: Bench, tmp_path: Path) -> None:
    assert bench.prove(tmp_path, 5.0).decisions == []
    assert (tmp_path / TABLE).exists()


def test_a_proof_in_two_parts_is_the_same_as_one_in_one(bench: Bench, tmp_path: Path) -> None:
    bench.prove(tmp_path / "parts", 50.0)
    assert len(bench.prove(tmp_path / "parts", 50.0).decisions) == 5, "the time is spent already"
    parts = bench.prove(tmp_path / "parts", 90.0)
    whole = bench.prove(tmp_path / "whole", 90.0)
    assert len(parts.decisions) == 9
    assert bench.asked[:9] == bench.asked[9:]
    assert [(d.tool, d.turn, d.slow_down) for d in parts.decisions] == [
        (d.tool, d.turn, d.slow_down) for d in whole.decisions
    ]


def test_a_kill_while_a_line_is_written_loses_that_decision_alone(bench: Bench, tmp_path: Path) -> None:
    bench.prove(tmp_path, 30.0)
    path = tmp_path / DECISIONS
    path.write_bytes(path.read_bytes()[:-20])
    again = bench.prove(tmp_path, 30.0)
    assert len(again.decisions) == 3
    assert bench.asked[2] == bench.asked[3]


def test_an_interrupt_keeps_what_was_made(bench: Bench, tmp_path: Path) -> None:
    bench.prove(tmp_path, 20.0)
    bench.faults = {"one": KeyboardInterrupt(), "two": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        bench.prove(tmp_path, 60.0)
    bench.faults = {}
    assert len(bench.prove(tmp_path, 60.0).decisions) == 6
    assert bench.asked[2] == bench.asked[3]


def test_the_time_of_tools_that_were_not_asked_for_does_not_count(bench: Bench, tmp_path: Path) -> None:
    bench.prove(tmp_path, 20.0, only="one")
    proof = bench.prove(tmp_path, 30.0, only="two")
    assert [decision.tool for decision in proof.decisions] == ["one"] * 2 + ["two"] * 3


def test_a_tool_that_gives_no_answer_is_told_and_at_last_ends_the_proof(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.faults = {"two": ValueError("no such thing in /a/folder")}
    with pytest.raises(ToolFailedError, match="two failed 3 times in a row, last with: ValueError"):
        bench.prove(tmp_path, 1000.0)
    assert sum(name == "two" for name, _ in bench.asked) == 3
    assert "no such thing" in capsys.readouterr().err
    table = (tmp_path / TABLE).read_text(encoding="utf-8")
    assert "two: 3 not made: ValueError." in table
    assert "/a/folder" not in table + (tmp_path / DECISIONS).read_text(encoding="utf-8")
