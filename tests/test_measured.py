"""Which code a run measures: its revision, where it lies in a repository of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import runner
from harness.measured import revision
from harness.report import machines
from harness.scenario import Scenario
from tests.report.sample_runs import calibrated
from tests.test_revisions import commit, git

SPEAK = "def speak():\n    return 1\n"


def measuring(folder: Path, **model: Any) -> Scenario:
    asked = model or {"adapter": "callable", "target": "mine.py:speak"}
    return Scenario.from_data({"file": str(folder / "mine.yaml"), "name": "mine", "model": asked})


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(SPEAK, encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "mine.py")
    commit(tmp_path, code="first")
    return tmp_path


def test_the_revision_is_that_of_the_code_and_not_the_harnesss(committed: Path) -> None:
    found = runner.here(measuring(committed))
    assert found["measured_git"] == {"commit": git(committed, "rev-parse", "HEAD").strip(), "dirty": False}
    assert found["measured_git"]["commit"] != (found["git"] or {}).get("commit")
    (committed / "mine.py").write_text(SPEAK + "\n", encoding="utf-8")
    assert revision(measuring(committed)) == {**found["measured_git"], "dirty": True}


def test_of_code_in_no_repository_and_of_the_harnesss_own_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SPEAK, encoding="utf-8")
    assert "measured_git" not in runner.here(measuring(tmp_path))
    assert revision(measuring(tmp_path, adapter="cosyvoice2")) is None


def test_of_a_file_that_the_repository_does_not_know_nothing_is_said(committed: Path) -> None:
    (committed / "new.py").write_text(SPEAK, encoding="utf-8")
    assert revision(measuring(committed, adapter="callable", target="new.py:speak")) is None
    assert revision(measuring(committed)) is not None


def test_a_run_is_listed_by_the_code_that_was_measured() -> None:
    run, own = calibrated(), {"commit": "fedcba9876543210", "dirty": True}
    assert machines.code(run) == machines.commit(run.environment["git"])
    there = {**run.environment, "measured_git": own}
    assert machines.code(replace(run, environment=there)) == machines.commit(own)
