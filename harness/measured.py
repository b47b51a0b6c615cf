"""What a scenario measures, as digests of its files: so that no run is of two codes, and several runs can be told to be of one."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
from harness.environment import git_revision, is_tracked, top_of
from harness.scenario import Scenario


def digests(scenario: Scenario) -> dict[str, str]:
    """Key of the scenario -> a digest of the files that it names, 12 hexadecimal digits; empty where all is the harness's own.

    Of code every Python file counts, by its content; of weights, which may be gigabytes, names, sizes and times. Nothing is
    imported.
    """
    found = {f"plugins.{number}": scenario.resolve(name) for number, name in enumerate(scenario.plugins)}
    options = scenario.options()
    for key in ("path", "supply", "weights", "voice"):
        if (value := options.get(key)) and Path(str(value)).exists():
            found[f"model.{key}"] = Path(str(value))
    if target := _target(str(options.get("target") or ""), Path(scenario.file).parent):
        found["model.target"] = target
    return {key: _digest(path) for key, path in sorted(found.items())}


def revision(scenario: Scenario) -> dict[str, Any] | None:
    """Commit and dirtiness of the repository that the measured code lies in; None where that is in none, is not one of its files, or is
    the harness's own.
    """
    options = scenario.options()
    code = _target(str(options.get("target") or ""), Path(scenario.file).parent) or options.get("path")
    if code is None or not Path(str(code)).exists():
        return None
    found = Path(str(code)).resolve()
    folder = found if found.is_dir() else found.parent
    own = Path(harness.__file__)
    is_own = top_of(folder) == top_of(own.parent) and is_tracked(own)
    return git_revision(folder) if not is_own and is_tracked(found) else None


def _target(target: str, beside: Path) -> Path | None:
    """The file of `FILE.py:NAME`; of `MODULE:NAME` the file or folder of the module's outermost package, which is looked for
    `beside` the scenario first. None where it is not found.
    """
    where = target.rpartition(":")[0]
    if where.endswith(".py"):
        return Path(where)
    for found in (beside / where.partition(".")[0], beside / f"{where.partition('.')[0]}.py"):
        if where and found.exists():
            return found
    spec = importlib.util.find_spec(where.partition(".")[0]) if where else None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.has_location and spec.origin else None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(_contents(path)):
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:12]


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    code = [file for file in files if file.suffix == ".py"]
    for file in code or files:
        stat = file.stat()
        name = file.name if file == path else str(file.relative_to(path))
        yield name, file.read_bytes() if file.suffix == ".py" else f"{stat.st_size} {stat.st_mtime_ns}".encode()
