"""The base of every mapping in a scenario."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from harness.scenario.problems import check_keys


class Keys(BaseModel):
    """A mapping with certain keys and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _only_known_keys(cls, value: Any) -> Any:
        if not isinstance(value, cls):
            check_keys(value, [field.alias or name for name, field in cls.model_fields.items()])
        return value
