"""The example plug-in is installed as any package is, and used through the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "example"
SCENARIO = """\
name: example
model: {adapter: example, n: 20000}
devices: [cpu]
workload: {mode: zero_shot, texts: {en: unused}, prompts: []}
optimizations: {sum_of_squares_by_formula: true}
measure: {metrics: [latency], budget: 2s, workers: 2, margin: 10%}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example, from a copy of it: building leaves files beside the source."""
    source = tmp_path_factory.mktemp("source") / "example"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
               "--disable-pip-version-check", "--target", str(target), str(source)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def harness(installed: Path | None, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(installed)] if installed is not None else []
    path = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, "PYTHONPATH": path}
    )


def test_the_example_is_as_short_as_is_said() -> None:
    lines = (EXAMPLE / "example_toggles.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 40


def test_an_installed_plug_in_is_measured_by_the_names_of_its_entry_points(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(SCENARIO)
    done = harness(installed, "run", "example.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "results").iterdir()
    run = json.loads((folder / "run.json").read_text())
    (found,) = (item for item in run["contrasts"] if item["metric"] == "latency")
    assert found["verdict"] in ("faster", "inconclusive"), found
    assert (found["witness_before"], found["witness_after"], found["equivalence"]) == (1.0, 0.0, "bitwise")
    assert run["optimizations"]["sum_of_squares_by_formula"]["doc"].startswith("Compute the sum by its formula")
    assert "Compute the sum by its formula" in (folder / "report.html").read_text()


def test_without_the_package_its_names_are_unknown_and_with_it_only_they_are_read(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "example.yaml").write_text(SCENARIO)
    missing = harness(None, "validate", "example.yaml", cwd=tmp_path)
    assert missing.returncode == 2
    assert "unknown adapter 'example'" in missing.stderr
    (installed / "example_toggles.py").rename(installed / "away")
    try:
        listed = json.loads(harness(installed, "list", "optimizations", "--json", cwd=tmp_path).stdout)
        assert [item["name"] for item in listed if "package" in item] == ["sum_of_squares_by_formula"]
        assert harness(installed, "validate", "example.yaml", cwd=tmp_path).returncode == 0
        broken = harness(installed, "run", "example.yaml", cwd=tmp_path)
    finally:
        (installed / "away").rename(installed / "example_toggles.py")
    assert broken.returncode == 2
    assert "the entry point" in broken.stderr
    assert "cannot be loaded: No module named 'example_toggles'" in broken.stderr
