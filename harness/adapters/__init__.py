"""What can be measured. `adapter(name)` imports an adapter's module when it is asked for, and not before."""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from typing import cast

from harness.adapters.base import Adapter
from harness.errors import UsageError

ADAPTERS = {
    "checkout": "harness.adapters.checkout",
    "cosyvoice2": "harness.adapters.cosyvoice2",
    "fake": "harness.adapters.fake",
    "planted": "harness.adapters.planted",
    "vits": "harness.adapters.vits",
}
"""Adapter name -> module, which has an `ADAPTER` in it."""


def adapter(name: str) -> Adapter:
    """The adapter called `name`. Raises UsageError with the nearest spelling."""
    if name not in ADAPTERS:
        near = get_close_matches(name, ADAPTERS, n=1)
        hint = f"; did you mean {near[0]}?" if near else f" (known: {', '.join(ADAPTERS)})"
        message = f"no adapter is called {name!r}{hint}"
        raise UsageError(message)
    return cast("Adapter", importlib.import_module(ADAPTERS[name]).ADAPTER)
