"""The page's sentences in other languages: all of them, with the same values in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import harness.report
from harness.metrics import METRICS, SUMMARISED
from harness.report import html, words
from harness.report.rows import TONES
from harness.results import FAILURE_KINDS
from tests.report import sample_gates, sample_runs
from tests.report.sample_streaming import by_length

PACKAGE = Path(harness.report.__file__).parent
OTHERS = [code for code in words.LANGUAGES if code != "en"]
SAYING = {"say", "plural", "mark"}
NO_SENTENCES = {"_", " ", "grade", "bitwise"}
"""Other text inside calls: what is replaced in names, and keys of a check."""


def _of_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
            for argument in node.args:
                yield from (
                    n.value for n in ast.walk(argument) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                )


def _of_template(path: Path) -> Iterator[str]:
    for call in Environment(autoescape=True).parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_":
            for argument in call.args:
                yield from (n.value for n in [argument, *argument.find_all(nodes.Const)]
                            if isinstance(n, nodes.Const) and isinstance(n.value, str))  # fmt: skip


def said() -> set[str]:
    """Every sentence of the page, from the code, the templates and the metrics."""
    found = {text for path in PACKAGE.rglob("*.py") for text in _of_python(path)}
    found |= {text for path in PACKAGE.rglob("*.j2") for text in _of_template(path)}
    found |= {text for metric in METRICS.values() for text in (metric.title, metric.doc)}
    found |= {metric.title for metric in SUMMARISED.values()}
    return (found | set(TONES) | {kind.replace("_", " ") for kind in FAILURE_KINDS}) - NO_SENTENCES


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_of_the_page_has_its_translation(code: str) -> None:
    sentences = said()
    assert len(sentences) > 300
    assert sorted(sentences - set(words.catalogue(code))) == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_same_values_as_the_sentence(code: str) -> None:
    for english, other in words.catalogue(code).items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", other)), english


def test_the_language_is_that_of_the_innermost_block_and_ends_with_it() -> None:
    assert words.say("Verdict") == "Verdict"
    with words.speaking("zh"):
        assert words.say("Verdict") == "结论"
        assert words.say("a sentence that nobody translated {count}", count=2) == "a sentence that nobody translated 2"
        with words.speaking("en"):
            assert words.say("Verdict") == "Verdict"
    assert words.language() == "en"


def test_the_chinese_page_gives_its_answer_in_chinese_and_names_as_they_are() -> None:
    page = html(sample_runs.calibrated(), language="zh")
    assert '<html lang="zh">' in page
    assert "全部 8 项合计快 12.3\u202f%（95\u202f% 区间 11.6 至 13.0\u202f%）。" in page
    assert "speaker_preregistration" in page
    assert "避免每次调用都创建新的 Resample 对象" in page
    for english in ("Every sample", "Optimization<", "faster<", "Glossary", "Verdict", "Copy as"):
        assert english not in page.replace("seed-optimizations", ""), english


@pytest.mark.parametrize(
    "run", [sample_runs.not_calibrated, sample_runs.several_states, by_length, sample_gates.run, sample_runs.hostile]
)
def test_every_state_of_the_page_can_be_said_in_chinese(run: object) -> None:
    assert callable(run)
    page = html(run(), language="zh")
    assert page.count("<script") == 1
