"""Finding somebody's CosyVoice: its facade's file below a folder, or the installed package, and how it is imported.

locate(Path("backend"))   Location(roots, module): folders to import from, and the facade's module
Location.load()           imports it: runs the target's code
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType

from .host import UsageError

FACADE = ("inference_zero_shot", "inference_sft", "inference_cross_lingual")
"""Methods of a facade; two of them tell one."""
ENOUGH = 2
PACKAGE = "cosyvoice"
"""What the package is called where it is installed and no folder is given."""
KNOWN_TO_WORK = "cosyvoice-minicpmo 0.1.0 and FunAudioLLM/CosyVoice of March 2026"
"""Versions with which `nox -s seed_code` and the tests of this adapter ran."""
_LIBRARIES = "third_party"
"""A repository's folder of other projects' repositories, whose packages its code imports by their own names."""


class Location:
    """Where a CosyVoice lies: the folders to import from, the module of its facade, and that module's file."""

    def __init__(self, roots: list[Path], module: str, file: Path) -> None:
        self.roots = roots
        self.module = module
        self.file = file

    def load(self) -> ModuleType:
        """Import the facade's module. Nothing is written beside its files: no bytecode either.

        Raises UsageError, which names what is missing, where it cannot be imported.
        """
        sys.dont_write_bytecode = True
        sys.path[:0] = [str(root) for root in self.roots if str(root) not in sys.path]
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            message = (
                f"{self.module} cannot be imported: {error}; measure it with the interpreter in which it runs "
                f"(model: python), or supply what it lacks (model: supply)"
            )
            raise UsageError(message) from error

    def version(self) -> str:
        """The code in words: an installed distribution with its version, or the folder's name with its commit, if it has one."""
        root = self.roots[0]
        for distribution in metadata.distributions(path=[str(root)]):
            record = distribution.read_text("RECORD") or ""
            if f"{self.file.relative_to(root).as_posix()}," in record:
                return f"{distribution.metadata['Name']} {distribution.version}"
        asked = ["git", "-C", str(root), "rev-parse", "HEAD"]
        try:
            commit = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
        except OSError:
            commit = ""
        return f"{root.name} at commit {commit}" if commit else root.name


def locate(path: Path | None) -> Location:
    """The CosyVoice at or below `path`, in any layout; without one, the installed package. Raises UsageError where none is."""
    folder = _installed() if path is None else path
    if not folder.is_dir():
        message = f"there is no folder {folder}"
        raise UsageError(message)
    found = sorted(_facades(folder), key=lambda file: (len(file.parts), file))
    if not found:
        message = (
            f"{folder}: no CosyVoice here: looked for a class with two of the methods {', '.join(FACADE)} "
            f"(known to work: {KNOWN_TO_WORK})"
        )
        raise UsageError(message)
    root, module = _imported_as(found[0])
    libraries = root / _LIBRARIES
    beside = sorted(each for each in libraries.iterdir() if each.is_dir()) if libraries.is_dir() else []
    return Location([root, *beside], module, found[0])


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        message = (
            f"no package called {PACKAGE} is installed in {Path(sys.prefix).name}; name its folder (model: path), or the "
            "interpreter that has it (model: python)"
        )
        raise UsageError(message)
    return Path(folders[0])


def _facades(folder: Path) -> Iterator[Path]:
    """The Python files below `folder` that define a facade. Files that do not parse are passed over."""
    for file in folder.rglob("*.py"):
        text = file.read_bytes()
        if all(name.encode() not in text for name in FACADE):
            continue
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        if any(isinstance(node, ast.ClassDef) and _has_enough(node) for node in ast.walk(tree)):
            yield file


def _has_enough(node: ast.ClassDef) -> bool:
    own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    return len(own & set(FACADE)) >= ENOUGH


def _imported_as(file: Path) -> tuple[Path, str]:
    """The folder from which a file's package is imported, and the file's name as a module.

    The file's own absolute imports tell: the folder in which one of them lies. Where none does, packages go as far up as
    there are `__init__.py` files.
    """
    tree = ast.parse(file.read_bytes())
    imported = [
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level
    ]
    for root in file.parents:
        for name in imported:
            lies = root.joinpath(*name.split("."))
            if (
                "." in name
                and root in file.parents
                and (lies.with_suffix(".py").is_file() or (lies / "__init__.py").is_file())
            ):
                return root, _dotted(file, root)
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root, _dotted(file, root)


def _dotted(file: Path, root: Path) -> str:
    return ".".join(file.relative_to(root).with_suffix("").parts)
