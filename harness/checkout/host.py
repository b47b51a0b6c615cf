"""What this package uses of the worker around it, in one place."""

from __future__ import annotations

from harness.errors import UsageError
from harness.requests import Output
from harness.spans import handed_over, span
from harness.units import parse_bytes

__all__ = ["Output", "UsageError", "handed_over", "parse_bytes", "span"]
