"""A decision as plain data, for programs. docs/ci.md lists the keys; they may be added to, and change with `schema_version`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.gate import Decision
from harness.report.gates import words

SCHEMA_VERSION = 1


def data(decision: Decision) -> dict[str, Any]:
    """`decision` as JSON data: its own fields by their names, `exit_code`, and `sentence`, the outcome in words."""
    made = {
        "schema_version": SCHEMA_VERSION,
        "sentence": words.sentence(decision),
        "exit_code": decision.exit_code,
        **asdict(decision),
    }
    finite: dict[str, Any] = _finite(made)
    return finite


def text(decision: Decision) -> str:
    """`data` as the text of a file."""
    return json.dumps(data(decision), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _finite(value: Any) -> Any:
    """`value` with null for what is not finite, for which JSON has no word, and lists for tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
