"""Toggles as a scenario names them: their states checked against the registry, and their part of the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from harness.errors import UsageError, nearest
from harness.optimizations import Optimization, registry
from harness.optimizations.process import of_process, start_of
from harness.scenario.problems import refuse, unknown
from harness.scenario.source import found
from harness.toggling import State, setting

_WORDS = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
_FEW = 3
_LIMITS = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def check_toggle_name(name: str, plugged: Iterable[str] = ()) -> str:
    """Refuse a name that neither the registry nor a plug-in has, of which `plugged` are the toggles."""
    known = sorted({*registry(), *plugged})
    if name not in known:
        refuse(unknown("optimization", name, known))
    return name


def check_states(name: str, before: State, after: State | tuple[State, ...]) -> None:
    """Refuse states that the toggle `name` cannot take, an after that is before, and one that is given twice.

    What a plug-in's toggle can take is known where its code is, and checked there.
    """
    if not _is_at_hand(name):
        return
    _check_parameters(name, before, "before")
    if not isinstance(after, tuple):
        _check_parameters(name, after, "after")
        if _complete(name, before) == _complete(name, after):
            refuse(f"before and after are the same ({found(after)}), so that there is nothing to compare", name)
        return
    known: dict[str, int] = {}
    for index, state in enumerate(after):
        _check_parameters(name, state, "after", index)
        if _complete(name, before) == _complete(name, state):
            refuse("this state is the same as before, so that there is nothing to compare", name, "after", index)
        for same in {str(_complete(name, state)), setting(name, state)}:
            if known.setdefault(same, index) != index:
                refuse(f"this state is given twice, first as entry {known[same] + 1}", name, "after", index)


def check_together(names: list[str]) -> None:
    """Refuse toggles that exclude each other: some arm would turn both on."""
    for name in names:
        for other in registry()[name].excludes if name in registry() else ():
            if other in names:
                first, second = sorted((name, other), key=names.index)
                refuse(f"{second} cannot stand together with {first}; compare them in two scenarios", second)


def _is_at_hand(name: str) -> bool:
    return name in registry() and not registry()[name].is_declared


_SEVERAL: Mapping[str, tuple[int, int]] = {
    "ladder": (2, 64), "factorial": (2, 6), "fractional": (4, 15), "permutations": (3, 12),
}  # fmt: skip
"""How few and how many toggles a design of several at once takes."""
_INSTEAD: Mapping[str, str] = {
    "factorial": "design fractional has a part of the arms, and permutations samples orders",
    "fractional": "design factorial has few arms for so few toggles; of more, compare some in a scenario of their own",
    "permutations": "design factorial has all combinations of few toggles; of more, compare some in a scenario of their own",
    "ladder": "design one_at_a_time is for a single toggle",
}


_JOINT = ("factorial", "fractional", "permutations")


def check_design(design: str, levels: Mapping[str, int]) -> None:
    """Refuse a design that cannot be laid out for toggles with so many after-states each."""
    if design == "levels" and (len(levels) != 1 or max(levels.values()) == 1):
        refuse(
            f"levels takes one optimization with a list of states under after, not {len(levels)} with "
            f"{', '.join(map(str, levels.values()))} state(s)",
            "design",
        )
    if design in _JOINT and (apart := sorted(of_process(levels))):
        refuse(
            f"{design} has all of its arms in one process, and {', '.join(apart)} changes the whole of it: compare it in a scenario of its own, "
            "or choose design one_at_a_time, leave_one_out or ladder",
            "design",
        )  # fmt: skip
    if design not in _SEVERAL:
        return
    fewest, most = _SEVERAL[design]
    if not fewest <= len(levels) <= most:
        refuse(f"{design} takes {fewest} to {most} optimizations, not {len(levels)}; {_INSTEAD[design]}", "design")
    for name, count in levels.items():
        if count > 1:
            refuse(
                f"{design} takes one state of each optimization; compare states in a scenario of design levels",
                "optimizations", name, "after",
            )  # fmt: skip


def parameters_schema(optimization: Optimization) -> dict[str, Any]:
    """JSON Schema of the toggle's parameters."""
    schema = _model(optimization).model_json_schema()
    schema.pop("title")
    schema.setdefault("properties", {})
    for field in schema["properties"].values():
        field.pop("title", None)
    return schema


def say_parameters(optimization: Optimization) -> str:
    """The parameters with what each allows and its default, in words."""
    properties = parameters_schema(optimization)["properties"]
    told = [
        f"{name} ({say_parameter(field)}; default {say(field.get('default'))})" for name, field in properties.items()
    ]
    return f"{optimization.name} takes {', '.join(told) or 'no parameters'}"


def say_parameter(schema: Mapping[str, Any]) -> str:
    """What a parameter allows: in words of its own (`Field(description=...)`), or by its schema."""
    branches = [branch for branch in schema.get("anyOf", ()) if branch != {"type": "null"}]
    of_one = branches[0].get("description") if len(branches) == 1 else None
    return schema.get("description") or of_one or say_schema(schema)


def say_schema(schema: Mapping[str, Any]) -> str:
    """A small JSON Schema in words: `a whole number or request or never`."""
    if "anyOf" in schema or "oneOf" in schema:
        every = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        branches = [say_schema(branch) for branch in every if branch != {"type": "null"}]
        return " or ".join(dict.fromkeys(branches))
    if "enum" in schema or "const" in schema:
        names = [say(value) for value in schema.get("enum", [schema.get("const")])]
        return (", " if len(names) > _FEW else " or ").join(names)
    if schema.get("type") == "array":
        return f"list of {say_schema(schema['items'])}"
    if "examples" in schema:
        return f"text such as {', '.join(schema['examples'])}"
    return _WORDS.get(schema.get("type", ""), "a mapping") + _limits(schema)


def _limits(schema: Mapping[str, Any]) -> str:
    told = [f" {word} {schema[key]}" for key, word in _LIMITS.items() if key in schema]
    return ",".join(told)


def say(value: Any) -> str:
    """A YAML value in words."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _check_parameters(name: str, state: State, *side: str | int) -> None:
    if not isinstance(state, Mapping):
        return
    optimization = registry()[name]
    for key in state:
        if key not in optimization.parameters:
            hint = nearest(str(key), optimization.parameters)
            refuse(f"unknown parameter; {say_parameters(optimization)}{hint}", name, *side, key)
    wrong = _ill_typed(optimization, state)
    if wrong is not None:
        refuse(f"found {found(state[wrong])}; {say_parameters(optimization)}", name, *side, wrong)
    if of_process([name]):
        try:
            start_of(name, state=state)
        except UsageError as error:
            refuse(str(error), name, *side)


def _ill_typed(optimization: Optimization, state: Mapping[str, Any]) -> str | None:
    try:
        _model(optimization).model_validate(state)
    except ValidationError as error:
        return str(error.errors()[0]["loc"][0])
    return None


def _model(optimization: Optimization) -> type[BaseModel]:
    """A model of the keyword parameters of the toggle's code after: annotations are resolved in the toggle's module."""
    annotations = optimization.after.__annotations__
    fields: Any = {name: (annotations[name], default) for name, default in optimization.parameters.items()}
    config = ConfigDict(extra="forbid", strict=True)
    return create_model(optimization.name, __config__=config, __module__=optimization.after.__module__, **fields)


def _complete(name: str, state: State) -> dict[str, Any] | None:
    """All parameters of a toggle that is on, None for one that is off."""
    if state is False:
        return None
    return {**registry()[name].parameters, **({} if state is True else state)}
