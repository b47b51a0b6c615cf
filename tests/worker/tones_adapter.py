"""The runner's half of `tones.py`: an adapter whose target stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class TonesAdapter:
    """Takes the place of the adapter `fake`, so that its scenarios and its machine serve."""

    name = "fake"
    portable = f"{Path(__file__).parent / 'targets' / 'tones.py'}:load"
    needs: tuple[str, ...] = ()

    def check(self, options: Mapping[str, Any]) -> None:
        """Nothing can be wrong."""


ADAPTER = TonesAdapter()
