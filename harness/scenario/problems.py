"""From what pydantic found wrong to one ScenarioError: where, what was found, what is allowed, the nearest spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from harness.errors import ScenarioError, nearest
from harness.scenario.source import KeyPath, Source, dotted, found

FURTHER_SHOWN = 5

_EXPECTED = {
    "string_type": "text", "bool_type": "true or false", "int_type": "a whole number", "float_type": "a number",
    "tuple_type": "a list", "list_type": "a list", "dict_type": "a mapping", "model_type": "a mapping",
    "greater_than_equal": "at least {ge}", "greater_than": "more than {gt}", "less_than_equal": "at most {le}",
    "less_than": "less than {lt}", "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character", "too_short": "at least {min_length} entry",
    "too_long": "at most {max_length} entries",
}  # fmt: skip
"""What is allowed, in words, for each of pydantic's error types that our models can raise."""


def refuse(message: str, *at: str | int) -> NoReturn:
    """Raise what a validator raises; `at` leads from the validated value to the part that is wrong."""
    error = PydanticCustomError("scenario", "{message}", {"message": message, "at": list(at)})
    raise error


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """A message: what `name` should have been, all that is `known`, and the nearest spelling."""
    names = list(known)
    return f"unknown {what} {name[:60]!r}; allowed: {', '.join(names) or 'none'}{nearest(name, names)}"


def check_keys(value: Any, keys: Iterable[str]) -> None:
    """Refuse anything but a mapping with `keys`."""
    allowed = list(keys)
    if not isinstance(value, Mapping):
        refuse(f"found {found(value)}; allowed: a mapping with the keys {', '.join(allowed)}")
    for key in value:
        if key not in allowed:
            refuse(f"unknown key; allowed: {', '.join(allowed)}{nearest(str(key), allowed)}", key)


def scenario_error(error: ValidationError, source: Source) -> ScenarioError:
    """The first problem in reading order as a ScenarioError; the others in short form at the end of its message."""
    problems: dict[KeyPath, str] = {}
    found_ = error.errors(include_url=False)
    about_values = [details for details in found_ if details["type"] != "none_required"]  # nobody meant to leave it out
    for details in about_values or found_:
        path, message = _told(details, source)
        problems.setdefault(path, message)  # the branches of a union have one problem each
    (path, message), *further = sorted(problems.items(), key=lambda told: _reading_order(source, told[0]))
    if further:
        shown = [_place_and_key(source, other) for other, _ in further[:FURTHER_SHOWN]]
        more = ["..."] if len(further) > FURTHER_SHOWN else []
        message = f"{message} (and {len(further)} more: {', '.join(shown + more)})"
    return source.error(message, path)


def _reading_order(source: Source, path: KeyPath) -> tuple[bool, int]:
    place = source.place(path)
    return (place.line is not None, place.line or 0)


def _place_and_key(source: Source, path: KeyPath) -> str:
    line = source.place(path).line
    return f"{dotted(path)} on line {line}" if line else dotted(path)


def _told(details: ErrorDetails, source: Source) -> tuple[KeyPath, str]:
    context = details.get("ctx", {})
    path = _path_in_data(details["loc"], source.data, keep_last=details["type"] == "missing")
    match details["type"]:
        case "scenario":
            return (*path, *context["at"]), context["message"]
        case "missing":
            return path, "this key is required"
        case "literal_error":
            return path, _one_of(details["input"], re.findall(r"'([^']*)'", context["expected"]))
        case kind if kind in _EXPECTED:
            return path, f"found {found(details['input'])}; allowed: {_EXPECTED[kind].format(**_as_written(context))}"
        case _:
            return path, f"found {found(details['input'])}; {details['msg']}"


def _as_written(context: Mapping[str, Any]) -> dict[str, Any]:
    """Limits without the `.0` that pydantic gives those of a float."""
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value for key, value in context.items()
    }


def _one_of(value: Any, names: list[str]) -> str:
    near = nearest(value, names) if isinstance(value, str) else ""
    return f"found {found(value)}; allowed: {', '.join(names)}{near}"


def _path_in_data(loc: tuple[str | int, ...], data: Any, *, keep_last: bool) -> KeyPath:
    """`loc` without pydantic's own steps, such as the branch of a union, which are not keys of `data`."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        inside = part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))
        if inside:
            data = data[part]
            path.append(part)
        elif keep_last and index == len(loc) - 1:
            path.append(part)
    return tuple(path)
