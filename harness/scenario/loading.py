"""Find a scenario by name or path, apply `--set` overrides, and read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ScenarioError, UsageError, nearest
from harness.scenario.models import Scenario
from harness.scenario.source import MAX_BYTES, KeyPath, Place, Source, dotted, found, read, read_value

Overrides = Mapping[str, str] | Sequence[str]

_ANY = "*"
_BY_METRIC: tuple[tuple[str, ...], ...] = (("gate", "optimizations", _ANY), ("gate",), ("measure", "margin"))
"""Mappings whose keys may have dots in them, such as `stage.llm`; the first that fits. `*` is any one key."""


def load(name_or_path: str, overrides: Overrides = ()) -> Scenario:
    """The scenario that ships under a name, or that a path names. Raises ScenarioError or UsageError."""
    path, shown = _find(name_or_path)
    source = read(_bytes_of(path, shown), shown)
    return _build(source, str(path.absolute()), overrides)


def parse(text: bytes, file: str, overrides: Overrides = ()) -> Scenario:
    """The scenario in `text`; `file` is its name in errors, and relative paths start at its folder."""
    return _build(read(text, file), file, overrides)


def shipped() -> dict[str, Path]:
    """The scenarios that come with the harness, by name."""
    package = Path(__file__).parent.parent
    folders = (package / "_scenarios", package.parent / "scenarios")
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _build(source: Source, file: str, overrides: Overrides) -> Scenario:
    given = [f"{key}={value}" for key, value in overrides.items()] if isinstance(overrides, Mapping) else overrides
    for override in given:
        _apply(source, override)
    return Scenario.from_source(source, file)


def _find(name_or_path: str) -> tuple[Path, str]:
    known = shipped()
    if name_or_path in known:
        return known[name_or_path], str(known[name_or_path])
    looks_like_path = "/" in name_or_path or "\\" in name_or_path or name_or_path.endswith((".yaml", ".yml"))
    if looks_like_path or Path(name_or_path).exists():
        return Path(name_or_path), name_or_path
    hint = nearest(name_or_path, known) or f" (known: {', '.join(known)}; a file is given by its path)"
    message = f"no scenario is called {name_or_path!r}{hint}"
    raise UsageError(message)


def _bytes_of(path: Path, shown: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        siblings = [str(other) for other in path.parent.glob("*.y*ml")]
        message = f"there is no such file{nearest(shown, siblings)}"
    except IsADirectoryError:
        message = "this is a folder; give a scenario file in it"
    except (OSError, ValueError) as error:
        message = f"the file cannot be read: {error}"
    raise ScenarioError(message, file=shown)


def _apply(source: Source, override: str) -> None:
    """Put the value of `key=value` in its place, making mappings on the way."""
    place = Place(file=f"--set {override}", line=None)
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        message = "an override is written key=value, such as measure.budget=30s"
        raise ScenarioError(message, file=place.file)
    *parents, last = _path(key)
    target = source.data
    for index, part in enumerate(parents):
        target = _step(target, part, parents[: index + 1], place)
    if isinstance(target, list):
        _step(target, last, [*parents, last], place)
    elif not isinstance(target, dict):
        raise _not_a_mapping(target, parents, place)
    target[int(last) if isinstance(target, list) else last] = _value(text, key, place)
    path: KeyPath = tuple(_as_index(source.data, [*parents, last]))
    source.places = {other: at for other, at in source.places.items() if other[: len(path)] != path}
    source.places[path] = place


def _path(key: str) -> list[str]:
    parts = key.split(".")
    for prefix in _BY_METRIC:
        count = len(prefix)
        if len(parts) >= count and all(known in (_ANY, part) for known, part in zip(prefix, parts, strict=False)):
            return [*parts[:count], *([".".join(parts[count:])] if len(parts) > count else ())]
    return parts


def _step(target: Any, part: str, path: Sequence[str], place: Place) -> Any:
    if isinstance(target, dict):
        return target.setdefault(part, {})
    if not isinstance(target, list):
        raise _not_a_mapping(target, path[:-1], place)
    if not part.isascii() or not part.isdigit() or int(part) >= len(target):
        message = f"the list has {len(target)} entries, counted from 0; found {found(part)}"
        raise ScenarioError(message, file=place.file, key=dotted(tuple(path)))
    return target[int(part)]


def _as_index(data: Any, path: Sequence[str]) -> list[str | int]:
    """The path with list positions as numbers, as key paths of the data have them."""
    indexed: list[str | int] = []
    for part in path:
        step = int(part) if isinstance(data, list) else part
        data = data[step]
        indexed.append(step)
    return indexed


def _value(text: str, key: str, place: Place) -> Any:
    try:
        return read_value(text, place.file)
    except ScenarioError as error:
        raise ScenarioError(error.message, file=place.file, key=key) from None


def _not_a_mapping(value: Any, path: Sequence[str], place: Place) -> ScenarioError:
    key = dotted(tuple(path))
    return ScenarioError(
        f"found {found(value)} here, which has no keys; set `{key}` as a whole", file=place.file, key=key
    )
