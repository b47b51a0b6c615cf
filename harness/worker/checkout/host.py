"""What this package uses of the worker around it, in one place."""

from __future__ import annotations

from .. import audio
from ..errors import UsageError
from ..requests import Output
from ..spans import handed_over, span

__all__ = ["Output", "UsageError", "audio", "handed_over", "span"]
