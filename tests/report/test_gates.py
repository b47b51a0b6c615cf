"""What a gate writes: each output is read back, and no name can break out of its place."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import fields, replace

import pytest
from rich.console import Console

from harness.gate import Decision, Line, decide, not_measured
from harness.report import gates
from harness.results import Finding
from tests.report import sample_gates

DECISIONS = sample_gates.decisions()
UNMEASURED = not_measured(
    scenario="nightly", base="main", head="HEAD", command="harness gate nightly", reason="main does not build"
)
EVERY = {**DECISIONS, "hostile": sample_gates.hostile(), "unmeasured": UNMEASURED}


def each(*names: str) -> pytest.MarkDecorator:
    chosen = names or tuple(EVERY)
    return pytest.mark.parametrize("decision", [EVERY[name] for name in chosen], ids=chosen)


def printed(decision: Decision) -> str:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(gates.terminal(decision))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_sentence_says_the_outcome_its_figures_and_the_stage() -> None:
    assert gates.data(DECISIONS["regressed"])["sentence"] == (
        "Regressed: latency with no optimization on cuda:0 is 6.1\u202f% slower (5.2 to 7.0\u202f%, limit 2.0\u202f%), most in "
        "stage llm (+18.0\u202fms, 74\u202f% of the change). Failed to measure: latency with all optimizations on cuda:0, out of "
        "memory."
    )
    assert gates.data(DECISIONS["pass"])["sentence"] == "Pass: all 3 limits are held."
    assert gates.data(DECISIONS["inconclusive"])["sentence"].startswith(
        "Inconclusive: of 1 of 3 limits it cannot be told "
    )
    assert gates.data(DECISIONS["improved"])["sentence"].endswith("; the other 2 limits are held.")
    assert gates.data(UNMEASURED)["sentence"] == "Failed to measure: main does not build."


@each()
def test_every_output_says_the_outcome_first(decision: Decision) -> None:
    word = gates.data(decision)["sentence"].partition(":")[0]
    assert gates.markdown(decision).splitlines()[2].partition("**:")[0].endswith(f"**{word}")
    assert printed(decision).startswith(f"{word}:")


@each()
def test_markdown_cannot_be_broken_out_of(decision: Decision) -> None:
    text = gates.markdown(decision)
    running = [line for line in text.splitlines() if not line.startswith("    ")]  # indented lines are literal
    assert not any(bad in line for line in running for bad in ("<b>", "@all", "|`"))
    assert "\x1b" not in text
    rows = [re.sub(r"\\\|", "", line).count("|") for line in running if line.startswith("|")]
    assert len(set(rows)) <= 1
    assert text.splitlines()[-1].startswith("    harness gate ")


@each()
def test_junit_is_well_formed_and_has_a_case_for_each_limit(decision: Decision) -> None:
    suites = ET.fromstring(gates.junit(decision).encode())  # noqa: S314  our own output
    (suite,) = suites
    assert (suites.tag, suite.tag) == ("testsuites", "testsuite")
    cases = suite.findall("testcase")
    outcomes = [line.outcome for line in decision.lines] or ["failed"]
    told = {
        "regressed": "failure",
        "failed": "error",
        "inconclusive": "skipped",
        "improved": "system-out",
        "pass": "system-out",
    }
    assert [case[0].tag for case in cases] == [told[outcome] for outcome in outcomes]
    assert [len(case) for case in cases] == [1] * len(cases)
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
    assert suite.get("tests") == str(len(cases))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert suite.get(attribute) == str(len(suite.findall(f"testcase/{tag}")))
    assert all(
        part.get("message") for tag in ("failure", "error", "skipped") for part in suite.findall(f"testcase/{tag}")
    )


def test_junit_keeps_a_hostile_name_as_text() -> None:
    suite = ET.fromstring(gates.junit(EVERY["hostile"]).encode())[0]  # noqa: S314  our own output
    assert suite.get("name") == "harness gate: <b>]]>&\"'100%|`x` : :error: : [31m@all"
    assert suite.findall(".//b") == []


def decoded(text: str) -> str:
    """As GitHub's runner reads a message."""
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%")


@each()
def test_annotations_are_one_command_a_line(decision: Decision) -> None:
    lines = gates.github(decision).splitlines()
    outcomes = [line.outcome for line in decision.lines] or ["failed"]
    commands = {"regressed": "error", "failed": "error", "inconclusive": "warning", "improved": "notice"}
    expected = [commands[outcome] for outcome in commands for found in outcomes if found == outcome]
    expected += ["notice"] if decision.notes else []
    read = [
        re.fullmatch(r"::(error|warning|notice) title=((?:[^:,%]|%[0-9A-F]{2})*)::((?:[^%]|%25|%0D|%0A)*)", line)
        for line in lines
    ]
    assert [found and found.group(1) for found in read] == expected
    for found in read:
        assert found
        assert decision.scenario[:3] in decoded(found.group(2))


def test_annotations_escape_what_the_runner_reads() -> None:
    (line,) = gates.github(replace(UNMEASURED, scenario="a: b, 50%", reason="50% of: x, y")).splitlines()
    assert line == "::error title=a%3A b%2C 50%25%3A failed to measure::Failed to measure: 50%25 of: x, y."


@each()
def test_json_has_every_field_of_the_decision(decision: Decision) -> None:
    read = json.loads(gates.json_text(decision))
    assert set(read) == {"schema_version", "sentence", "exit_code"} | {field.name for field in fields(Decision)}
    assert all(set(line) == {field.name for field in fields(Line)} for line in read["lines"])
    assert (read["outcome"], read["exit_code"], read["scenario"]) == (
        decision.outcome,
        decision.exit_code,
        decision.scenario,
    )
    assert [line["ratio"] for line in read["lines"]] == [line.ratio for line in decision.lines]


def test_json_has_null_for_what_is_not_finite() -> None:
    decision = DECISIONS["pass"]
    endless = replace(decision.lines[0], ratio_high=float("inf"))
    assert json.loads(gates.json_text(replace(decision, lines=(endless,))))["lines"][0]["ratio_high"] is None


@each()
def test_a_terminal_gets_no_control_codes_markup_or_commands(decision: Decision) -> None:
    text = printed(decision)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert f"again: {decision.command.split()[0]}" in text


@each("regressed", "inconclusive", "unmeasured")
def test_every_output_says_how_to_run_it_again(decision: Decision) -> None:
    for text in (gates.markdown(decision), gates.junit(decision), printed(decision), gates.json_text(decision)):
        assert decision.command in text


def test_what_weakens_a_decision_stands_in_it() -> None:
    decision = replace(DECISIONS["pass"], notes=("compared with a stored run",))
    for text in (gates.markdown(decision), gates.junit(decision), printed(decision), gates.json_text(decision)):
        assert "compared with a stored run" in text


def test_every_output_says_that_a_comparison_with_a_stored_run_is_weaker() -> None:
    note = Finding(kind="stored", device="", message="Nothing shows whether the machine is as it was.")
    decision = decide(sample_gates.run(findings=(note,)), base="stored run", head="HEAD")
    assert decision.outcome == "pass"
    assert gates.data(decision)["unpaired"] is True
    outputs = (
        printed(decision), gates.markdown(decision), gates.junit(decision), gates.json_text(decision), gates.github(decision)
    )  # fmt: skip
    for text in outputs:
        assert "unpaired: weaker than against a revision" in " ".join(text.split())
        assert "Nothing shows whether the machine is as it was." in text
    assert gates.data(DECISIONS["pass"])["unpaired"] is False
