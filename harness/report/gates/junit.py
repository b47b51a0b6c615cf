"""A decision as JUnit XML, which Jenkins, GitLab and most other CI services show: a test case for each limit."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from harness.gate import Decision, Line, Outcome
from harness.report.gates import words

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def junit(decision: Decision) -> str:
    """`decision` as a document with one test suite; write it as UTF-8.

    Regressed is a failure, failed to measure an error, inconclusive skipped with its message. Where there is no limit to show,
    one test case stands for the whole, so that a service shows why.
    """
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", {"name": _suite_name(decision), **_counts(decision)})
    _properties(suite, decision)
    for line in decision.lines:
        case = ET.SubElement(suite, "testcase", classname=_class_name(decision, line), name=_name(line))
        _outcome(case, line.outcome, words.fact(line), words.detail(line))
    if not decision.lines:
        case = ET.SubElement(suite, "testcase", classname=words.plain(decision.scenario), name="measuring")
        _outcome(case, decision.outcome, words.sentence(decision), words.sentence(decision))
    ET.SubElement(suite, "system-out").text = "\n".join(
        [words.sentence(decision), *words.notes(decision), f"To run it again: {words.plain(decision.command)}"]
    )
    ET.indent(suites)
    return _DECLARATION + ET.tostring(suites, encoding="unicode") + "\n"


def _suite_name(decision: Decision) -> str:
    return f"harness gate: {words.plain(decision.scenario)}"


def _counts(decision: Decision) -> dict[str, str]:
    outcomes = [line.outcome for line in decision.lines] or [decision.outcome]
    counts = {"tests": len(outcomes), "failures": outcomes.count("regressed"), "errors": outcomes.count("failed"),
              "skipped": outcomes.count("inconclusive")}  # fmt: skip
    return {name: str(count) for name, count in counts.items()}


def _properties(suite: ET.Element, decision: Decision) -> None:
    properties = ET.SubElement(suite, "properties")
    facts = {"base": decision.base, "head": decision.head, "run": decision.run_id, "outcome": decision.outcome,
             **({"comparison": "unpaired, with a stored run"} if decision.unpaired else {})}  # fmt: skip
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=name, value=words.plain(value))


def _class_name(decision: Decision, line: Line) -> str:
    """Jenkins takes what stands before the last dot for a package."""
    return f"{_without_dots(decision.scenario)}.{_without_dots(line.setting)}"


def _without_dots(name: str) -> str:
    return words.plain(name).replace(".", "_")


def _name(line: Line) -> str:
    return words.plain(f"{line.metric} on {line.device}")


def _outcome(case: ET.Element, outcome: Outcome, message: str, text: str) -> None:
    match outcome:
        case "regressed":
            ET.SubElement(case, "failure", type="regressed", message=message).text = text
        case "failed":
            ET.SubElement(case, "error", type="failed to measure", message=message).text = text
        case "inconclusive":
            ET.SubElement(case, "skipped", message=text)
        case "improved" | "pass":
            ET.SubElement(case, "system-out").text = text
