"""Imports point one way (docs/decisions), and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import harness

PACKAGE = Path(harness.__file__).parent
LAYERS = (
    {"worker"},
    {"errors", "units"},
    {"listener"},
    {"toggling"},
    {"results", "metrics", "profiles"},
    {
        "statistics",
        "groups",
        "nvml",
        "rules",
        "twins",
        "forked",
        "interpreter",
        "fraction",
        "effects",
        "reuse",
        "crossings",
    },
    {"optimizations"},
    {"plugins"},
    {"designs", "equivalence", "scenario", "store", "sequential", "load"},
    {"models", "recordings", "inspecting"},
    {"adapters", "workload", "words", "transcriber", "assessor"},
    {"wire"},
    {"evidence", "batches"},
    {
        "controls",
        "expected",
        "findings",
        "floors",
        "frontier",
        "ledger",
        "jointly",
        "attribution",
        "presence",
        "advice",
        "caches",
        "lengths",
        "starts",
        "states",
    },
    {"compare", "noise", "paired", "paired_result"},
    {"gate", "unpaired"},
    {"report", "processes", "pyspy"},
    {"environment", "session", "doctor", "calibrations", "ceilings", "declaring", "measured"},
    {"passes", "catalogue"},
    {"runner", "terminal", "revisions", "profile_files", "gate_calibration"},
    {"gating", "baselines", "calibrate", "planning", "outlook", "profile_run"},
    {"cli", "pairing"},
    {"pytest_plugin", "testing"},
)
"""A module may import from its own set and from those before it."""
WITHOUT_TORCH = (
    "harness", "harness.cli", "harness.results", "harness.scenario", "harness.statistics", "harness.effects", "harness.compare",
    "harness.report", "harness.gate", "harness.baselines", "harness.store", "harness.runner", "harness.workload", "harness.optimizations", "harness.catalogue", "harness.inspecting", "harness.profile_run",
)  # fmt: skip


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    """Parts of the package that a file imports, leaving out imports for type checking alone."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in ast.walk(node):
                child.ignored = True  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not hasattr(node, "ignored"):
            if node.module == "harness":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("harness."):
                found.add(part_of(node.module))
    return found - {"__version__"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_to_earlier_layers(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own in {"__init__", "__main__"}:
        return
    rank = {name: level for level, names in enumerate(LAYERS) for name in names}
    assert own in rank, f"put {own} into a layer"
    late = {name for name in imports(path) if rank[name] > rank[own]}
    assert not late, f"{own} imports from later layers: {late}"


def test_optimizations_never_import_models() -> None:
    for path in (PACKAGE / "optimizations").rglob("*.py"):
        assert "models" not in imports(path)


@pytest.mark.parametrize(
    ("package", "owners"),
    [
        ("onnxruntime", {"onnx_networks.py", "sessions.py"}),
        ("onnx", {"onnx_export.py"}),
        ("gruut", {"phonemes.py"}),
        ("faster_whisper", {"transcriber.py"}),
        ("distillmos", {"assessor.py"}),
        ("transformers", set()),
    ],
)
def test_what_a_worker_with_random_weights_does_not_need_is_imported_in_one_place(
    package: str, owners: set[str]
) -> None:
    importers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and package in {alias.name for alias in node.names})
        or (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package)
    }
    assert importers == owners


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_torch_is_not_imported_by(module: str) -> None:
    code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list", "optimizations"],
        ["list", "models"],
        ["run", "--help"],
        ["inspect", "--help"],
        ["profile", "--help"],
    ],
)
def test_quick_commands_import_neither_torch_nor_pandas(arguments: list[str]) -> None:
    code = (
        "import sys\nsys.argv = ['harness', *sys.argv[1:]]\nfrom harness.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n"
        "    sys.exit(end.code or len({'torch', 'pandas', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
