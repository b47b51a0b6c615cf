"""What toggles of somebody else's code have in common: their code before is that code, and stands nowhere here.

Their code after is in `harness.worker.checkout.toggles`, a file for each, because it runs in the target's own interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.errors import UsageError
from harness.optimizations.sites import BindContext
from harness.optimizations.witness import Probe

Replacing = Callable[..., Any]
"""Makes, of what stands in the target, what takes its place."""


def unchanged(current: Any) -> Any:
    """What stands there already."""
    return current


def as_it_stands(context: BindContext) -> Replacing:
    """Leave the target's own code as it stands."""
    return unchanged


def counted_there(**parameters: Any) -> Probe:
    """Raises UsageError: what these toggles avoid happens in the target's code, where the adapter's own probes count it."""
    message = "the witness of this toggle is counted by the adapter checkout, in the target's own code"
    raise UsageError(message)
