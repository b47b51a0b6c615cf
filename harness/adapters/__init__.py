"""What can be measured. `adapter(name)` imports an adapter's module when it is asked for, and not before."""

from __future__ import annotations

import importlib
from typing import cast

from harness import plugins
from harness.adapters.base import Adapter, Portable
from harness.errors import UsageError, nearest

ADAPTERS = {
    "callable": "harness.adapters.callable",
    "checkout": "harness.adapters.checkout",
    "cosyvoice2": "harness.adapters.cosyvoice2",
    "fake": "harness.adapters.fake",
    "planted": "harness.adapters.planted",
    "vits": "harness.adapters.vits",
}
"""Adapter name -> module, which has an `ADAPTER` in it."""


def adapter(name: str) -> Adapter:
    """The adapter called `name`. Raises UsageError with the nearest spelling.

    One that an installed package brings is that package's code, which is run: ask for it where no results are held.
    """
    if _is_of_a_package(name):
        return cast("Adapter", plugins.adapter_of(name))
    if name not in ADAPTERS:
        known = [*ADAPTERS, *plugins.adapter_names()]
        hint = nearest(name, known) or f" (known: {', '.join(known)})"
        message = f"no adapter is called {name!r}{hint}"
        raise UsageError(message)
    return cast("Adapter", importlib.import_module(ADAPTERS[name]).ADAPTER)


def portable(name: str) -> Portable | None:
    """The adapter called `name`, if its target runs without this project's packages. Raises UsageError as `adapter`.

    One that an installed package brings is none: it runs where this project does, and is not asked here, because it is code.
    """
    if _is_of_a_package(name):
        return None
    found = adapter(name)
    return found if isinstance(found, Portable) else None


def warning(name: str) -> str:
    """What a run with the adapter called `name` says before it starts; "" for most. The adapter of a package is not asked."""
    if _is_of_a_package(name):
        return plugins.WARNING
    return str(getattr(adapter(name), "warning", ""))


def target(name: str) -> str:
    """What loads the model of the adapter called `name`, as a worker is told (`worker.loading`)."""
    if _is_of_a_package(name):
        return f"{plugins.adapter_place(name)}.load"
    alone = portable(name)
    return f"{ADAPTERS[name]}:ADAPTER.load" if alone is None else alone.portable


def declares_work(name: str) -> bool:
    """Whether models of the adapter called `name` say what their stages must read and compute (`worker.target.declaring`).

    The adapter of a package is not asked.
    """
    return not _is_of_a_package(name) and bool(getattr(adapter(name), "declares_work", False))


def switches(name: str) -> tuple[str, ...]:
    """The options that a toggle may set for the processes of its arms. The adapter of a package is not asked, and has none."""
    return () if _is_of_a_package(name) else tuple(getattr(adapter(name), "switches", ()))


def _is_of_a_package(name: str) -> bool:
    return name not in ADAPTERS and name in plugins.adapter_names()
