"""The package that a worker is stands alone: every file of it, by its text."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import harness.worker
from harness.worker import OLDEST_PYTHON

PACKAGE = Path(harness.worker.__file__).parent
WHERE_FOUND = {"torch", "torchaudio", "psutil", "pynvml", "memray"}
"""Used where the interpreter has them: imported inside functions alone."""
FILES = sorted(PACKAGE.rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_file_is_of_the_oldest_python_s_language(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=OLDEST_PYTHON)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_file_imports_relatively_or_from_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    foreign = {name for node in ast.walk(tree) if not for_types_alone(node, tree) for name in imported(node)}
    assert foreign - set(sys.stdlib_module_names) <= WHERE_FOUND
    at_once = {name for node in tree.body for name in imported(node)}
    assert at_once <= set(sys.stdlib_module_names)


def imported(node: ast.AST) -> set[str]:
    """The packages that a statement imports by their own names."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {(node.module or "").partition(".")[0]}
    return set()


def for_types_alone(node: ast.AST, tree: ast.Module) -> bool:
    guards = (found for found in tree.body if isinstance(found, ast.If) and ast.unparse(found.test) == "TYPE_CHECKING")
    return any(node is inner for guard in guards for inner in ast.walk(guard))
