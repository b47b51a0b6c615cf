"""`gate:` in a scenario: the largest losses that `harness gate` lets pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from harness.metrics import EXACT
from harness.scenario.problems import nearest, refuse
from harness.scenario.quantities import Fraction
from harness.scenario.scalars import MetricName
from harness.scenario.source import KeyPath, found

_OPTIMIZATIONS = "optimizations"


def _provable(limits: dict[str, float]) -> dict[str, float]:
    """Refuse a limit that no interval can show to be held."""
    for name, limit in limits.items():
        if limit == 0 and name != EXACT:
            refuse(f"found '0%', which only {EXACT} can hold: no interval shows that nothing at all was lost", name)
    return limits


Limits = Annotated[dict[MetricName, Fraction], AfterValidator(_provable)]
"""Metric -> the largest loss that still passes, as a fraction."""


class Gate(BaseModel):
    """A mapping from metrics to the largest loss that still passes, such as `latency: 2%`, which holds for the code with no
    optimization on and, where the scenario has several, with all of them. Without limits, the margin of latency is its
    limit, and peak allocated may not grow at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: Limits = {}
    optimizations: dict[str, Limits] = Field(
        default={},
        description="Optimizations of the scenario (or `all`) that are gated alone as well, each with the limits in which it "
        "differs: `batched_cleanup: {latency: 5%}`.",
    )

    def parts(self) -> Iterator[tuple[KeyPath, Mapping[str, float]]]:
        """Where the scenario has limits, and which."""
        yield ("gate",), self.limits
        for name, limits in self.optimizations.items():
            yield ("gate", _OPTIMIZATIONS, name), limits

    @model_validator(mode="before")
    @classmethod
    def _taken_apart(cls, value: Any) -> Any:
        """The keys of YAML are metrics, but for one; here they are two fields."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            refuse(f"found {found(value)}; allowed: a mapping of limits, such as {{latency: 2%}}")
        limits = {key: limit for key, limit in value.items() if key != _OPTIMIZATIONS}
        for key, limit in limits.items():
            if isinstance(limit, Mapping):
                hint = nearest(str(key), [_OPTIMIZATIONS])
                refuse(f"found a mapping; allowed: a percentage, or the key {_OPTIMIZATIONS}{hint}", key)
        own = {_OPTIMIZATIONS: value[_OPTIMIZATIONS]} if _OPTIMIZATIONS in value else {}
        return {"limits": limits, **own}

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = handler(self)
        own = {_OPTIMIZATIONS: fields[_OPTIMIZATIONS]} if self.optimizations else {}
        return {**fields["limits"], **own}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the mapping as YAML has it."""
        made = handler(core)
        fields = handler.resolve_ref_schema(made)
        fields["additionalProperties"] = fields["properties"].pop("limits")["additionalProperties"]
        return made
