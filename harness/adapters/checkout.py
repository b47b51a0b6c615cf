"""Somebody's own CosyVoice: the public code or a fork of it, measured as it is. Its code runs in the worker, and nowhere else.

What happens beside it is `harness.checkout`, which stands alone; here is what the runner can tell without running anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.checkout.finding import locate
from harness.errors import UsageError
from harness.inspecting import roles, source
from harness.optimizations import registry

if TYPE_CHECKING:
    from harness.checkout.model import CheckoutModel
    from harness.machine import Machine

CONFIGURATIONS = "cosyvoice*.yaml"
"""What the folder of a model has, whichever generation it is of."""


class CheckoutAdapter:
    """`model: {adapter: checkout, path: DIR, weights: DIR, supply: FILE}`."""

    name = "checkout"

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse folders in which there is no CosyVoice, or no model. Nothing is imported. Raises UsageError."""
        path = None if options.get("path") is None else Path(options["path"])
        if path is not None:
            roles.require(source.read(roles.existing(path)), path)
        locate(path)
        weights = Path(options["weights"])
        if not any(weights.glob(CONFIGURATIONS)):
            where = "is no folder" if not weights.is_dir() else f"has no {CONFIGURATIONS}"
            message = (
                f"model: weights: {weights} {where}; give the folder of a CosyVoice model, or make one with random weights: "
                "harness make-checkpoint --size reduced DIR"
            )
            raise UsageError(message)
        supply = options.get("supply")
        if supply is not None and not Path(supply).is_file():
            message = f"model: supply: there is no file {supply}"
            raise UsageError(message)

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> CheckoutModel:
        """The target, imported and loaded in this process. Raises UsageError."""
        from harness.checkout import load

        return load({**options, "known": list(registry())}, machine, work_dir)


ADAPTER = CheckoutAdapter()
