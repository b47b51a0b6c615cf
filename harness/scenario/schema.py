"""The JSON Schema of a scenario (draft 2020-12), with the toggles of the registry as properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.optimizations import registry
from harness.scenario.models import Measure, Scenario
from harness.scenario.target import Fake
from harness.scenario.toggles import parameters_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """What an editor needs to complete and check scenario files."""
    made = Scenario.model_json_schema(by_alias=True)
    _drop_titles(made)
    for part in (Measure(), Fake(adapter="fake")):
        _write_defaults(made["$defs"][type(part).__name__], part.model_dump(mode="json", by_alias=True))
    for definition in (made, *made["$defs"].values()):
        for field in definition["properties"].values():
            if "$ref" in field:
                field.pop("default", None)  # the mapping's own keys say their defaults
    made["properties"]["optimizations"] = _optimizations(made["properties"]["optimizations"]["description"])
    made["$defs"].pop("Toggle", None)
    return {"$schema": DIALECT, "title": "tts-harness scenario", **made}


def _write_defaults(definition: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Give defaults as YAML has them (`60s`, `1%`), where pydantic gives the seconds and fractions of the model."""
    for key, field in definition["properties"].items():
        if "default" in field:
            field["default"] = defaults[key]


def _optimizations(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": {"description": "An optimization of a plug-in.", **_states({"type": "object"})},
        "properties": {name: _toggle(name) for name in sorted(registry())},
    }


def _toggle(name: str) -> dict[str, Any]:
    optimization = registry()[name]
    return {
        "title": optimization.title,
        "description": optimization.doc,
        **_states(parameters_schema(optimization)),
    }


def _states(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What a toggle may be given as, where `parameters` is the schema of its parameters."""
    state = {"anyOf": [{"type": "boolean"}, parameters]}
    states = {
        "before": {"description": "State on the side before.", "default": False, **state},
        "after": {
            "description": "State on the side after, or a list of states, each of which is compared with before.",
            "default": True,
            "anyOf": [*state["anyOf"], {"type": "array", "minItems": 1, "uniqueItems": True, "items": state}],
        },
    }
    return {"anyOf": [{"const": True}, {"type": "object", "properties": states, "additionalProperties": False}]}


def _drop_titles(node: Any) -> None:
    """Pydantic titles every field by its name, which tells a reader nothing. A property called `title` stays."""
    if isinstance(node, list):
        for item in node:
            _drop_titles(item)
    elif isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        for value in node.values():
            _drop_titles(value)
