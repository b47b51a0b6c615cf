"""`gate:` in a scenario: the largest losses that `harness gate` lets pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

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

from harness.errors import nearest
from harness.metrics import EXACT
from harness.scenario.problems import refuse
from harness.scenario.quantities import Fraction
from harness.scenario.scalars import MetricName
from harness.scenario.source import KeyPath, found

_OPTIMIZATIONS, _OUTPUT = "optimizations", "output"


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
    limit, and peak allocated of requests made alone may not grow at all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: Limits = {}
    optimizations: dict[str, Limits] = Field(
        default={},
        description="Optimizations of the scenario (or `all`) that are gated alone as well, each with the limits in which it "
        "differs: `batched_cleanup: {latency: 5%}`.",
    )

    output: Literal["bitwise", "tolerance", "spectral", "words", "any"] = Field(
        default="bitwise",
        description="How alike the outputs of the revisions must be for their times to be compared: equal to the bit; each "
        "sample within 0.0001 of full scale; spectra within 1 dB; the same words (`measure.words`); or `any`, and nothing is "
        "compared. Where the base does not repeat itself to the bit in another process, twice that difference passes.",
    )

    def parts(self) -> Iterator[tuple[KeyPath, Mapping[str, float]]]:
        """Where the scenario has limits, and which."""
        yield ("gate",), self.limits
        for name, limits in self.optimizations.items():
            yield ("gate", _OPTIMIZATIONS, name), limits

    @model_validator(mode="before")
    @classmethod
    def _taken_apart(cls, value: Any) -> Any:
        """The keys of YAML are metrics, but for two; here metrics are one field."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            refuse(f"found {found(value)}; allowed: a mapping of limits, such as {{latency: 2%}}")
        own = {key: value[key] for key in (_OPTIMIZATIONS, _OUTPUT) if key in value}
        limits = {key: limit for key, limit in value.items() if key not in own}
        for key, limit in limits.items():
            if isinstance(limit, Mapping):
                hint = nearest(str(key), [_OPTIMIZATIONS])
                refuse(f"found a mapping; allowed: a percentage, or the key {_OPTIMIZATIONS}{hint}", key)
        return {"limits": limits, **own}

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = handler(self)
        own = {
            key: fields[key] for key in (_OPTIMIZATIONS, _OUTPUT) if fields[key] != type(self).model_fields[key].default
        }
        return {**fields["limits"], **own}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the mapping as YAML has it."""
        made = handler(core)
        fields = handler.resolve_ref_schema(made)
        fields["additionalProperties"] = fields["properties"].pop("limits")["additionalProperties"]
        return made
