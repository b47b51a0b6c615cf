"""Somebody's own CosyVoice: the public code or a fork of it, measured as it is. Its code runs in the worker, and nowhere else.

What happens beside it is `harness.worker.checkout`, which stands alone; here is what the runner can tell without running anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.inspecting import roles, source
from harness.worker.checkout.finding import locate

CONFIGURATIONS = "cosyvoice*.yaml"
"""What the folder of a model has, whichever generation it is of."""


class CheckoutAdapter:
    """`model: {adapter: checkout, path: DIR, weights: DIR, python: FILE, supply: FILE}`."""

    name = "checkout"
    portable = ".checkout:load"
    switches = ("arguments",)
    needs = ("torch", "torchaudio")
    warning = "This runs the code that is measured, with your rights, in processes of its own."

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse folders in which there is no CosyVoice, or no model. Nothing is imported. Raises UsageError."""
        path = None if options.get("path") is None else Path(options["path"])
        if path is not None:
            roles.require(source.read(roles.existing(path)), path)
        if path is not None or options.get("python") is None:  # what another interpreter has installed, its worker says
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


ADAPTER = CheckoutAdapter()
